"""The JSON file of a cell: what one method did to one model, and what such a record has to satisfy by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from headroom.config.located import wrong
from headroom.config.only import DENSE as DENSE  # the method that removes nothing
from headroom.config.plain import cleaned
from headroom.config.recovery import Kind
from headroom.results.coherence import contradiction
from headroom.results.plan_names import listed_unit, plan_hash

SCHEMA_VERSION: Literal[1] = 1

Schema = Literal[1]
Status = Literal["ok", "unsupported", "failed"]
Setting = Literal["as is", "recovered"]
Quality = Literal["task", "agreement"]  # the task's own metric, or how much of the dense model's predictions is left
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, lt=2**63)]  # what a column of a table can hold
Amount = Annotated[float, Field(ge=0)]
UnitName = Annotated[str, AfterValidator(listed_unit)]


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
    examples: Count = Field(description="evaluation examples scored")

    @model_validator(mode="after")
    def _in_order(self) -> TaskScore:
        for name in ("value", "difference", "retained"):
            in_order(self, name)
        return self


class Agreement(TaskScore):
    """How far the predictions of one removed model are from the dense model's: divergence, and flips beside it."""

    flips: Share = Field(description="share of the predictions whose likeliest answer is another one")
    flips_low: Share = Field(description="lower end of the 95 % bootstrap interval over examples")
    flips_high: Share = Field(description="upper end of the 95 % bootstrap interval over examples")

    @model_validator(mode="after")
    def _flips_in_order(self) -> Agreement:
        in_order(self, "flips")
        return self


class Point(Strict):
    """One (cell, target, seed)."""

    target: Share = Field(description="share of the removable units asked for, 0 to 1")
    seed: Count = Field(description="calibration seed, or the draw of a random method")
    label: str = Field("", description="names a point outside the series, e.g. floor:encoder.self")
    natural: str = Field("", description="names a point of the method's own, e.g. lambda=0.1; it answers to no target")
    setting: Setting = Field("as is", description="whether the removed model was fine-tuned, and scored after that")
    updates: Count = Field(0, description="update steps spent on this point's weights, before and after removal")
    recovery: Kind = Field(
        "full",
        description="what learned after removal: all weights, adapters, or either towards the dense predictions",
        exclude_if=lambda kind: kind == "full",  # older records know no other, and are to stay as they are
    )
    status: Status
    reason: str = Field("", description="one sentence when the status is not ok")
    note: str = Field("", description="why the plan removes fewer or more units than asked")
    units: Count = Field(0, description="removable units of the method's grain")
    units_removed: Count = Field(0, description="units of them removed")
    attention_parameters_removed: Share = Field(0, description="share of the dense model's attention parameters")
    parameters_removed: Share = Field(0, description="share of all parameters of the dense model")
    macs: Share = Field(1, description="multiply-accumulates of one forward, share of the dense model's")
    kv_bytes_per_token: Count = Field(0, description="self-attention cache bytes per token and sequence, float32")
    logit_difference: Amount = Field(0, description="largest difference of logits, masked against removed, one batch")
    plan: list[UnitName] = Field(default_factory=list, description="the removed units")
    weights: str = Field("", description="trained weights the units were removed from; empty: the dense model's own")
    plan_hash: str = Field("", description="first 16 hex digits of the SHA-256 of the sorted plan and weights")
    tasks: dict[str, TaskScore] = Field(default_factory=dict)
    agreement: dict[str, Agreement] = Field(
        default_factory=dict,
        description="by task: agreement with the dense model as it was, in either setting; older records have none",
        exclude_if=lambda scores: not scores,
    )

    @property
    def place(self) -> str:
        """Where it stands in its series: its target, or its name where the method has points of its own."""
        return self.natural or str(self.target)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Point:
        if self.status != "ok":
            return without_scores(self)
        if self.reason:
            raise wrong("reason", "a point that is ok has none", self.reason)
        if self.units_removed != len(self.plan):
            raise wrong("units_removed", f"the plan lists {len(self.plan)}", self.units_removed)
        if self.units_removed > self.units:
            raise wrong("units_removed", f"there are {self.units} units", self.units_removed)
        if len(set(self.plan)) < len(self.plan):
            raise wrong("plan", "lists a unit twice")
        if self.plan_hash != plan_hash(self.plan, self.weights):
            raise wrong("plan_hash", f"that of the plan is {plan_hash(self.plan, self.weights)}", self.plan_hash)
        if not self.plan and (self.attention_parameters_removed, self.parameters_removed, self.macs) != (0, 0, 1):
            raise wrong("parameters_removed", "the plan removes nothing", self.parameters_removed)
        if self.setting == "as is" and self.updates:
            raise wrong("updates", "as is means that nothing was updated", self.updates)
        if self.setting == "as is" and self.recovery != "full":
            raise wrong("recovery", "as is means that nothing was fine-tuned", self.recovery)
        if self.setting == "recovered" and not self.updates and not self.label:
            raise wrong("updates", "recovered means that something was updated", self.updates)
        asked = int(self.target * self.units + 1e-9)
        if not (self.natural or self.label or self.note) and abs(asked - self.units_removed) > 1:
            raise wrong("units_removed", f"target {self.target:g} asks for {asked}, and no note says why not")
        return self


