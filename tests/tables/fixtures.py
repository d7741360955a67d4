"""Records of a quick profile that never ran: realistic curves, one failed and one unsupported cell, noise, floors."""

from __future__ import annotations

import csv
import hashlib
import math
import random
from dataclasses import dataclass
from pathlib import Path

from headroom.results.files import write
from headroom.results.plan_names import plan_hash
from headroom.results.records import CellRecord, Cost, Point, Provenance, TaskFacts, TaskScore
from headroom.results.speed_records import Machine, SpeedPoint, SpeedRecord

TARGETS = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]
MACHINE = "cpu-0123abcd"


@dataclass(frozen=True)
class Task:
    dense: float
    chance: float
    metric: str
    unit: str
    better: str = "higher"


@dataclass(frozen=True)
class Model:
    family: str
    units: int
    layers: int
    grain: str
    attention: float  # share of all parameters
    tasks: dict[str, Task]
    floors: dict[str, float]  # retained quality without the kind
    kv: int
    works: list[tuple[str, int, int]]


MODELS = {
    "mt-constructed": Model(
        "marian",
        80,
        10,
        "head",
        0.31,
        {"pair": Task(97.4, 0.0, "bleu", "BLEU")},
        {"encoder.self": 0.12, "decoder.self": 0.58, "decoder.cross": 0.01},
        2048,
        [("generate", 32, 24)],
    ),
    "lm-pydocs": Model(
        "llama",
        24,
        6,
        "kv_group",
        0.22,
        {
            "bits": Task(1.73, 2.94, "bits-per-byte", "bits per byte", "lower"),
            "cloze": Task(61.0, 25.0, "accuracy", "%"),
        },
        {"decoder.self": 0.08},
        3072,
        [("prefill", 8, 128), ("decode", 8, 128)],
    ),
    "bert-pydocs": Model(
        "bert",
        32,
        4,
        "head",
        0.17,
        {"package": Task(86.0, 15.0, "accuracy", "%")},
        {"encoder.self": 0.71},
        0,
        [("encode", 32, 64)],
    ),
    "vit-digits": Model(
        "vit",
        36,
        6,
        "head",
        0.33,
        {"digits": Task(97.6, 10.0, "accuracy", "%")},
        {"encoder.self": 0.22},
        0,
        [("images", 64, 0)],
    ),
}


SITES = {  # kind, layers, units of the model's fine grain at each
    "mt-constructed": [("encoder.self", 6, 8), ("decoder.self", 2, 8), ("decoder.cross", 2, 8)],
    "lm-pydocs": [("decoder.self", 6, 4)],
    "bert-pydocs": [("encoder.self", 4, 8)],
    "vit-digits": [("encoder.self", 6, 6)],
}


@dataclass(frozen=True)
class Kind:
    title: str
    track: str
    grain: str  # head means the model's own fine grain
    bend: float  # where the curve breaks; larger is better
    seeds: int = 1
    stochastic: bool = False
    paper: str = "none"


METHODS = {
    "dense": Kind("Dense", "forward", "head", 1),
    "random-heads": Kind("Random heads", "forward", "head", 0.38, 5, True),
    "magnitude-heads": Kind("Magnitude", "forward", "head", 0.46),
    "michel-greedy": Kind("Michel et al., greedy", "gradient", "head", 0.68, 3, paper="arXiv:1905.10650"),
    "layer-similarity": Kind("Layer similarity", "forward", "attention", 0.64, 3, paper="arXiv:2406.15786"),
    "layer-similarity-mlp": Kind("Layer similarity, MLP", "forward", "mlp", 0.30, 3, paper="arXiv:2406.15786"),
    "layer-similarity-block": Kind("Layer similarity, block", "forward", "block", 0.24, 3, paper="arXiv:2406.15786"),
    "layer-similarity-joint": Kind("Layer similarity, joint", "forward", "joint", 0.36, 3, paper="arXiv:2406.15786"),
    "deepest-first": Kind("Deepest first", "forward", "attention", 0.55, paper="arXiv:2407.15516"),
    "shallowest-first": Kind("Shallowest first", "forward", "attention", 0.22),
}

GRAINS = {"joint": ["attention", "mlp"]}


