"""Spoilt model folders, task files and params files, drawn from a seed, and the questions that every command asks."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import shutil
import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_folders import TASKS, save_folder
from ruamel.yaml import YAML

from headroom.attention import load_removed
from headroom.config.model_spec import load_spec
from headroom.config.params import load
from headroom.config.tasks import Task, load_task, tasks_folder
from headroom.data.batches import batches, per_example_loss
from headroom.data.classes import names_in
from headroom.data.columns import check_labels
from headroom.data.loading import load_splits
from headroom.errors import UserError
from headroom.models.fitting import troubles
from headroom.models.loading import contract_of
from headroom.models.readers import readers
from headroom.models.sources import Source
from headroom.pruning.prune import prune
from headroom.pruning.subject import Request

POOL = [None, True, False, -1, 0, 1, 2, 3, 7, 10**9, -(10**12), 0.5, -1.5, 1e30, "", "x", "true", "3", "\u2581", "<s>"]
POOL += [[], [1], ["x"], [None], [[1, 2], [3]], {}, {"x": 1}, {"0": "x"}, "a/../b", "\x00", "float16", "sdpa"]
NAMES = r"\.json|\.safetensors|\.yaml|--\w|models\.\w|source\.|config\.|/model"

PARAMS = """
profile: fuzz
results: results/fuzz
work: work/fuzz
site: results/fuzz/site
run: {threads: 1, seeds: [0], draws: 2, targets: [0.25, 0.5, 1.0], plan_seconds: 60, resamples: 100}
speed: {targets: [0.5], pairs: 15, works: {classification: [{kind: encode, batch: 2, length: 8}]}}
methods: {dense: {}, magnitude-heads: {}}
models:
  made:
    source: {config: {family: bert, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2,
      num_attention_heads: 4, max_position_embeddings: 64, hidden_dropout_prob: 0.0, num_labels: 2}}
    tokenizer: {kind: wordpiece, size: 64}
    tasks: [toy-classification]
    train: {steps: 60, batch: 32, learning_rate: 0.005, warmup: 10, length: 32}
    calibrate: {examples: 16}
    evaluate: {batch: 16, length: 32}
  images:
    source: {config: {family: vit, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2,
      image_size: 8, patch_size: 4, num_channels: 1, num_labels: 4}}
    image: {mean: 0.5, std: [0.5]}
    tasks: [toy-images]
    train: {steps: 3, batch: 8, learning_rate: 0.01}
  found: {source: {folder: found}, tasks: [toy-language, toy-cloze], evaluate: {length: 16}}
