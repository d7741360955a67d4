"""What a model says to the same few examples with more and more gone: by the best method of a group, and by random."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headroom.results.load import DENSE, Records
from headroom.results.rows import AnswerRow

SHARES = (0.25, 0.5, 0.75)  # of the units of a method
FOLDER = "answers"  # of pictures, beside the tables


def answer_rows(records: Records, board: Sequence[Any]) -> Iterator[AnswerRow]:
    """Rows of each model and task whose answers were kept; ``board`` holds the leaderboard rows of all methods.

    Pictures are written into the results folder. A file of answers is no measurement: where it is gone or damaged there
    are the rows that were published, and the next `dvc repro` makes it again.
    """
    for model in records.models:
        dense = kept(records, model, DENSE)
        if not dense:
            before = [row for row in records.published.answers if row.model == model]
            yield from (row for row in before if (records.folder / row.image).exists())
        for task, shown in dense.get("shown", {}).items():
            pictures = [picture(records.folder, f"{model}-{task}-{number}", one) for number, one in enumerate(shown)]
            for setting, group, method, title in chosen(board, model, task):
                found = dense if method == DENSE else kept(records, model, method)
                for target, point in points(found, setting, method):
                    for number, words in enumerate(point["said"].get(task, ())):
                        yield AnswerRow(
                            **{"model": model, "task": task, "setting": setting, "group": group},
                            **{"method": method, "title": title, "target": target, "seed": point["seed"]},
                            **{"example": number, "given": shown[number]["given"], "wanted": shown[number]["wanted"]},
                            **{"said": words, "image": pictures[number]},
                        )


def remove_pictures(folder: Path, rows: Sequence[AnswerRow]) -> None:
    """Take away the pictures of a results folder that none of the rows shows."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    shown = {folder / row.image for row in rows if row.image}
    for path in (folder / FOLDER).iterdir():
        if path not in shown:
            path.unlink()


def kept(records: Records, model: str, method: str) -> dict[str, Any]:
    """The file of answers of a cell."""
    path = None if records.scores is None else records.scores / model / f"{method}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}


def chosen(board: Sequence[Any], model: str, task: str) -> Iterator[tuple[str, str, str, str]]:
    """(setting, group, method, title): the dense model, and of each group the best method and the random one."""
    rows = [row for row in board if (row.model, row.task, row.quality) == (model, task, "task") and row.ranked]
    for setting in dict.fromkeys(row.setting for row in rows):
        yield setting, "", DENSE, "Dense"
        for group in sorted({row.group for row in rows}):
            mine = [row for row in rows if (row.setting, row.group) == (setting, group)]
            best = max((row for row in mine if not row.stochastic), key=lambda row: row.area, default=None)
            names = {row.method: row for row in mine}
            random = names.get(best.random_method) if best else max(mine, key=lambda row: row.area)
            for row in filter(None, (best, random)):
                yield setting, group, row.method, row.title


def points(found: dict[str, Any], setting: str, method: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """(target, point): the first seed's at the shares that are shown, and the dense model's own."""
    wanted = (0.0,) if method == DENSE else SHARES
    mine = [point for point in found.get("points", ()) if point["setting"] == setting]
    for target in wanted:
        here = [point for point in mine if point["place"] == str(target)]
        if here:
            yield target, min(here, key=lambda point: point["seed"])


def picture(folder: Path, name: str, shown: dict[str, str]) -> str:
    """Write the image of an example; gives its path from the results folder, empty where it is a text."""
    if not shown.get("picture"):
        return ""
    path = folder / FOLDER / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(shown["picture"]))
    return f"{FOLDER}/{path.name}"
