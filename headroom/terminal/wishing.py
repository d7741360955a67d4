"""What `headroom choose` is asked for, from the words of its options. A wrong unit is answered with the right one."""

from __future__ import annotations

import re
from pathlib import Path

from headroom.config.located import read_yaml
from headroom.config.project import profiles, root
from headroom.errors import UserError, suggest
from headroom.results.choosing import Wish
from headroom.results.kinds import known_kind
from headroom.results.records import Quality
from headroom.results.speeds import WORKS
from headroom.site.numbers import TIMES

NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
SHARE = re.compile(rf"{NUMBER}\s*(%?)")
RATIO = re.compile(rf"{NUMBER}\s*[x{TIMES}]?", re.IGNORECASE)


def wish_of(
    loss: str,
    speed: str | None,
    memory: str | None,
    parameters: str | None,
    like: str | None,
    work: str | None,
    task: str | None,
    setting: str | None,
    quality: Quality,
) -> Wish:
    """The wish that the options say. Raises ``UserError`` for a wrong unit, kind of model or kind of work."""
    if work is not None and work not in WORKS:
        raise UserError(f"--work is {work!r}, which nobody times. {suggest(work, WORKS)}")
    return Wish(
        loss=share_of(loss, "--loss", "the quality that may be lost", least=0.0),
        speed=None if speed is None else ratio_of(speed),
        memory=None if memory is None else share_of(memory, "--memory", "the memory to save"),
        parameters=None if parameters is None else share_of(parameters, "--parameters", "the parameters to save"),
        kind=known_kind(like) if like else "",
        setting=setting or "",
        task=task or "",
        quality=quality,
        work=work or "",
    )


def share_of(text: str, option: str, what: str, least: float | None = None) -> float:
    """``1%`` or ``0.01``. Raises ``UserError`` for what is no share below 1, and for 0 where ``least`` is not 0."""
    found = SHARE.fullmatch(text.strip())
    value = float(found[1]) / (100 if found[2] else 1) if found else None
    if value is None or value >= 1 or (value == 0 and least is None):
        raise UserError(f"{option} is {text!r}; {what} is a share such as 10% or 0.1, above 0 and below 1.")
    return value


def ratio_of(text: str, option: str = "--speed") -> float:
    """``1.2`` or ``1.2x``. Raises ``UserError`` for what is no ratio above 1."""
    found = RATIO.fullmatch(text.strip())
    if not found or float(found[1]) <= 1:
        raise UserError(f"{option} is {text!r}; a speed is told in times the dense model's, such as 1.2, above 1.")
    return float(found[1])


def file_of_profile(name: str) -> Path:
    """The params.yaml of a profile of the project. Raises ``UserError`` for a name that none has."""
    files = {str(read_yaml(root() / file).get("profile")): root() / file for file in profiles()}
    if name not in files:
        raise UserError(f"--profile is {name!r}, and the project has none of that name. {suggest(name, files)}")
    return files[name]
