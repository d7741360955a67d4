"""The JSON files of what was timed: the speed of one method on one model and machine, and the machine itself."""

from __future__ import annotations

from statistics import median
from typing import Annotated, Literal

from pydantic import Field, model_validator

from headroom.config.located import wrong
from headroom.results.records import (
    SCHEMA_VERSION,
    Amount,
    Count,
    Provenance,
    Schema,
    Share,
    Status,
    Strict,
    in_order,
    of_status,
)

NOISY = 0.1  # of the median: an interval that is wider says little
DIGITS = 1e-3  # samples are written with four
Positive = Annotated[float, Field(gt=0)]
Pairs = Annotated[int, Field(ge=1, lt=2**63)]
Fingerprint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]  # of a machine: it names a folder, and leads nowhere


class SpeedPoint(Strict):
    """Removed against dense on one workload: ratios above 1 mean faster."""

    target: Share
    label: str = ""
    natural: str = Field("", description="names a point of the method's own, which answers to no target")
    seed: Count
    plan_hash: str
    work: Literal["encode", "prefill", "decode", "generate", "images"]
    batch: Pairs
    length: Count = Field(description="tokens of input (encode, prefill, generate), context (decode), or 0 (images)")
    new: Count = Field(0, description="tokens to generate; 0: as many as the input has, 16 at most")
    dtype: str
    pairs: Pairs
    speedup: Positive = Field(description="median of the pair ratios, process time on one thread")
    speedup_low: Positive = Field(description="lower end of its 95 % interval")
    speedup_high: Positive = Field(description="upper end of its 95 % interval")
    wall_speedup: Positive = Field(description="median of the pair ratios, wall clock at the pinned threads")
    dense_ms: Positive = Field(description="median milliseconds of a call of the dense model, process time, one thread")
    removed_ms: Positive = Field(description="the same for the removed model")
    ideal: Positive | None = Field(
        description="dense bound / removed bound, each the slower of arithmetic and memory; null: nothing is left"
    )
    bound: Literal["compute", "memory", ""] = Field("", description="the ceiling that bounds the removed model")
    dense_macs: Count | None = Field(None, description="multiply-accumulates of one call of the dense model")
    macs: Count | None = Field(None, description="the same for the removed model")
    dense_bytes_moved: Count | None = Field(None, description="bytes of weights and cache that a dense call moves")
    bytes_moved: Count | None = Field(None, description="the same for the removed model")
    per_second: Positive = Field(
        description="examples (encode, images) or tokens (prefill, decode, generate) a second, removed, wall"
    )
    noisy: bool = Field(description="the interval is wider than 10 % of the median")
    samples: list[Amount] = Field(default_factory=list, description="ratio of every pair, in the order of timing")
    compiled_speedup: Positive | None = Field(None, description="median pair ratio with torch.compile on both sides")
    compiled_note: str = Field("", description="why there is no compiled speed-up where one was asked for")
    dense_memory_mb: Amount | None = Field(None, description="peak memory of the dense model, fresh process, MiB")
    memory_mb: Amount | None = Field(None, description="the same for the removed model")
    predicted_memory_mb: Amount | None = Field(None, description="its weights, cache and tensors alive at once")
    dense_kv_bytes_per_token: Amount | None = Field(None, description="found in the dense model's cache, per sequence")
    kv_bytes_per_token: Amount | None = Field(None, description="found in the removed model's cache, per sequence")
    dense_largest_batch: Count | None = Field(None, description="that fits the stated memory of a GPU, dense model")
    largest_batch: Count | None = Field(None, description="the same for the removed model")
    dense_joules: Amount | None = Field(None, description="energy of one call of the dense model, whole GPU board")
    joules: Amount | None = Field(None, description="the same for the removed model")
    note: str = Field("", description="how the timing differs from one of the whole model")

    @model_validator(mode="after")
    def _says_one_thing(self) -> SpeedPoint:
        in_order(self, "speedup")
        if self.samples and len(self.samples) != self.pairs:
            raise wrong("samples", f"{len(self.samples)} ratios stand for {self.pairs} pairs")
        if self.samples and abs(median(self.samples) - self.speedup) > DIGITS:
            raise wrong("speedup", f"the median of the samples is {median(self.samples):.4f}", self.speedup)
        if self.noisy != (self.speedup_high - self.speedup_low > NOISY * self.speedup):
            raise wrong("noisy", f"the interval has to be wider than {NOISY:.0%} of the median for it", self.noisy)
        return self

    @property
    def work_done(self) -> tuple[str, int, int, int, str]:
        """What was timed, of whatever plan."""
        return self.work, self.batch, self.length, self.new, self.dtype


class SpeedRecord(Strict):
    """Everything one method did to one model, speed side, on one machine."""

    schema_version: Schema = SCHEMA_VERSION
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

    @model_validator(mode="after")
    def _says_one_thing(self) -> SpeedRecord:
        of_status(self.status, self.reason, self.points)
        if self.provenance.machine != self.machine:
            raise wrong("provenance.machine", f"the record is of {self.machine!r}", self.provenance.machine)
        once = set[object]()
        for place, point in enumerate(self.points):
            name = (point.work_done, point.target, point.label, point.natural, point.seed)
            if name in once:
                raise wrong(f"points.{place}", f"a second timing of target {point.target:g}, seed {point.seed}")
            once.add(name)
        return self


class Ceilings(Strict):
    """What a machine can do at most with numbers of one format."""

    macs_per_second: Positive = Field(description="multiply-accumulates a second in a matrix product; CPU: 1 thread")
    bytes_per_second: Positive = Field(description="bytes read and written a second in a large copy; CPU: 1 thread")


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
