"""Checks of the file itself: how it imports, what it calls itself, its parameters, and which models it supports."""

from __future__ import annotations

import ast
import dataclasses
import re
from functools import lru_cache
from io import StringIO
from subprocess import CalledProcessError
from typing import Any

from ruamel.yaml import YAML

from headroom.api import ModelInfo
from headroom.attention import FAMILY_NAMES, anatomy, toy
from headroom.checks.importing import findings
from headroom.checks.subject import Subject
from headroom.config.registry import checked_parameters, method_files
from headroom.errors import UserError
from headroom.pipeline.reach import refusal

SECONDS = 2.0  # of process time, torch not counted; scikit-learn alone takes one
PAPER = re.compile(r"arXiv:(\d\d)(0[1-9]|1[0-2])\.\d{4,5}(v\d+)?|doi:10\.\d{4,9}/\S+|none")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def check_imports_fast_and_silently(subject: Subject) -> None:
    """Importing the file takes a moment, prints nothing, writes nothing and changes nothing global."""
    files = tuple(sorted({*method_files().values(), subject.file}))  # all at once: one process serves every method
    try:
        found = findings(files)[str(subject.file)]
    except CalledProcessError:  # another's file may have ended the process that looks
        found = findings((subject.file,))[str(subject.file)]
    assert not found["error"], f"it cannot be imported: {found['error']}."
    assert not found["changed"], f"importing it changes {', '.join(found['changed'])}; do that inside plans()."
    assert found["seconds"] < SECONDS, f"importing it takes {found['seconds']:.1f} s; import large modules in plans()."


def check_name_file_and_docstring_agree(subject: Subject) -> None:
    """The name is the file's, the class is named after it, and the file says in its first line what it does."""
    kind, stem = type(subject.method), subject.file.stem
    assert kind.name == stem.replace("_", "-"), f"its name is {kind.name!r}, and its file {subject.file.name}."
    wanted = stem.replace("_", "")
    assert kind.__name__.lower() == wanted, f"its class is {kind.__name__}; wanted {stem.title().replace('_', '')}."
    assert getattr(kind, "title", "").strip(), "it has no title; say how people write its name."
    first = (ast.get_docstring(ast.parse(subject.file.read_bytes())) or "").partition("\n")[0]
    assert len(first.split()) >= 3, "the file has no docstring whose first line says what the method does."


def check_paper_can_be_found(subject: Subject) -> None:
    """``paper`` is an arXiv number, a DOI or "none", and the docstring cites the year in which it appeared."""
    kind = type(subject.method)
    found = PAPER.fullmatch(kind.paper)
    assert found, f'paper is {kind.paper!r}; wanted "arXiv:1905.10650", "doi:10.1000/182" or "none".'
    if not found[1]:
        return
    appeared = 2000 + int(found[1])
    cited = sorted(map(int, YEAR.findall(ast.get_docstring(ast.parse(subject.file.read_bytes())) or "")))
    assert any(appeared <= year <= appeared + 2 for year in cited), (
        f"the docstring cites {cited or 'no year'}, and {kind.paper} appeared in {appeared}."
    )


def check_parameters_survive_yaml(subject: Subject) -> None:
    """Defaults written to YAML and read again are the defaults; what is not a parameter is refused by name."""
    kind = type(subject.method)
    assert dataclasses.is_dataclass(kind.Params) and kind.Params.__dataclass_params__.frozen, (  # type: ignore[attr-defined]
        "Params must be a frozen dataclass: @dataclass(frozen=True)."
    )
    defaults = plain(dataclasses.asdict(kind.Params()))
    again = checked_parameters(kind, through_yaml(defaults), kind.name)
    assert plain(dataclasses.asdict(again)) == defaults, "the default parameters do not read back from YAML as written."
    name = next(iter(defaults), "examples")
    try:
        checked_parameters(kind, {f"{name}x": 1}, kind.name)
    except UserError as refusal:
        assert not defaults or f"Did you mean {name!r}" in str(refusal), f"no near match in: {refusal}"
    else:
        raise AssertionError(f"the unknown parameter {name}x was taken.")


def check_an_unsupported_model_gets_a_sentence(subject: Subject) -> None:
    """``supports`` answers for every family there is with None or a sentence, never with a traceback."""
    for family, info in infos().items():
        try:
            said = refusal(subject.method, info)
        except Exception as error:
            raise AssertionError(f"supports raised {type(error).__name__}: {error} for {family}.") from error
        assert not said or is_sentence(said), f"for {family} it says {said!r}; wanted a sentence with its full stop."


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as the lists that YAML has."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def through_yaml(values: dict[str, Any]) -> dict[str, Any]:
    yaml, stream = YAML(typ="safe", pure=True), StringIO()
    yaml.dump(values, stream)
    return dict(yaml.load(stream.getvalue()) or {})


@lru_cache(maxsize=1)
def infos() -> dict[str, ModelInfo]:
    """What a method may know of a model, for every family there is."""
    return {family: anatomy(toy(family)).info for family in FAMILY_NAMES}


def is_sentence(text: str) -> bool:
    return text == text.strip() and text.endswith(".") and " " in text and "\n" not in text and len(text) <= 300
