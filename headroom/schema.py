"""Checks YAML against a pydantic schema and turns the first mistake into a sentence for the person who wrote it."""

from __future__ import annotations

import re
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from headroom.errors import UserError, suggest


class Strict(BaseModel):
    """A schema that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


M = TypeVar("M", bound=BaseModel)


def checked(kind: type[M], value: Any, where: str) -> M:
    """``value`` as a ``kind``. Raises ``UserError`` naming the file, the key, what is allowed and the near match."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected keys and values. {suggest('', kind.model_fields)}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        # A misspelt key is told as such, and not by the key that is missing because of it.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise UserError(f"{where}: {_sentence(kind, first)}") from None


def _sentence(kind: type[BaseModel], error: Any) -> str:
    location = [part for part in error["loc"] if part != "[key]"]
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}. {suggest(str(location[-1]), _keys(kind, location[:-1]))}"
    if error["type"] == "missing":
        return f"key {key!r} is missing. {suggest('', _keys(kind, location[:-1]))}"
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        return f"{key} is {error['input']!r}. {suggest(str(error['input']), allowed)}"
    said = error["msg"].removeprefix("Value error, ")
    return f"{key} is {error['input']!r}: {said}." if key else f"{said}."


def _keys(kind: type[BaseModel], location: list[Any]) -> list[str]:
    """The keys allowed at a place inside a schema."""
    for part in location:
        field = kind.model_fields.get(str(part))
        inner = _schema(field.annotation) if field else None
        if inner is None:
            break
        kind = inner
    return list(kind.model_fields)


def _schema(annotation: Any) -> type[BaseModel] | None:
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
