"""`headroom schema`: what task files and params.yaml may say, as JSON schemas, by which editors complete and underline.

They are written from the models that check the files, so they cannot say anything else. What a model finds out by
comparing two keys, or by looking at the disk, no schema can say: `headroom check params` does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from headroom.config.params import DECODER, ENCODER, Params
from headroom.config.registry import RESERVED
from headroom.config.tasks import SLICE, Task
from headroom.shapes.params import ShapesParams

# Files of the project that hold them. They lie in a folder of their own: `tasks` is what DVC watches of a model.
FILES = {"tasks": Path("schemas/tasks.json"), "params": Path("schemas/params.json")}
DIALECT = "http://json-schema.org/draft-07/schema#"  # the latest that editors of YAML know all of
KINDS = {"type": "array", "minItems": 1, "items": {"enum": [*ENCODER, *DECODER]}}


class OfSections(GenerateJsonSchema):
    """pydantic's schema without what says nothing to an editor: a title for every key, and defaults of none or many."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if isinstance(found.get("default", {}), dict | list | None):
            found.pop("default", None)
        return found

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema(what: str) -> dict[str, Any]:
    """The schema of ``tasks`` or ``params``."""
    return of_tasks() if what == "tasks" else of_params()


def text(what: str) -> str:
    """The schema as the file has it."""
    return json.dumps(schema(what), indent=1, ensure_ascii=False) + "\n"


def of_tasks() -> dict[str, Any]:
    """A task file. Its classes may also be the name of a file that lists them, see ``load_task``."""
    found = of_model(Task)
    keys, splits = found["properties"], found["$defs"]["Splits"]["properties"]
    keys["classes"]["anyOf"].append({"type": "string"})
    for part in (splits["train"]["anyOf"][0], splits["calibrate"], splits["evaluate"]):
        part["pattern"] = re.sub(r"\?P<\w+>", "", SLICE.pattern)  # editors speak JavaScript, which names no group so
    return {"$schema": DIALECT, **found, "title": "A task of Headroom"}


def of_params() -> dict[str, Any]:
    """A params.yaml: of shapes where it has that key and no methods, else of methods and models."""
    plain, shapes = of_model(Params), of_model(ShapesParams)
    plain["$defs"]["Run"]["properties"]["kinds"]["anyOf"][0] = KINDS
    method = {"type": "string", "description": "the file in methods/, where the entry has another name"}
    entry = {"type": ["object", "null"], "properties": dict(zip(RESERVED, (method, KINDS), strict=True))}
    plain["properties"]["methods"] |= {"additionalProperties": entry, "required": ["dense"]}
    parts = {"Profile": plain, "Shapes": shapes}
    inner = {f"{name}.{key}": part for name, whole in parts.items() for key, part in whole.pop("$defs").items()}
    for name, whole in parts.items():
        whole.update(renamed(whole, name))
        inner |= {key: renamed(part, name) for key, part in inner.items() if key.startswith(f"{name}.")}
    return {
        "$schema": DIALECT,
        "title": "A profile of Headroom",
        "if": {"required": ["shapes"], "not": {"required": ["methods"]}},
        "then": {"$ref": "#/$defs/Shapes"},
        "else": {"$ref": "#/$defs/Profile"},
        "$defs": parts | inner,
    }


def of_model(kind: type[BaseModel]) -> dict[str, Any]:
    """pydantic's schema of a model, as its files are written."""
    return kind.model_json_schema(schema_generator=OfSections, mode="validation")


def renamed(part: Any, owner: str) -> Any:
    """The same with every reference to a definition of its owner's: two schemas in one file may share names."""
    if isinstance(part, dict):
        return {
            key: value.replace("#/$defs/", f"#/$defs/{owner}.") if key == "$ref" else renamed(value, owner)
            for key, value in part.items()
        }
    return [renamed(inside, owner) for inside in part] if isinstance(part, list) else part
