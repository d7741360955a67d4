"""Tiny data sets with the columns, configurations and splits of those on the Hub that the profile `paper` names."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from loopback import Hub
from PIL import Image

WORDS = ["the", "cat", "says", "no", "dog", "a", "is", "it", "big", "red", "house", "tree", "runs", "sleeps", "under"]
CHANCE = random.Random(0)


def words(count: int = 6) -> str:
    return " ".join(CHANCE.choices(WORDS, k=count))


def table(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([*rows]), path)


def configured(folder: Path, configs: dict[str, dict[str, list[dict[str, Any]]]]) -> Path:
    """A data set of several configurations, each with splits, and the card that names their files."""
    card = "---\nconfigs:\n"
    for name, splits in configs.items():
        card += f"- config_name: {name}\n  data_files:\n"
        for split, rows in splits.items():
            table(folder / name / f"{split}-00000-of-00001.parquet", rows)
            card += f"  - split: {split}\n    path: {name}/{split}-*\n"
    (folder / "README.md").write_text(card + "---\n")
    return folder


def each(splits: dict[str, int], make: Any) -> dict[str, list[dict[str, Any]]]:
    return {split: [make(number) for number in range(count)] for split, count in splits.items()}


def answered(number: int) -> dict[str, Any]:
    choices = {"text": [words(3) for _ in "ABCD"], "label": list("ABCD")}
    return {"choices": choices, "answerKey": "ABCD"[number % 4]}


def mnli(number: int) -> dict[str, Any]:
    return {"premise": f"{words()} {number}", "hypothesis": words(), "label": number % 3, "idx": number}


def rte(number: int) -> dict[str, Any]:
    return {"sentence1": f"{words()} {number}", "sentence2": words(), "label": number % 2, "idx": number}


def hellaswag(number: int) -> dict[str, Any]:
    context = f"{words(8)} {number}"
    facts = {"activity_label": words(2), "ctx_a": context, "ctx_b": words(1), "ctx": context, "ind": number}
    return facts | {"endings": [words(4) for _ in range(4)], "label": str(number % 4), "source_id": "a", "split": "b"}


def arc(number: int) -> dict[str, Any]:
    return {"id": str(number), "question": f"{words()} {number}?"} | answered(number)


def openbook(number: int) -> dict[str, Any]:
    return {"id": str(number), "question_stem": f"{words()} {number}"} | answered(number)


def piqa(number: int) -> dict[str, Any]:
    return {"goal": f"{words()} {number}", "sol1": words(), "sol2": words(), "label": number % 2}


def winogrande(number: int) -> dict[str, Any]:
    sentence = f"{words(4)} {number} because _ {words(3)}."
    return {"sentence": sentence, "option1": words(1), "option2": words(2), "answer": str(1 + number % 2)}


def boolq(number: int) -> dict[str, Any]:
    return {"question": f"{words()} {number}", "passage": words(12), "idx": number, "label": number % 2}


def mmlu(number: int) -> dict[str, Any]:
    return {
        "question": f"{words()} {number}",
        "subject": "s",
        "choices": [words(2) for _ in range(4)],
        "answer": number % 4,
    }


def gsm8k(number: int) -> dict[str, Any]:
    return {"question": f"{words()} {number}?", "answer": f"{words()} <<1+{number}={1 + number}>>\n#### {1 + number}"}


def subjects() -> list[str]:
    import lm_eval

    files = (Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default").glob("mmlu_*.yaml")
    return sorted(file.stem.removeprefix("mmlu_") for file in files)


def picture(number: int) -> dict[str, Any]:
    made = io.BytesIO()
    Image.frombytes("RGB", (8, 8), CHANCE.randbytes(192)).save(made, format="PNG")
    return {"image": {"bytes": made.getvalue(), "path": f"{number}.png"}, "label": number % 1000}


def pages(path: Path, count: int = 24) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": words(30), "timestamp": "2019-04-25T12:57:54Z", "url": "a"}) for _ in range(count)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def serve(hub: Hub, folder: Path, glue: str) -> None:
    """All of them; ``glue`` is the commit under which the tasks of GLUE are pinned."""
    three, two = {"train": 12, "validation": 12, "test": 12}, {"train": 12, "validation": 12}
    matched = {"train": 24, "validation_matched": 16, "validation_mismatched": 16}
    sets = {
        "nyu-mll/glue": {"mnli": each(matched, mnli), "rte": each(two, rte)},
        "Rowan/hellaswag": {"default": each({"train": 14, "validation": 8}, hellaswag)},
        "allenai/ai2_arc": {"ARC-Challenge": each({"train": 30, "validation": 8, "test": 8}, arc)},
        "allenai/openbookqa": {"main": each(three, openbook)},
        "baber/piqa": {"default": each(two, piqa)},
        "allenai/winogrande": {"winogrande_xl": each(two, winogrande)},
        "aps/super_glue": {"boolq": each(two, boolq)},
        "openai/gsm8k": {"main": each({"train": 12, "test": 4}, gsm8k)},
        "cais/mmlu": {name: each({"test": 2, "validation": 1, "dev": 5}, mmlu) for name in subjects()},
    }
    for name, configs in sets.items():
        hub.put(name, configured(folder / name, configs), "datasets")
    repository = hub.repositories["datasets", "nyu-mll/glue"]
    repository.commits[glue] = repository.commits[repository.refs["main"]]
    for other in ("ru", "de"):
        for split in ("validation", "test"):
            rows = [{"translation": {"en": f"{words()} {number}", other: words()}} for number in range(12)]
            table(folder / "wmt" / f"{other}-en" / f"{split}-00000-of-00001.parquet", rows)
    hub.put("wmt/wmt16", folder / "wmt", "datasets")
    for part in range(2):
        pages(folder / "c4" / "en" / f"c4-validation.{part:05}-of-00008.json.gz")
        table(folder / "imagenet" / "data" / f"validation-{part:05}-of-00014.parquet", map(picture, range(24)))
    hub.put("allenai/c4", folder / "c4", "datasets")
    hub.put("ILSVRC/imagenet-1k", folder / "imagenet", "datasets", gated=True)