def noise(*parts: object) -> float:
    """A number from -1 to 1 that depends on its arguments alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**31 - 1


def retained(model: str, task: str, method: str, share: float, seed: int) -> float:
    """Flat, then falling, down to what is left without any attention."""
    kind, shape = METHODS[method], MODELS[model]
    if share in (0, 1):
        whole = min(shape.floors.values()) * (0.3 if kind.grain in ("mlp", "block", "joint") else 1)
        return 1.0 if share == 0 else whole
    floor = retained(model, task, method, 1, seed)
    seeds = 1 + 0.05 * noise(model, method, seed) * (kind.seeds > 1)
    bend = kind.bend * (1 + 0.12 * noise(model, task, method)) * seeds
    fall = 1 / (1 + math.exp((share - bend) * 13)) / (1 / (1 + math.exp(-bend * 13)))
    return floor + (1 - floor) * fall + 0.004 * noise(model, task, method, share, seed)


def score(task: Task, kept: float) -> TaskScore:
    span, width = task.dense - task.chance, 0.012 + 0.025 * kept * (1 - kept)
    value = task.chance + span * kept
    ends = sorted([value - abs(span) * width, value + abs(span) * width])
    moved = sorted([value - task.dense - abs(span) * width * 0.6, value - task.dense + abs(span) * width * 0.6])
    if kept == 1:
        moved = [0.0, 0.0]
    half = 0.0 if kept == 1 else width * 0.6
    return TaskScore(
        value=value,
        low=ends[0],
        high=ends[1],
        difference=0.0 if kept == 1 else value - task.dense,
        difference_low=moved[0],
        difference_high=moved[1],
        retained=kept,
        retained_low=kept - half,
        retained_high=kept + half,
        examples=1000,
    )


def units_of(model: str, method: str) -> list[str]:
    """Every unit that the method may remove, as records list them, in an order that the method's name shuffles."""
    sites, grain = SITES[model], METHODS[method].grain
    stacks = {kind.partition(".")[0]: layers for kind, layers, _ in sites}
    places = [(f"{kind}.{layer}", heads) for kind, layers, heads in sites for layer in range(layers)]
    found = {
        "head": [f"{MODELS[model].grain}:{place}.{head}" for place, heads in places for head in range(heads)],
        "attention": [f"attention:{place}" for place, _ in places],
        "mlp": [f"mlp:{stack}.mlp.{layer}" for stack, layers in stacks.items() for layer in range(layers)],
        "block": [f"block:{stack}.block.{layer}" for stack, layers in stacks.items() for layer in range(layers)],
    }
    every = found["attention"] + found["mlp"] if grain == "joint" else found[grain]
    return random.Random(method).sample(every, len(every))


def point(model: str, method: str, target: float, seed: int) -> Point:
    shape, grain, every = MODELS[model], METHODS[method].grain, units_of(model, method)
    units, gone = len(every), int(target * len(every) + 1e-9)
    plan = sorted((every[seed:] + every[:seed])[:gone])  # another seed, another plan: the same would have one score
    share, rest = gone / units, 0.45
    attention = {"mlp": 0.0, "joint": min(1.0, share * (1 + 0.4 * (1 - share)))}.get(grain, share)
    mlp = {"mlp": share, "block": share, "joint": max(0.0, 2 * share - attention)}.get(grain, 0.0)
    return Point(
        target=target,
        seed=seed,
        status="ok",
        units=units,
        units_removed=gone,
        attention_parameters_removed=attention,
        parameters_removed=attention * shape.attention + mlp * rest,
        macs=1 - 0.9 * (attention * shape.attention + mlp * rest),
        kv_bytes_per_token=round(shape.kv * (1 - attention)),
        logit_difference=2e-6 * (1 + noise(model, method, target)),
        plan=plan,
        plan_hash=plan_hash(plan, ""),
        tasks={name: score(task, retained(model, name, method, share, seed)) for name, task in shape.tasks.items()},
        note="" if gone == target * units else f"{gone} of {units} units is the nearest share below.",
    )


def provenance(profile: str, model: str, method: str) -> Provenance:
    return Provenance(
        command=f"headroom quality --profile {profile} --method {method} --model {model}",
        commit="4f1c2d7e9ab0356412cdef7890ab12cd34ef5678",
        dirty=False,
        versions={"python": "3.11.7", "torch": "2.13.0", "transformers": "5.23.0", "headroom": "0.1.0"},
        machine=MACHINE,
        threads=2,
        weight_hash=hashlib.sha256(model.encode()).hexdigest(),
        date="2026-01-01T00:00:00Z",
    )