def without_scores(point: Point) -> Point:
    """What is asked of a point that is not ok: a reason, and nothing that could be taken for a measurement."""
    if not point.reason:
        raise wrong("reason", f"a point that is {point.status} needs one")
    if point.tasks or point.agreement:
        raise wrong("tasks", f"a point that is {point.status} has no scores")
    return point


def in_order(figures: BaseModel, name: str) -> None:
    """Raises the error of a validator where a figure lies outside its interval."""
    stem = "" if name == "value" else f"{name}_"
    value, low, high = getattr(figures, name), getattr(figures, f"{stem}low"), getattr(figures, f"{stem}high")
    if not low <= value <= high:
        raise wrong(name, f"its interval goes from {low:g} to {high:g}", value)


def of_status(status: Status, reason: str, points: Sequence[BaseModel]) -> None:
    """Raises the error of a validator where a record's status and the rest of it disagree."""
    if status != "ok" and not reason:
        raise wrong("reason", f"a record that is {status} needs one")
    if status == "ok" and reason:
        raise wrong("reason", "a record that is ok has none", reason)
    if status == "ok" and not points:
        raise wrong("points", "a record that is ok has some")
    if status == "unsupported" and points:
        raise wrong("points", "a record that is unsupported has none")


class Cost(Strict):
    """What a method spent on one seed, counted by the harness."""

    seed: Count
    seconds: Amount = Field(description="wall-clock seconds of scoring, all targets together")
    forward: Count = Field(description="examples passed forward")
    backward: Count = Field(description="examples passed backward")
    updates: Count = Field(description="optimizer steps")
    peak_memory_mb: Amount = Field(description="peak resident memory of the process, MiB")


class TaskFacts(Strict):
    """What a reader needs to judge the scores of a task."""

    version: Annotated[int, Field(ge=1)]
    metric: str
    better: Literal["higher", "lower"]
    unit: str
    chance: float
    signature: str = Field(description="sacreBLEU signature, lm-eval task version, or decoding statement")
    data_hash: str
    contract: dict[str, str] = Field(
        default_factory=dict,
        description="what the model was told of its input: start, padding, languages, classes",
        exclude_if=lambda said: not said,  # older records lack it, and are to stay what was verified of them
    )


class Provenance(Strict):
    """How to get the record again."""

    command: str
    commit: str
    dirty: bool
    versions: dict[str, str]
    machine: str = Field(description="fingerprint, see machines/<fingerprint>.json")
    threads: int
    weight_hash: str = Field(description="SHA-256 of the dense weights")
    device: str = Field(
        "", description="kind of device that computed: cpu, cuda, mps; older records: cpu", exclude_if=lambda it: not it
    )
    dtype: str = Field(
        "", description="number format of the weights; older records: as saved", exclude_if=lambda it: not it
    )
    unsure: list[str] = Field(
        default_factory=list,
        description="operations without a deterministic kernel there: another run may differ in the last bits",
        exclude_if=lambda it: not it,
    )
    date: str


class CellRecord(Strict):
    """Everything one method did to one model, quality side."""

    schema_version: Schema = SCHEMA_VERSION
    profile: str
    method: str
    title: str
    paper: str
    track: Literal["forward", "gradient", "trained"]
    file: str = Field(description="the method's file, from the project root")
    summary: str = Field(description="first line of the method file's docstring")
    stochastic: bool = Field(False, description="the seed is a random draw")
    calibrated: bool | None = Field(None, description="plans depend on seed or data; null: made before this was noted")
    parameters: dict[str, object] = Field(default_factory=dict)
    model: str
    family: str
    grains: list[str]
    natural: bool = Field(False, description="the method has points of its own and none at the targets")
    status: Status
    reason: str = Field("", description="one sentence when the status is not ok")
    tasks: dict[str, TaskFacts] = Field(default_factory=dict)
    agreement: dict[str, TaskFacts] = Field(
        default_factory=dict,
        description="by task: divergence, whose chance is that of always predicting the dense model's mean",
        exclude_if=lambda facts: not facts,
    )
    points: list[Point] = Field(default_factory=list)
    costs: list[Cost] = Field(default_factory=list)
    provenance: Provenance

    @model_validator(mode="after")
    def _says_one_thing(self) -> CellRecord:
        of_status(self.status, self.reason, self.points)
        contradiction(self)
        return self

    def of_quality(self, quality: Quality) -> CellRecord:
        """The record with the scores of one quality as those of its tasks; unchecked, as it was checked whole."""
        if quality == "task":
            return self
        points = [point.model_copy(update={"tasks": point.agreement}) for point in self.points]
        return self.model_copy(update={"tasks": self.agreement, "points": points})
