"""Files of YAML and JSON, read and checked: what is wrong as a sentence, with file, key, value and what is allowed."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML, YAMLError

from headroom.config.plain import LONGEST, plain, shown
from headroom.errors import UserError, suggest

S = TypeVar("S", bound=BaseModel)
P = TypeVar("P", str, Path)

AT_KEY = "at_key"  # pydantic's type of an error that names its key itself, see `wrong`


class Section(BaseModel):
    """A part of a YAML file; an unknown key is an error, not a wish."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, field: ValidationInfo) -> Any:
        """pydantic would read `steps: true` as one step."""
        annotation = cls.model_fields[str(field.field_name)].annotation
        allowed = {annotation, *get_args(annotation)}
        if isinstance(value, bool) and allowed & {int, float} and bool not in allowed:
            raise ValueError("wanted a number")
        return value


def inside(path: P) -> P:
    """Refuses a path that could lead out of the folder that it is relative to, on any system."""
    text = str(path)
    if text.startswith(("/", "~")) or ".." in PurePosixPath(text).parts or "\\" in text or ":" in text:
        raise ValueError("a path is relative and stays inside the project or the data folder, without '..'")
    return path


InsidePath = Annotated[P, AfterValidator(inside)]


def wrong(key: str, message: str, *given: object) -> PydanticCustomError:
    """What a validator of a whole section raises: the key below the section that is at fault, its value, and why.

    Without it pydantic could name the section alone, and show all of it.
    """
    says = f" is {shown(given[0])}; {message}" if given else f": {message}"
    return PydanticCustomError(AT_KEY, "{says}", {"key": key, "says": says})


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ``UserError`` naming the file and line when there is none."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Name one with --params, or go to the project's root.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Name a file with --params.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(
            f"{path}{line}: not readable as YAML: {' '.join(str(getattr(error, 'problem', error)).split())}."
        ) from None
    if is_circular(content):
        raise UserError(f"{path}: an alias (*) stands inside of what it is an alias of, so the file has no end.")
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds {type(content).__name__}, wanted a mapping of keys to values.")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file that some program wrote. Raises ``UserError`` naming the file when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = f"{' '.join(str(error).split())[:LONGEST]}; it is not readable as JSON"
        raise UserError(f"{path} cannot be read: {why}. Fetch or save it again.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping of keys to values. Fetch or save it again.")
    return content


def is_circular(content: Any, above: tuple[int, ...] = ()) -> bool:
    """Whether a value of YAML holds itself."""
    inside = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return id(content) in above or any(is_circular(value, (*above, id(content))) for value in inside)


def validated(kind: type[S], content: Mapping[str, Any], where: str) -> S:
    """``content`` as a checked model. Raises ``UserError`` for the first thing wrong, located under ``where``."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UserError(sentence(error, kind, content, where)) from None


def sentence(error: ValidationError, kind: type[BaseModel], content: Mapping[str, Any], where: str) -> str:
    """The first finding in the words of the house."""
    # A misspelt key is also a missing one: say the former, it has the near match.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    place = within(content, first)
    # Of a value that may be one of several types there is a finding for each type: words have a near match.
    alike = (found for found in error.errors() if within(content, found) == place)
    first = next((found for found in alike if found["type"] == "literal_error"), first)
    steps = (f"[{part}]" if isinstance(part, int) else f".{plain(part)[:LONGEST]}" for part in place)  # run.targets[2]
    key, given = "".join(steps).removeprefix(".") or "the file", first["input"]
    if first["type"] == AT_KEY:
        return f"{where}: {key}{first['msg'].rstrip('.')}."
    if first["type"] == "extra_forbidden":
        owner = owner_of(kind, first["loc"][:-1])
        allowed = suggest(str(first["loc"][-1]), owner.model_fields) if owner else ""
        return f"{where}: {key}: unknown key. {allowed}"
    if first["type"] == "missing":
        return f"{where}: {key}: this key is missing; add it."
    if first["type"] == "literal_error":
        choices = first["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return f"{where}: {key} is {shown(given)}. {suggest(str(given), choices)}"
    message = first["msg"].removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:].rstrip('.')}."
    if isinstance(given, Mapping) and first["type"] == "value_error":  # of a whole section, which nobody wants to read
        return f"{where}: {key}: {message}"
    return f"{where}: {key} is {shown(given)}; {message}"


def within(content: Any, found: Any) -> tuple[int | str, ...]:
    """Where a finding stands in what was written, without pydantic's names for the types that a value may have."""
    place: list[int | str] = []
    for part in found["loc"]:
        inside = isinstance(content, Mapping) and part in content
        if inside or (isinstance(content, list | tuple) and isinstance(part, int)):
            place, content = [*place, part], content[part]
    if found["type"] == "missing":
        place.append(found["loc"][-1])
    return (*place, found["ctx"]["key"]) if found["type"] == AT_KEY else tuple(place)


def owner_of(kind: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model class that a location leads to, as far as it can be followed."""
    for part in location:
        field = kind.model_fields.get(str(part))
        nested = models_in(field.annotation) if field else models_in(kind)
        if not nested:
            return kind if not field else None
        kind = nested[0]
    return kind


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models inside a type such as ``dict[str, ModelSpec] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in models_in(part)]
