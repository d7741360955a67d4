"""The rows of every table. Each field says what it means, in which unit, and with how many digits it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headroom.errors import UserError
from headroom.results.records import Quality

RowStatus = Literal["ok", "unsupported", "failed", "missing"]
Group = Literal["attention", "other"]
Verdict = Literal["holds", "does not hold", "undecided"]  # on what a paper predicts

SHARE = "share"
RETAINED = "share of dense quality above chance"
QUALITY = "task: the task's own metric; agreement: with the dense model's predictions; never ranked together"


def column(text: str, default: Any = None, unit: str = "", digits: int | str = 6) -> Any:
    """A field with its sentence for the dictionary, its unit, and its digits in the CSV."""
    return Field(default, description=text, json_schema_extra={"unit": unit, "digits": digits})


class Row(BaseModel):
    """A table refuses columns it does not know and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    @classmethod
    def checked(cls, values: Mapping[str, Any], path: Path) -> Self:
        """A row from its values. Raises ``UserError`` naming the record they came from and the wrong column."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise UserError(
                f"{path}: {key}: {first['msg']} ({cls.__name__}). Delete the file and run `dvc repro` to make it again."
            ) from None


class QualityRow(Row):
    """One (model, method, setting, quality, task, target, seed, label). Two clean runs give the same bytes."""

    model: str = column("name of the model", ...)
    method: str = column("name of the method", ...)
    setting: Literal["as is", "recovered"] = column("whether weights were updated after removal", "as is")
    quality: Quality = column(QUALITY, "task")
    task: str = column("task scored; empty when not known because no record of the model names one", "")
    target: float | None = column("share of the removable units asked for", None, SHARE)
    seed: int | None = column("calibration seed, or the draw of a random method")
    label: str = column("names a point outside the series, e.g. floor:encoder.self", "")
    natural: str = column("names a point of the method's own, e.g. lambda=0.1; it answers to no target", "")
    updates: int | None = column("update steps spent on the weights, before and after removal", None, "steps")
    grains: str = column("kinds of units the method removes, joined by +", "")
    status: RowStatus = column("missing: no record, or no score for this task, was found", ...)
    reason: str = column("one sentence when the status is not ok", "")
    note: str = column("why the plan removes fewer or more units than asked", "")
    units: int | None = column("removable units of the method's grain", None, "units")
    units_removed: int | None = column("units of them removed", None, "units")
    units_removed_share: float | None = column("units removed / removable units", None, SHARE)
    attention_parameters_removed: float | None = column("share of the dense model's attention parameters", None, SHARE)
    parameters_removed: float | None = column("share of all parameters of the dense model", None, SHARE)
    macs: float | None = column("multiply-accumulates of one forward, share of the dense model's", None, SHARE)
    kv_bytes_per_token: int | None = column("self-attention cache bytes per token and sequence", None, "bytes")
    logit_difference: float | None = column("largest difference of logits, masked against removed", None, "", "e")
    metric: str = column("metric of the task", "")
    value: float | None = column("metric over all evaluation examples, in the metric's unit")
    low: float | None = column("lower end of the 95 % bootstrap interval over examples")
    high: float | None = column("upper end of that interval")
    difference: float | None = column("value minus the dense model's value, same examples")
    difference_low: float | None = column("lower end of the paired 95 % interval of the difference")
    difference_high: float | None = column("upper end of that interval")
    retained: float | None = column("(value - chance) / (dense value - chance)", None, RETAINED)
    retained_low: float | None = column("lower end of the paired 95 % interval of retained quality", None, RETAINED)
    retained_high: float | None = column("upper end of that interval", None, RETAINED)
    examples: int | None = column("evaluation examples scored", None, "examples")
    flips: float | None = column("of agreement: share of predictions whose likeliest answer changed", None, SHARE)
    flips_low: float | None = column("lower end of the 95 % bootstrap interval over examples", None, SHARE)
    flips_high: float | None = column("upper end of that interval", None, SHARE)
    plan_hash: str = column("first 16 hex digits of the SHA-256 of the plan and its weights", "")


class ThroughputRow(Row):
    """The removed model against the dense one, on one workload of one machine. Ratios above 1 mean faster."""

    model: str = column("name of the model", ...)
    method: str = column("name of the method", ...)
    machine: str = column("fingerprint of the machine", ...)
    processor: str = column("processor or accelerator of the machine", "")
    target: float | None = column("share of the removable units asked for", None, SHARE)
    label: str = column("names a point outside the series", "")
    natural: str = column("names a point of the method's own, which answers to no target", "")
    seed: int | None = column("calibration seed or draw whose plan was timed")
    status: RowStatus = column("missing: no speed record of this cell on this machine", ...)
    reason: str = column("one sentence when the status is not ok", "")
    work: str = column("encode, prefill, decode, generate or images", "")
    batch: int | None = column("sequences or images at once")
    length: int | None = column("tokens of input or context; 0 for images", None, "tokens")
    new: int | None = column("tokens to generate; 0: as many as the input has, 16 at most", None, "tokens")
    dtype: str = column("number format of the weights", "")
    pairs: int | None = column("dense-removed pairs timed, interleaved A B B A")
    speedup: float | None = column("median of the pair ratios", None, "ratio", 4)
    speedup_low: float | None = column("lower end of its 95 % interval", None, "ratio", 4)
    speedup_high: float | None = column("upper end of that interval", None, "ratio", 4)
    ideal: float | None = column("dense bound / removed bound, each by arithmetic or memory", None, "ratio", 4)
    bound: str = column("the ceiling that bounds the removed model: compute or memory", "")
    realised: float | None = column("speed-up / ideal", None, "ratio", 4)
    wall_speedup: float | None = column("median pair ratio of the wall clock at the pinned threads", None, "ratio", 4)
    dense_ms: float | None = column("median time of one call of the dense model", None, "ms", 4)
    removed_ms: float | None = column("the same for the removed model", None, "ms", 4)
    per_second: float | None = column("examples or tokens a second, removed model, wall clock", None, "1/s", 3)
    noisy: bool | None = column("the interval is wider than 10 % of the median")
    samples: str = column("ratio of every pair, in the order of timing, separated by spaces", "")
    dense_macs: int | None = column("multiply-accumulates of one call of the dense model")
    macs: int | None = column("the same for the removed model")
    dense_bytes_moved: int | None = column("bytes of weights and cache that one dense call moves", None, "bytes")
    bytes_moved: int | None = column("the same for the removed model", None, "bytes")
    compiled_speedup: float | None = column("median pair ratio with torch.compile on both sides", None, "ratio", 4)
    compiled_note: str = column("why there is no compiled speed-up where one was asked for", "")
    dense_memory_mb: float | None = column("peak memory of the dense model in a fresh process", None, "MiB", 1)
    memory_mb: float | None = column("the same for the removed model", None, "MiB", 1)
    predicted_memory_mb: float | None = column("its weights, cache and tensors alive at once", None, "MiB", 3)
    dense_kv_bytes_per_token: float | None = column("found in the dense model's cache, per sequence", None, "bytes", 1)
    kv_bytes_per_token: float | None = column("found in the removed model's cache, per sequence", None, "bytes", 1)
    dense_largest_batch: int | None = column("that fits the stated memory of a GPU, dense model")
    largest_batch: int | None = column("the same for the removed model")
    dense_joules: float | None = column("energy of one call of the dense model, whole GPU board", None, "J", 4)
    joules: float | None = column("the same for the removed model", None, "J", 4)
    note: str = column("how the timing differs from one of the whole model", "")
    claimed: bool | None = column("at least 5 % away from 1, the whole interval on that side, and not noisy")


class FloorRow(Row):
    """What is left when every unit of one kind is removed: whether a model needs that kind at all."""

    model: str = column("name of the model", ...)
    task: str = column("task scored", ...)
    kind: str = column("kind of attention that was removed whole, e.g. encoder.self", ...)
    method: str = column("method whose record holds the point", ...)
    metric: str = column("metric of the task", "")
    status: RowStatus = column("status of the point", ...)
    reason: str = column("one sentence when the status is not ok", "")
    value: float | None = column("metric with the kind removed")
    low: float | None = column("lower end of the 95 % interval")
    high: float | None = column("upper end of that interval")
    retained: float | None = column("retained quality with the kind removed", None, RETAINED)
    retained_low: float | None = column("lower end of its paired 95 % interval", None, RETAINED)
    retained_high: float | None = column("upper end of that interval", None, RETAINED)
    attention_parameters_removed: float | None = column("share of the attention parameters in that kind", None, SHARE)
    tested: bool | None = column("false when retained quality stays above one half: the model does not test the kind")


class CurveRow(Row):
    """One step of a curve, averaged over seeds: what `dvc plots` draws."""

    model: str = column("name of the model", ...)
    method: str = column("name of the method", ...)
    task: str = column("task scored", ...)
    setting: str = column("as is, or recovered", "as is")
    quality: Quality = column(QUALITY, "task")
    axis: str = column("what share counts: attention parameters or all parameters removed", "")
    target: float = column("share of the removable units asked for; removed on the mean at a natural point", ..., SHARE)
    natural: str = column("names a point of the method's own, e.g. lambda=0.1; it answers to no target", "")
    share: float = column("mean share removed on that axis", ..., SHARE)
    retained: float = column("mean retained quality over seeds", ..., RETAINED)
    low: float = column("lower end of its 95 % interval over seeds and examples", ..., RETAINED)
    high: float = column("upper end of that interval", ..., RETAINED)
    least: float = column("lowest of the seeds", ..., RETAINED)
    most: float = column("highest of the seeds", ..., RETAINED)
    middle: float = column("median of the seeds", ..., RETAINED)
    seeds: int = column("seeds or draws behind the step", ...)
    flips: float | None = column("of agreement: mean share of predictions that changed", None, SHARE)


class ClaimRow(Row):
    """A testable prediction of a paper on one model and task. The figure decides, if its interval lies on one side."""

    id: str = column("number of the prediction, a letter behind it where its parts are tested apart", ...)
    source: str = column("the paper, and where in it", ...)
    prediction: str = column("the prediction with its threshold, fixed before any result, and what the figure is", ...)
    model: str = column("name of the model", ...)
    task: str = column("task scored; empty where the figure is no quality", "")
    verdict: Verdict | Literal["not testable here"] = column(
        "whether the prediction came true; undecided where the interval holds its threshold", ...
    )
    figure: float | None = column("what the prediction calls the figure")
    low: float | None = column("lower end of its 95 % interval over examples and seeds; empty where none were drawn")
    high: float | None = column("upper end of that interval")
    reason: str = column("why it is not testable, or what stands behind the figure", "")


class AnswerRow(Row):
    """What a model says to one example, dense or with a share of its units gone. The wanted answer is the data's."""

    model: str = column("name of the model", ...)
    task: str = column("task whose first evaluation examples are shown", ...)
    setting: str = column("as is, or recovered", ...)
    group: str = column("group of units that the method is ranked in; empty: the dense model", "")
    method: str = column("the best method of the group, the random one that it is compared with, or dense", ...)
    title: str = column("the method as people write it", "")
    target: float = column("share of the method's units asked for; 0: dense", ..., SHARE, 3)
    seed: int = column("calibration seed, or the draw of a random method", ...)
    example: int = column("number of the example in the evaluation split", ...)
    given: str = column("what the model is given; empty for an image", "")
    wanted: str = column("the answer that the data have, or how the text goes on", "")
    said: str = column("the model's answer: a translation, a class, a choice, or how it goes on", "")
    image: str = column("picture of the example, beside this table; empty for a text", "")
