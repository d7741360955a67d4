"""Find the methods: one file each in ``methods/``, discovered by position, nothing registered.

An entry of ``params.yaml: methods`` holds a method's parameters, and up to two keys that are the harness's: ``method``
names the file where the entry has another name, ``kinds`` holds the method to some sites, see ``params.kinds_of``.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from headroom.api import Method
from headroom.config.params import kinds_of
from headroom.config.plain import shown
from headroom.config.project import root
from headroom.errors import UserError, suggest

RESERVED = ("method", "kinds")  # keys of an entry that are the harness's, and no parameters of its method
COUNTS = ("examples", "batch_size")  # parameters that mean the same in every method: how much is read, and how


def method_files() -> dict[str, Path]:
    """Display name to file, for every file in ``methods/``."""
    files = sorted((root() / "methods").glob("[!_]*.py"))
    return {file.stem.replace("_", "-"): file for file in files}


def file_of(entry: str, parameters: dict[str, Any] | None, where: str) -> Path:
    """The file behind an entry of ``methods:``; its ``method`` key, where given, names another one's file.

    Raises ``UserError`` when there is no such method; ``where`` is what the user wrote, for the message.
    """
    name = str((parameters or {}).get("method", entry))
    files = method_files()
    if name not in files:
        raise UserError(
            f"{where}: there is no method {name!r}. {suggest(name, files)} "
            f"A new one is a file in methods/, see CONTRIBUTING.md."
        )
    return files[name]


def load_method(entry: str, parameters: dict[str, Any] | None, where: str) -> Method:
    """The method behind an entry, with its parameters applied.

    Raises ``UserError`` for an unknown method, kind of site or parameter, a value of the wrong type, or a file that is
    no method.
    """
    kind = method_class(file_of(entry, parameters, where))
    kinds_of(parameters or {}, where)
    given = {key: value for key, value in (parameters or {}).items() if key not in RESERVED}
    return kind(checked_parameters(kind, given, where))


def method_class(file: Path) -> type[Method]:
    """The one ``Method`` subclass that a file defines."""
    module = import_file(file)
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Method) and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(f"{short(file)}: defines {len(found)} subclasses of Method, wanted one.")
    expected = file.stem.replace("_", "-")
    if getattr(found[0], "name", None) != expected:
        raise UserError(f"{short(file)}: its name is {getattr(found[0], 'name', None)!r}, wanted {expected!r}.")
    for name in RESERVED:
        if name in getattr(found[0].Params, "__dataclass_fields__", {}):
            raise UserError(
                f"{short(file)}: Params has {name!r}, a key of params.yaml's own; give the parameter another name."
            )
    return found[0]


def import_file(file: Path) -> ModuleType:
    """Import by path under a stable name, so that tracebacks, pickles and coverage work."""
    name = f"headroom_methods.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{short(file)}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def checked_parameters(kind: type[Method], given: dict[str, Any], where: str) -> Any:
    """``kind.Params`` with ``given`` applied; wrong names and values are named."""
    fields = {f.name for f in dataclasses.fields(kind.Params)}
    hints = get_type_hints(kind.Params)
    for key, value in given.items():
        if key not in fields:
            raise UserError(f"{where}.{key}: unknown parameter. {suggest(key, fields)}")
        if get_origin(hints[key]) is Literal and value not in get_args(hints[key]):
            raise UserError(f"{where}.{key} is {shown(value)}. {suggest(str(value), map(str, get_args(hints[key])))}")
        if hints[key] in (int, float, bool, str) and not fits(value, hints[key]):
            raise UserError(f"{where}.{key} is {shown(value)}; wanted {hints[key].__name__}.")
        if key in COUNTS and hints[key] is int and value < 1:
            raise UserError(f"{where}.{key} is {value}; wanted 1 or more.")
    return kind.Params(**given)


def display_title(method: Method, entry: dict[str, Any]) -> str:
    """The method's title, and what its entry changes of it in kind: "Layer similarity, mlp". Amounts are not kinds.

    Last come the sites that the entry holds it to: "Michel et al., encoder.self".
    """
    defaults = {f.name: f.default for f in dataclasses.fields(method.Params)}
    changed = {name: value for name, value in entry.items() if name in defaults and value != defaults[name]}
    words = [value.replace("_", " ") for value in changed.values() if isinstance(value, str)]
    words += [name if value else f"no {name}" for name, value in changed.items() if isinstance(value, bool)]
    return ", ".join([method.title, *words, *entry.get("kinds", ())])


def fits(value: Any, wanted: type) -> bool:
    """YAML's ``2`` may stand for the float 2.0, but ``true`` is no number."""
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is wanted


def summary(file: Path) -> str:
    """First line of a file's docstring, without importing it."""
    text = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    return text.partition("\n")[0]


def short(file: Path) -> str:
    return str(file.relative_to(root())) if file.is_relative_to(root()) else str(file)