recover: {}
"""


@dataclass
class Count:
    """What came of the cases."""

    refused: int = 0
    accepted: int = 0
    broken: list[str] = field(default_factory=list)  # seed, what was done, and the error

    @property
    def all(self) -> int:
        return self.refused + self.accepted + len(self.broken)


def ask(draw: random.Random, label: str, case: Callable[[random.Random], str], count: Count, folder: Path) -> None:
    """One case: a sentence that names a file or key, or nothing; anything else is broken."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    printed, done = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            done = case(draw)
        count.accepted += 1
    except UserError as error:
        said = str(error)
        if not re.search(NAMES, said) or "Traceback" in said or len(said) > 6000:
            count.broken.append(f"{label}: says no file or key, or too much: {said[:600]}")
        else:
            count.refused += 1
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "/headroom/" in frame.filename]
        count.broken.append(f"{label}: {type(error).__name__}: {str(error)[:300]} at {' '.join(ours)} {done}")
    if "Traceback" in printed.getvalue():
        count.broken.append(f"{label}: printed {printed.getvalue()[:300]}")


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in JSON or YAML."""
    found = [path] if path else []
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for number, (key, value) in enumerate(items):
        if number < 40:
            found += places(value, (*path, key))
    return found


def spoil(content: Any, draw: random.Random) -> Any:
    """The same with one or two keys dropped, renamed, given another value, or one that was not there."""
    for _ in range(draw.choice((1, 1, 1, 2))):
        every = places(content)
        if not every:
            return draw.choice(POOL)
        shallow = [path for path in every if len(path) == 1]
        *above, key = draw.choice(shallow if draw.random() < 0.5 else every)
        inside = content
        for part in above:
            inside = inside[part]
        deed = draw.choice(("drop", "rename", "retype", "retype", "retype", "add", "shift"))
        if deed == "drop" or (deed == "rename" and isinstance(inside, list)):
            del inside[key]
        elif deed == "rename":
            inside[f"{key}x"] = inside.pop(key)
        elif deed == "add" and isinstance(inside, dict):
            inside[draw.choice(("auto_map", "quantization_config", "dtype", "vocab_size", "x"))] = draw.choice(POOL)
        elif deed == "shift" and type(inside[key]) in (int, float):
            inside[key] = draw.choice(
                (inside[key] + 1, inside[key] - 1, inside[key] * 2, inside[key] / 2, -inside[key])
            )
        else:
            inside[key] = draw.choice(POOL)
    return content


def spoil_bytes(content: bytes, draw: random.Random, within: int | None = None) -> bytes:
    """Cut off, turned over in places, or with something between."""
    at = draw.randrange(min(within or len(content), len(content)) or 1)
    deed = draw.randrange(3)
    if deed == 0:
        return content[:at]
    if deed == 1:
        turned = bytearray(content)
        for _ in range(draw.randint(1, 4)):
            turned[draw.randrange(min(within or len(content), len(content)))] ^= 1 << draw.randrange(8)
        return bytes(turned)
    return content[:at] + bytes(draw.randrange(256) for _ in range(draw.randint(1, 9))) + content[at:]


def spoil_weights(content: bytes, draw: random.Random) -> bytes:
    """The header as JSON with keys changed, or bytes of it, or of the rest."""
    size = struct.unpack("<Q", content[:8])[0]
    if draw.random() < 0.5:
        return spoil_bytes(content, draw, within=draw.choice((8, 8 + size, len(content))))
    header = json.loads(content[8 : 8 + size])
    name = draw.choice(list(header))
    deed = draw.randrange(4)
    if deed == 0:
        del header[name]
    elif deed == 1:
        header[f"{name}x"] = header.pop(name)
    elif deed == 2 and "dtype" in header[name]:
        header[name]["dtype"] = draw.choice(("F16", "BF16", "I32", "F8_E4M3", "F64", "X", 3))
    elif "shape" in header[name]:
        header[name]["shape"] = draw.choice(([], [1], header[name]["shape"][::-1], [2, *header[name]["shape"]], "x"))
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def model_case(folder: Path) -> Callable[[random.Random], str]:
    """A folder with one file of it spoilt."""

    def case(draw: random.Random) -> str:
        family = draw.choice(list(TASKS))
        model = save_folder(family, folder / "model")
        file = draw.choice(sorted(model.iterdir()))
        if draw.random() < 0.04:
            file.unlink()
        elif file.suffix == ".safetensors":
            file.write_bytes(spoil_weights(file.read_bytes(), draw))
        elif draw.random() < 0.15:
            file.write_bytes(spoil_bytes(file.read_bytes(), draw))
        else:
            file.write_text(json.dumps(spoil(json.loads(file.read_text()), draw)))
        task = load_task(TASKS[family])
        if draw.random() < 0.3:
            return shrink(model, task, folder / "small")
        return use(model, task)

    return case


def shrink(model: Path, task: Task, out: Path) -> str:
    """What ``prune`` writes can be read, and what it refuses has left nothing."""
    request = Request(str(model), "magnitude-heads", 0.5, out, task.name, None, None, [], 0, 1, False)
    try:
        prune(request)
    finally:
        left = sorted(path.name for path in out.parent.iterdir())
        assert left in (["model"], ["model", "small"]), f"left {left}"
    load_removed(out)
    return "shrunk"


SPLITS: dict[str, Any] = {}


def use(model: Path, task: Task) -> str:
    """What ``prune`` asks of a folder; and what is accepted has to be of use."""
    if task.name not in SPLITS:
        SPLITS[task.name] = load_splits(task)
    splits = SPLITS[task.name]
    spec = load_spec("made", {"source": {"folder": "."}, "tasks": [task.name]})
    source, where, classifies = Source(model), "--model made", "classification" in task.purpose
    named = {task.name: names_in(task, splits)} if classifies else {}
    troubles(spec, [task], where, None, named, source).settle()
    made = source.model(task.purpose)
    if classifies:
        check_labels(splits, task, int(made.config.num_labels or 0), "config.json: num_labels")
    contract = contract_of(spec, made, *readers(spec, task.purpose, made.config, where, source), named, str(model))
    batch = next(batches(splits["calibrate"].select(range(4)), contract.collator(task), 4))
    loss = per_example_loss(made, batch)
    assert loss.shape, "no loss"
    return "used"


def task_case(folder: Path) -> Callable[[random.Random], str]:
    """A task file with a key or byte spoilt, given to a model that is fit for the whole one."""

    def case(draw: random.Random) -> str:
        family = draw.choice(list(TASKS))
        source = tasks_folder() / f"{TASKS[family]}.yaml"
        spoilt_yaml(source.read_text(), folder / source.name, draw)
        task = load_task(TASKS[family], folder)
        splits = load_splits(task)
        model = save_folder(family, folder / "model")
        spec = load_spec("made", {"source": {"folder": "."}, "tasks": [task.name]})
        named = {task.name: names_in(task, splits)} if "classification" in task.purpose else {}
        troubles(spec, [task], "--model made", None, named, Source(model)).settle()
        return "fits"

    return case


def spoilt_yaml(text: str, file: Path, draw: random.Random) -> None:
    """Write YAML with keys or bytes spoilt."""
    if draw.random() < 0.2:
        file.write_bytes(spoil_bytes(text.encode(), draw))
        return
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe", pure=True).dump(spoil(YAML(typ="safe", pure=True).load(text), draw), out)


def params_case(folder: Path) -> Callable[[random.Random], str]:
    """A params.yaml with a key or byte spoilt, given to what ``check params`` asks but for starting methods."""
    from headroom.pipeline.preflight import check_models, preflight

    def case(draw: random.Random) -> str:
        save_folder("llama", folder / "found")
        file = folder / "params.yaml"
        spoilt_yaml(PARAMS, file, draw)
        params = load(file)
        check_models(preflight(file), str(file))
        return str(params.profile)

    return case


CASES = {"model": model_case, "task": task_case, "params": params_case}


def fuzz(kind: str, seeds: range, folder: Path) -> Count:
    """Cases of one kind, one a seed."""
    count = Count()
    for seed in seeds:
        ask(random.Random(seed), f"{kind} {seed}", CASES[kind](folder / "case"), count, folder / "case")
    return count
