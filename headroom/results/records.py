"""The JSON file of a cell: what one method did to one model. Schema, reading and writing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from headroom.config.plain import cleaned
from headroom.errors import UserError

SCHEMA_VERSION = 1

R = TypeVar("R", bound=BaseModel)
Status = Literal["ok", "unsupported", "failed"]
Setting = Literal["as is", "recovered"]


class Strict(BaseModel):
    """A record refuses keys it does not know, so a typo is not silently lost."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """What methods say is cleaned where it enters: a record that holds a lone surrogate is never read again."""
        return cleaned(value)


class TaskScore(Strict):
    """The quality of one removed model on one task."""

    value: float = Field(description="metric over all evaluation examples, in the metric's unit")
    low: float = Field(description="lower end of the 95 % bootstrap interval over examples")
    high: float = Field(description="upper end of the 95 % bootstrap interval over examples")
    difference: float = Field(description="value minus the dense model's value, same examples")
    difference_low: float = Field(description="lower end of the paired 95 % bootstrap interval of the difference")
    difference_high: float = Field(description="upper end of the paired 95 % bootstrap interval of the difference")
    retained: float = Field(description="(value - chance) / (dense value - chance)")
    retained_low: float = Field(description="lower end of the paired 95 % bootstrap interval of the retained quality")
    retained_high: float = Field(description="upper end of the paired 95 % bootstrap interval of the retained quality")
    examples: int = Field(description="evaluation examples scored")


class Point(Strict):
    """One (cell, target, seed)."""

    target: float = Field(description="share of the removable units asked for, 0 to 1", ge=0, le=1)
    seed: int = Field(description="calibration seed, or the draw of a random method")
    label: str = Field("", description="names a point outside the series, e.g. floor:encoder.self")
    natural: str = Field("", description="names a point of the method's own, e.g. lambda=0.1; it answers to no target")
    setting: Setting = Field("as is", description="whether the removed model was fine-tuned, and scored after that")
    updates: int = Field(0, description="update steps spent on this point's weights, before and after removal")
    status: Status
    reason: str = Field("", description="one sentence when the status is not ok")
    note: str = Field("", description="why the plan removes fewer or more units than asked")
    units: int = Field(0, description="removable units of the method's grain")
    units_removed: int = Field(0, description="units of them removed")
    attention_parameters_removed: float = Field(0, description="share of the dense model's attention parameters")
    parameters_removed: float = Field(0, description="share of all parameters of the dense model")
    macs: float = Field(1, description="multiply-accumulates of one forward, share of the dense model's")
    kv_bytes_per_token: int = Field(0, description="self-attention cache bytes per token and sequence, float32")
    logit_difference: float = Field(0, description="largest difference of logits, masked against removed, one batch")
    plan: list[str] = Field(default_factory=list, description="the removed units")
    weights: str = Field("", description="trained weights the units were removed from; empty: the dense model's own")
    plan_hash: str = Field("", description="first 16 hex digits of the SHA-256 of the sorted plan and weights")
    tasks: dict[str, TaskScore] = Field(default_factory=dict)


def place(point: Point) -> str:
    """Where a point stands in its series: its target, or its name where the method has points of its own."""
    return point.natural or str(point.target)


class Cost(Strict):
    """What a method spent on one seed, counted by the harness."""

    seed: int
    seconds: float = Field(description="wall-clock seconds of scoring, all targets together")
    forward: int = Field(description="examples passed forward")
    backward: int = Field(description="examples passed backward")
    updates: int = Field(description="optimizer steps")
    peak_memory_mb: float = Field(description="peak resident memory of the process, MiB")


class TaskFacts(Strict):
    """What a reader needs to judge the scores of a task."""

    version: int
    metric: str
    better: Literal["higher", "lower"]
    unit: str
    chance: float
    signature: str = Field(description="sacreBLEU signature, lm-eval task version, or decoding statement")
    data_hash: str


class Provenance(Strict):
    """How to get the record again."""

    command: str
    commit: str
    dirty: bool
    versions: dict[str, str]
    machine: str = Field(description="fingerprint, see machines/<fingerprint>.json")
    threads: int
    weight_hash: str = Field(description="SHA-256 of the dense weights")
    date: str


class CellRecord(Strict):
    """Everything one method did to one model, quality side."""

    schema_version: int = SCHEMA_VERSION
    profile: str
    method: str
    title: str
    paper: str
    track: str
    file: str = Field(description="the method's file, from the project root")
    summary: str = Field(description="first line of the method file's docstring")
    stochastic: bool = Field(False, description="the seed is a random draw")
    parameters: dict[str, object] = Field(default_factory=dict)
    model: str
    family: str
    grains: list[str]
    natural: bool = Field(False, description="the method has points of its own and none at the targets")
    status: Status
    reason: str = Field("", description="one sentence when the status is not ok")
    tasks: dict[str, TaskFacts] = Field(default_factory=dict)
    points: list[Point] = Field(default_factory=list)
    costs: list[Cost] = Field(default_factory=list)
    provenance: Provenance


class SpeedPoint(Strict):
    """Removed against dense on one workload: ratios above 1 mean faster."""

    target: float
    label: str = ""
    natural: str = Field("", description="names a point of the method's own, which answers to no target")
    seed: int
    plan_hash: str
    work: Literal["encode", "prefill", "decode", "generate", "images"]
    batch: int
    length: int = Field(description="tokens of input (encode, prefill, generate), context (decode), or 0 (images)")
    new: int = Field(0, description="tokens to generate; 0: as many as the input has, 16 at most")
    dtype: str
    pairs: int
    speedup: float = Field(description="median of the pair ratios, process time on one thread")
    speedup_low: float = Field(description="lower end of its 95 % interval")
    speedup_high: float = Field(description="upper end of its 95 % interval")
    wall_speedup: float = Field(description="median of the pair ratios, wall clock at the pinned threads")
    dense_ms: float = Field(description="median milliseconds of one call of the dense model, process time, one thread")
    removed_ms: float = Field(description="the same for the removed model")
    ideal: float | None = Field(
        description="dense bound / removed bound, each the slower of arithmetic and memory; null: nothing is left"
    )
    bound: Literal["compute", "memory", ""] = Field("", description="the ceiling that bounds the removed model")
    dense_macs: int | None = Field(None, description="multiply-accumulates of one call of the dense model")
    macs: int | None = Field(None, description="the same for the removed model")
    dense_bytes_moved: int | None = Field(None, description="bytes of weights and cache that a dense call moves")
    bytes_moved: int | None = Field(None, description="the same for the removed model")
    per_second: float = Field(
        description="examples (encode, images) or tokens (prefill, decode, generate) a second, removed, wall"
    )
    noisy: bool = Field(description="the interval is wider than 10 % of the median")
    samples: list[float] = Field(default_factory=list, description="ratio of every pair, in the order of timing")
    compiled_speedup: float | None = Field(None, description="median pair ratio with torch.compile on both sides")
    compiled_note: str = Field("", description="why there is no compiled speed-up where one was asked for")
    dense_memory_mb: float | None = Field(None, description="peak memory of the dense model at the work, fresh process")
    memory_mb: float | None = Field(None, description="the same for the removed model, MiB")
    predicted_memory_mb: float | None = Field(None, description="its weights, cache and tensors alive at once, counted")
    dense_kv_bytes_per_token: float | None = Field(None, description="found in the dense model's cache, per sequence")
    kv_bytes_per_token: float | None = Field(None, description="found in the removed model's cache, per sequence")
    dense_largest_batch: int | None = Field(None, description="that fits the stated memory of a GPU, dense model")
    largest_batch: int | None = Field(None, description="the same for the removed model")
    dense_joules: float | None = Field(None, description="energy of one call of the dense model, whole GPU board")
    joules: float | None = Field(None, description="the same for the removed model")
    note: str = Field("", description="how the timing differs from one of the whole model")


Fingerprint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]  # of a machine: it names a folder, and leads nowhere


class SpeedRecord(Strict):
    """Everything one method did to one model, speed side, on one machine."""

    schema_version: int = SCHEMA_VERSION
    profile: str
    method: str
    model: str
    status: Status
    reason: str = ""
    machine: Fingerprint
    load_before: float
    load_after: float
    points: list[SpeedPoint] = Field(default_factory=list)
    provenance: Provenance


class Ceilings(Strict):
    """What a machine can do at most with numbers of one format."""

    macs_per_second: float = Field(description="multiply-accumulates a second in a matrix product, CPU: one thread")
    bytes_per_second: float = Field(description="bytes read and written a second in a large copy; CPU: one thread")


class Machine(Strict):
    """The machine that speeds belong to."""

    fingerprint: Fingerprint
    processor: str
    cores: int
    accelerator: str
    driver: str
    torch: str
    threads: int
    python: str
    system: str
    ceilings: dict[str, Ceilings] = Field(default_factory=dict, description="by number format; measured once")


def write(path: Path, record: BaseModel) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read(path: Path, kind: type[R]) -> R:
    """Read and check a record. Raises ``UserError`` naming the file and the first wrong key."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: {key or 'the file'}: {first['msg']}. Delete the file and run `dvc repro` to make it again."
        ) from None
