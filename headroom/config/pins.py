"""Revisions of the Hub in a profile and its tasks: which of them may move, and commits written in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from headroom.config.data_source import COMMIT
from headroom.config.params import Params, load
from headroom.config.tasks import load_task, tasks_folder
from headroom.errors import UserError


@dataclass(frozen=True)
class Pin:
    """One revision: where it is written, and of what."""

    file: Path
    keys: tuple[str, ...]  # in the file, from its outermost mapping on
    name: str  # owner/name
    revision: str
    kind: str  # of repository: model or dataset

    @property
    def where(self) -> str:
        """File and key, for messages."""
        file = self.file if self.kind == "model" else f"tasks/{self.file.name}"
        return f"{file}: {'.'.join(self.keys)}"

    @property
    def fixed(self) -> bool:
        """Whether it is a commit: the same forever."""
        return COMMIT.fullmatch(self.revision) is not None


def pins(params: Params, file: Path) -> Iterator[Pin]:
    """Every revision that the models of a profile and their tasks name."""
    for name, spec in params.models.items():
        if spec.source.hub:
            keys = ("models", name, "source", "revision")
            yield Pin(file, keys, spec.source.hub, str(spec.source.revision), "model")
    for name in dict.fromkeys(task for spec in params.models.values() for task in spec.reads):
        data = load_task(name).data
        if data.hub:
            yield Pin(tasks_folder() / f"{name}.yaml", ("data", "revision"), data.hub, str(data.revision), "dataset")


def loose(params: Params, file: Path) -> list[str]:
    """A sentence for every revision that may mean something else tomorrow, and for what names none."""
    found = [
        f"{pin.where} is {pin.revision!r}, which may move: `headroom pin --params {file}` writes the commit of today."
        for pin in pins(params, file)
        if not pin.fixed
    ]
    for name in dict.fromkeys(task for spec in params.models.values() for task in spec.reads):
        task = load_task(name)
        if task.lm_eval and not task.lm_eval.revision and not (task.data.folder or task.data.made):
            found.append(
                f"{task.file}: lm_eval.revision is not there, so the rows are of the day they are fetched. Add the "
                "commit that the records name, 40 hex digits."
            )
    return found


def write(file: Path, commits: Sequence[tuple[Pin, str]]) -> None:
    """Put commits in the place of revisions; every other letter of the file stays.

    Raises ``UserError`` where the file would not be in order with them, and leaves it as it was.
    """
    text = file.read_text(encoding="utf-8")
    root = YAML(typ="rt", pure=True).compose(text)
    places = {marks(root, pin.keys): commit for pin, commit in commits}
    for (start, stop), commit in sorted(places.items(), reverse=True):
        text = text[:start] + _quoted(commit) + text[stop:]
    before = file.read_bytes()
    file.write_text(text, encoding="utf-8", newline="")
    try:
        _check(file, commits)
    except UserError:
        file.write_bytes(before)
        raise


def marks(node: Any, keys: Sequence[str]) -> tuple[int, int]:
    """Where the value of a key stands in the text, by the first and behind the last letter."""
    for key in keys:
        node = _below(node, key)
    return node.start_mark.index, node.end_mark.index


def _below(node: Any, key: str) -> Any:
    """The value of a key of a mapping, or of one that is merged into it (`<<: *name`)."""
    named = {name.value: value for name, value in node.value}
    if key in named or "<<" not in named:
        return named[key]
    merged = named["<<"]
    for one in merged.value if isinstance(merged.value, list) and merged.tag.endswith("seq") else [merged]:
        if key in {name.value for name, _ in one.value}:
            return _below(one, key)
    raise KeyError(key)


def _quoted(commit: str) -> str:
    """Digits alone, or a number with an e in it, would be read as a number."""
    return f'"{commit}"' if commit.replace("e", "").isdigit() else commit


def _check(file: Path, commits: Sequence[tuple[Pin, str]]) -> None:
    """Raises ``UserError`` unless the file says what was to be written."""
    first = commits[0][0]
    now = {pin.keys: pin.revision for pin in pins(load(file), file)} if first.kind == "model" else {}
    if first.kind == "dataset":
        now = {first.keys: str(load_task(file.stem, file.parent).data.revision)}
    for pin, commit in commits:
        if now.get(pin.keys) != commit:
            raise UserError(f"{pin.where}: {commit} could not be written in its place. Write it by hand.")