def cell(profile: str, model: str, method: str) -> CellRecord:
    kind, shape = METHODS[method], MODELS[model]
    grains = [shape.grain] if kind.grain == "head" else GRAINS.get(kind.grain, [kind.grain])
    points = [point(model, method, target, seed) for target in [0.0, *TARGETS] for seed in range(kind.seeds)]
    if method == "dense":
        points = [points[0]] + [
            points[0].model_copy(
                update={
                    "target": round(1 / len(shape.floors), 6),
                    "label": f"floor:{name}",
                    "plan": [f"{shape.grain}:{name}.0.0"],
                    "plan_hash": plan_hash([f"{shape.grain}:{name}.0.0"], ""),
                    "units_removed": 1,
                    "attention_parameters_removed": 1 / len(shape.floors),
                    "tasks": {task: score(facts, kept) for task, facts in shape.tasks.items()},
                }
            )
            for name, kept in shape.floors.items()
        ]
    costs = [
        Cost(
            seed=seed,
            seconds=0.4 + 9 * (kind.track == "gradient") + 2.5 * (kind.seeds == 3),
            forward=256 * (kind.seeds == 3),
            backward=512 * (kind.track == "gradient"),
            updates=0,
            peak_memory_mb=780.5,
        )
        for seed in range(kind.seeds)
    ]
    facts = {
        name: TaskFacts(
            version=1,
            metric=task.metric,
            better=task.better,
            unit=task.unit,
            chance=task.chance,
            signature="nrefs:1|case:mixed",
            data_hash=hashlib.sha256(name.encode()).hexdigest(),
            contract={"task": f"{name}, version 1", "start": "'<s>' before each text"},
        )
        for name, task in shape.tasks.items()
    }
    return CellRecord(
        profile=profile,
        method=method,
        title=kind.title,
        paper=kind.paper,
        track=kind.track,
        file=f"methods/{method.replace('-', '_')}.py",
        summary=f"{kind.title}: what it does in one line.",
        stochastic=kind.stochastic,
        model=model,
        family=shape.family,
        grains=grains,
        status="ok",
        tasks=facts,
        points=points,
        costs=costs,
        provenance=provenance(profile, model, method),
    )


def refused(record: CellRecord, status: str, reason: str) -> CellRecord:
    """The same cell, not done."""
    return record.model_copy(update={"status": status, "reason": reason, "points": [], "costs": []})


def timed(point: Point) -> bool:
    """Whether a point is one of those that are timed."""
    named = point.seed or point.label or point.setting == "recovered"
    return point.target in (0.25, 0.5, 0.75) and not named


def speed(profile: str, record: CellRecord, noisy: bool = False) -> SpeedRecord:
    shape, points = MODELS[record.model], []
    for at in [point for point in record.points if timed(point)]:
        for work, batch, length in shape.works:
            ideal = 1 / at.macs
            ratio, width = 1 + (ideal - 1) * (0.7 + 0.2 * noise(record.method, work)), 0.09 if noisy else 0.012
            points.append(
                SpeedPoint(
                    target=at.target,
                    natural=at.natural,
                    seed=0,
                    plan_hash=at.plan_hash,
                    work=work,
                    batch=batch,
                    length=length,
                    dtype="float32",
                    pairs=15,
                    speedup=ratio,
                    speedup_low=ratio - width,
                    speedup_high=ratio + width,
                    wall_speedup=1 + (ratio - 1) * 0.8,
                    dense_ms=41.2,
                    removed_ms=41.2 / ratio,
                    ideal=ideal,
                    per_second=batch / 41.2e-3 * ratio,
                    noisy=noisy,
                    samples=[round(ratio + 1.5 * width * (pair / 7 - 1), 4) for pair in range(15)],
                )
            )
    return SpeedRecord(
        profile=profile,
        method=record.method,
        model=record.model,
        status="ok",
        machine=MACHINE,
        load_before=0.4,
        load_after=0.5,
        points=points,
        provenance=record.provenance,
    )


def records(profile: str = "quick") -> dict[tuple[str, str], CellRecord]:
    """All cells by (model, method): one failed, one unsupported."""
    found = {(model, method): cell(profile, model, method) for model in MODELS for method in METHODS}
    for key, status, reason in [
        (("vit-digits", "michel-greedy"), "failed", "RuntimeError: the loss is NaN at calibration batch 3."),
        (("mt-constructed", "layer-similarity-block"), "unsupported", "Blocks of an encoder-decoder are out of reach."),
    ]:
        found[key] = refused(found[key], status, reason)
    return found


def write_profile(
    results: Path, profile: str = "quick", cells: dict[tuple[str, str], CellRecord] | None = None
) -> Path:
    """Write every record of a profile under ``results``; returns the profile's folder."""
    folder = results / profile
    for (model, method), record in (cells or records(profile)).items():
        write(folder / "quality" / model / f"{method}.json", record)
        if method != "dense" and record.status == "ok" and any(timed(point) for point in record.points):
            noisy = (model, method) == ("bert-pydocs", "magnitude-heads")
            write(folder / "speed" / MACHINE / model / f"{method}.json", speed(profile, record, noisy))
    write(
        folder / "machines" / f"{MACHINE}.json",
        Machine(
            fingerprint=MACHINE,
            processor="Example 2-core processor",
            cores=2,
            accelerator="",
            driver="",
            torch="2.13.0",
            threads=2,
            python="3.11.7",
            system="Linux 6.1",
        ),
    )
    return folder


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
