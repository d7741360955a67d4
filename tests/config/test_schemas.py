"""Editors are told what the models check: the committed schemas are theirs, take every shipped file and no mistake."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from headroom.cli import app
from headroom.config.located import models_in
from headroom.config.tasks import COLUMNS, Task
from headroom.terminal.schemas import FILES, schema, text

HERE = Path(__file__).parents[2]
SHIPPED = {
    "tasks": sorted(HERE.glob("tasks/*.yaml")),
    "params": [HERE / "params.yaml", *sorted(HERE.glob("profiles/*/params.yaml"))],
}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)}


@pytest.mark.parametrize("what", FILES)
def test_the_committed_schema_is_that_of_the_models(what, tmp_path):
    again = f"run `headroom schema {what} --out {FILES[what]}`"
    assert (HERE / FILES[what]).read_text(encoding="utf-8") == text(what), again
    done = CliRunner().invoke(app, ["schema", what, "--out", str(tmp_path / "schema.json")])
    assert done.exit_code == 0 and (tmp_path / "schema.json").read_text(encoding="utf-8") == text(what)
    assert CliRunner().invoke(app, ["schema", what]).output == text(what)


@pytest.mark.parametrize(
    "file", [file for files in SHIPPED.values() for file in files], ids=lambda file: str(file)[-30:]
)
def test_every_shipped_file_is_accepted(file):
    what = "tasks" if file.parent.name == "tasks" else "params"
    assert findings(schema(what), content(file)) == []


@pytest.mark.parametrize(
    ("file", "place", "value"),
    [
        ("tasks/sst2.yaml", ("metrik",), {}),
        ("tasks/sst2.yaml", ("version",), "1"),
        ("tasks/sst2.yaml", ("evaluator",), "clasification"),
        ("tasks/sst2.yaml", ("splits", "evaluate"), "validation[::0]"),
        ("tasks/sst2.yaml", ("metric", "better"), "more"),
        ("tasks/sst2.yaml", ("metric", "chance"), "random"),
        ("tasks/sst2.yaml", ("data", "revision"), "../main"),
        ("tasks/sst2.yaml", ("classes",), ["one"]),
        ("params.yaml", ("run", "threds"), 1),
        ("params.yaml", ("run", "threads"), 0),
        ("params.yaml", ("run", "kinds"), ["encoder"]),
        ("params.yaml", ("methods", "michel-greedy"), {"kinds": ["encoder"]}),
        ("params.yaml", ("methods",), {}),
        ("params.yaml", ("models", "vit-digits", "train", "stepz"), 1),
        ("params.yaml", ("shapes",), {}),
        ("profiles/shapes/params.yaml", ("shapes", "bert-base", "purpose"), "talk"),
        ("profiles/shapes/params.yaml", ("recover",), {}),
    ],
)
def test_a_mistake_is_underlined(file, place, value):
    wrong = copy.deepcopy(content(HERE / file))
    inner = wrong
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert findings(schema("tasks" if file.startswith("tasks") else "params"), wrong)


def test_classes_may_be_a_file_that_lists_them():
    assert findings(schema("tasks"), content(HERE / "tasks/sst2.yaml") | {"classes": "tasks/classes.txt"}) == []


def test_contributing_names_every_key_of_a_task_file_and_every_word_that_is_allowed():
    said = (HERE / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### Keys of a task file")[2]
    said = said.partition("\n## ")[0]
    rows = {line.split("`")[1]: line for line in said.splitlines() if line.startswith("| `")}
    assert set(rows) == set(keys(Task)), "a row for each key"
    for key, definition in keys(Task).items():
        missing = [word for word in words(definition) if f"`{word}`" not in rows[key]]
        assert not missing, f"{key} allows {missing}"
    assert all(f"`{column}`" in rows["columns"] for columns in COLUMNS.values() for column in columns)


def keys(kind, above=""):
    """Every key of a model and of the sections in it, by its path."""
    found = {}
    parts = kind.model_json_schema()["properties"]
    for name, field in kind.model_fields.items():
        inner = models_in(field.annotation)
        found |= keys(inner[0], f"{above}{name}.") if inner else {f"{above}{name}": parts[name]}
    return found


def words(definition):
    """The words that a key may have, where they can be listed."""
    if isinstance(definition, dict):
        return [*definition.get("enum", ()), *(word for inside in definition.values() for word in words(inside))]
    return [word for inside in definition for word in words(inside)] if isinstance(definition, list) else []


def content(file):
    return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))


def findings(part, value, whole=None, at=""):
    """What a schema finds wrong: as much of JSON Schema as ours use. A keyword that is not known here is an error."""
    whole = whole or part
    found = []
    for keyword, given in part.items():
        if keyword == "$ref":
            found += findings(whole["$defs"][given.rpartition("/")[2]], value, whole, at)
        elif keyword == "anyOf":
            found += [] if any(not findings(one, value, whole, at) for one in given) else [f"{at}: none of {given}"]
        elif keyword == "if":
            found += findings(part["else" if findings(given, value, whole, at) else "then"], value, whole, at)
        elif keyword == "not":
            found += [] if findings(given, value, whole, at) else [f"{at}: is {given}"]
        elif keyword == "propertyNames":
            found += [said for key in value for said in findings(given, key, whole, f"{at}.{key}")]
        elif keyword in ("properties", "items", "additionalProperties"):
            found += inside(keyword, part, value, whole, at)
        elif not holds(keyword, given, value):
            found.append(f"{at}: {value!r} is not {keyword} {given}")
    return found


def inside(keyword, part, value, whole, at):
    """What is wrong with the values of a mapping or a list."""
    if keyword == "items":
        places = enumerate(value) if isinstance(value, list) else ()
        return [said for place, one in places for said in findings(part["items"], one, whole, f"{at}[{place}]")]
    known, others = part.get("properties", {}), part.get("additionalProperties", True)
    found = []
    for key, one in value.items() if isinstance(value, dict) else ():
        of_others = keyword == "additionalProperties"
        if of_others == (key in known):
            continue
        if of_others and isinstance(others, bool):
            found += [] if others else [f"{at}.{key}: unknown key"]
        else:
            found += findings(others if of_others else known[key], one, whole, f"{at}.{key}")
    return found


def holds(keyword, given, value):
    """One rule about a value; a rule about other types of values holds."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if keyword == "type":
        kinds = [given] if isinstance(given, str) else given
        if isinstance(value, bool):
            return "boolean" in kinds
        return any(isinstance(value, TYPES[kind]) for kind in kinds if kind != "boolean")
    rules = {
        "enum": lambda: value in given,
        "const": lambda: value == given,
        "pattern": lambda: not isinstance(value, str) or re.search(given, value),
        "required": lambda: not isinstance(value, dict) or set(given) <= set(value),
        "minimum": lambda: not number or value >= given,
        "maximum": lambda: not number or value <= given,
        "exclusiveMinimum": lambda: not number or value > given,
        "exclusiveMaximum": lambda: not number or value < given,
        "minItems": lambda: not isinstance(value, list) or len(value) >= given,
        "maxItems": lambda: not isinstance(value, list) or len(value) <= given,
        "minLength": lambda: not isinstance(value, str) or len(value) >= given,
        "maxLength": lambda: not isinstance(value, str) or len(value) <= given,
        "minProperties": lambda: not isinstance(value, dict) or len(value) >= given,
    }
    silent = ("$schema", "$defs", "title", "description", "default", "format", "then", "else")
    return keyword in silent or bool(rules[keyword]())
