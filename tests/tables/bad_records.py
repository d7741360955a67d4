"""Bad records: a name, an edit of a good one as JSON, and words of the sentence that refuses it.

The good one is the record of a calibrated method with three seeds at eight targets. Its points go by target and then by
seed, so that number 12 is target 0.5 with seed 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from headroom.results.plan_names import plan_hash

Json = dict[str, Any]
Edit = Callable[[Json], Any]  # changes the record, or gives the text to write in its place
HALF, FLOOR = "points.12", "points.24"  # target 0.5 and target 1, seed 0
SCORE = f"{HALF}.tasks.package"


def put(key: str, value: Any) -> Edit:
    """Sets a key, such as points.3.seed."""

    def edit(record: Json) -> None:
        owner, last = _owner(record, key)
        owner[last] = value(owner[last]) if callable(value) else value

    return edit


def drop(key: str) -> Edit:
    """Takes a key or a point away."""

    def edit(record: Json) -> None:
        owner, last = _owner(record, key)
        del owner[last]

    return edit


def both(*edits: Edit) -> Edit:
    """One edit after the other."""
    return lambda record: [edit(record) for edit in edits] and None


def text(old: str, new: str) -> Edit:
    """Replaces text of the file once: what no value of Python's own would be written as."""
    return lambda record: json.dumps(record).replace(old, new, 1)


def planned(change: Callable[[list[str]], list[str]], key: str = HALF, counted: bool = True) -> Edit:
    """Another plan with a hash and a count that are right for it."""

    def edit(record: Json) -> None:
        point = _at(record, key)
        point["plan"] = change(point["plan"])
        point["plan_hash"] = plan_hash(point["plan"], "")
        point["units_removed"] = len(point["plan"]) if counted else point["units_removed"]

    return edit


def moved(amount: float, *names: str, key: str = SCORE) -> Edit:
    """Adds to figures of a score, and to both ends of their intervals where the name is a figure's."""
    ends = {"value": ("low", "high"), "difference": ("difference_low", "difference_high")}
    ends["retained"] = ("retained_low", "retained_high")
    dense = 71.0  # per cent above chance, of the dense model

    def edit(record: Json) -> None:
        score = _at(record, key)
        for name in names:
            for each in (name, *ends[name]):
                score[each] += amount / dense if name == "retained" else amount

    return edit


def twice(key: str) -> Edit:
    """The same point again, in the place of the last one: as many points as before."""

    def edit(record: Json) -> None:
        record["points"][-1] = _at(record, key)

    return edit


def _at(record: Any, key: str) -> Any:
    for part in key.split("."):
        record = record[int(part)] if isinstance(record, list) else record[part]
    return record


def _owner(record: Json, key: str) -> tuple[Any, Any]:
    path, _, last = key.rpartition(".")
    owner = _at(record, path) if path else record
    return owner, int(last) if isinstance(owner, list) else last


def only(keep: Callable[[Json], bool]) -> Edit:
    """Those points, and the costs of their seeds."""

    def edit(record: Json) -> None:
        record["points"] = [point for point in record["points"] if keep(point)]
        seeds = {point["seed"] for point in record["points"]}
        record["costs"] = [cost for cost in record["costs"] if cost["seed"] in seeds]

    return edit


RECOVERED = both(put(f"{HALF}.setting", "recovered"), put(f"{HALF}.updates", 40))

# What is wrong with one record by itself.
ALONE: list[tuple[str, Edit, str]] = [
    ("another schema", put("schema_version", 2), "schema_version is 2"),
    ("a share above one", put(f"{HALF}.attention_parameters_removed", 1.2), "attention_parameters_removed is 1.2"),
    ("a share below none", put(f"{HALF}.macs", -0.1), "macs is -0.1"),
    ("a target above one", put(f"{HALF}.target", 1.5), "target is 1.5"),
    ("a value outside its interval", put(f"{SCORE}.low", 99.0), "value"),
    ("a difference outside its interval", put(f"{SCORE}.difference_high", -80.0), "difference"),
    ("a retained quality outside its interval", put(f"{SCORE}.retained_low", 1.2), "retained"),
    ("more units gone than there are", put(f"{HALF}.units", 3), "there are 3 units"),
    ("a count that is not the plan's", put(f"{HALF}.units_removed", 15), "units_removed is 15; the plan lists 16"),
    ("no unit", put(f"{HALF}.plan.0", "everything"), "plan.0 is 'everything'"),
    ("a unit in other letters", put(f"{HALF}.plan.0", "head:encoder.self.00.1"), "plan.0"),
    ("a unit where no model has any", planned(lambda plan: [*plan[:-1], "head:encoder.mlp.0.1"]), "encoder.mlp"),
    ("a unit before the first", planned(lambda plan: [*plan[:-1], "head:encoder.self.-1.0"]), "self.-1.0"),
    ("a unit twice", planned(lambda plan: [*plan[:-1], plan[0]]), "lists a unit twice"),
    ("another plan's hash", put(f"{HALF}.plan_hash", "0" * 16), "that of the plan is"),
    ("another plan", put(f"{HALF}.plan", lambda plan: plan[::-1]), "plan_hash"),
    ("a seed below zero", put(f"{HALF}.seed", -1), "seed is -1"),
    ("a seed as text", put(f"{HALF}.seed", "0"), "seed is '0'"),
    ("a seed that is false", put(f"{HALF}.seed", False), "seed is False"),
    ("examples below zero", put(f"{SCORE}.examples", -1), "examples is -1"),
    ("updates below zero", put(f"{HALF}.updates", -40), "updates is -40"),
    ("a cache below zero", put(f"{HALF}.kv_bytes_per_token", -1), "kv_bytes_per_token is -1"),
    ("a cache that no table holds", put(f"{HALF}.kv_bytes_per_token", 2**70), "kv_bytes_per_token"),
    ("a difference of logits below zero", put(f"{HALF}.logit_difference", -1e-6), "logit_difference"),
    ("a cost below zero", put("costs.0.seconds", -1.0), "costs.0.seconds is -1.0"),
    ("two costs of a seed", put("costs.1.seed", 0), "costs.1.seed is 0 a second time"),
    ("a cost of a seed without points", put("costs.2.seed", 7), "costs.2.seed is 7, and no point has that seed"),
    ("a point without a score", put(f"{HALF}.tasks", {}), "holds none, and the record package"),
    ("a task without facts", drop("tasks.package"), "tasks holds package, and the record none"),
    ("a point that is ok with a reason", put(f"{HALF}.reason", "Out of memory."), "a point that is ok has none"),
    ("a failed point without a reason", put(f"{HALF}.status", "failed"), "a point that is failed needs one"),
    ("a failed point in a record that is ok", put(HALF, lambda point: point | {
        "status": "failed", "reason": "No.", "tasks": {}}), "is failed, and that of the record ok"),
    ("a record that failed without a reason", put("status", "failed"), "a record that is failed needs one"),
    ("a record that is ok without points", put("points", []), "a record that is ok has some"),
    ("a record that is unsupported with points", both(put("status", "unsupported"), put("reason", "No.")), "has none"),
    ("updates as is", put(f"{HALF}.updates", 40), "as is means that nothing was updated"),
    ("recovered without updates", put(f"{HALF}.setting", "recovered"), "recovered means that something was updated"),
    ("adapters as is", put(f"{HALF}.recovery", "lora"), "as is means that nothing was fine-tuned"),
    ("a recovery that there is not", both(RECOVERED, put(f"{HALF}.recovery", "magic")), "recovery is 'magic'"),
    ("the same point twice", twice(HALF), "is 0.5, seed 0, as is, and so is points.12"),
    ("a name of its own", put(f"{HALF}.natural", "lambda=1"), "no points of its own"),
    ("a method of its own points without names", put("natural", True), "has points of its own only"),
    ("a trained method as is", put("track", "trained"), "is 'as is', and the method trains"),
    ("a track that there is not", put("track", "magic"), "track is 'magic'"),
    ("a metric that is no number", text('"difference": -', '"difference": NaN, "value": -'), "finite"),
    ("a metric without end", put("costs.0.seconds", float("inf")), "finite"),
    ("a number too large", text('"macs": ', '"macs": 1e400, "note": "", "x": '), "finite"),
    ("a parameter that is no number", put("parameters", {"rate": float("nan")}), "a number that is not finite"),
    ("a key that there is not", put("rank", 1), "rank is 1"),
    ("edited digits of the value", moved(0.3, "value"), "so that the dense model would have"),
    ("edited digits of the retained quality", moved(2.0, "retained"), "by value, chance and dense it is"),
    ("edited value and difference", moved(2.0, "value", "difference"), "retained is"),
    ("fewer examples at one point", put(f"{SCORE}.examples", 10), "examples is 10, and 1000 in others"),
    ("other units at one point", put(f"{HALF}.units", 33), "units is 33, and 32 at the first point"),
    ("a unit of another grain", planned(lambda plan: [*plan[:-1], "mlp:encoder.mlp.0"]), "lists mlp:encoder.mlp.0"),
    ("a unit that the model lacks", planned(lambda plan: [*plan[:-1], "head:encoder.self.9.0"]), "there are 32"),
    ("fewer units than the target asks", planned(lambda plan: plan[:8]), "target 0.5 asks for 16"),
    ("shares of a plan that removes nothing", put("points.0.parameters_removed", 0.2), "the plan removes nothing"),
    ("one plan with two scores", moved(1.0, "value", "difference", "retained", key=f"{FLOOR}.tasks.package"),
     "which has the same plan"),
]  # fmt: skip

# What is wrong with a record where it lies, beside the others of its model, or beside params.yaml.
BESIDE: list[tuple[str, Edit, str]] = [
    ("another method's", put("method", "magnitude-heads"), "method is 'magnitude-heads'"),
    ("another model's", put("model", "vit-digits"), "model is 'vit-digits'"),
    ("another profile's", put("profile", "real"), "profile is 'real'"),
    ("of other weights", put("provenance.weight_hash", "0" * 64), "provenance.weight_hash is '000"),
    ("of other data", put("tasks.package.data_hash", "0" * 64), "tasks.package.data_hash is '000"),
    ("of another chance", put("tasks.package.chance", 0.0), "retained"),
    ("of another metric", put("tasks.package.metric", "bleu"), "tasks.package.metric is 'bleu', and 'accuracy' in"),
    ("of another direction", put("tasks.package.better", "lower"), "tasks.package.better is 'lower'"),
    ("of another family", put("family", "vit"), "family is 'vit'"),
    ("of an older task", put("tasks.package.version", 2), "version is 2, and that of tasks/package.yaml 1"),
    ("of another task", both(put("tasks", lambda tasks: {"digits": tasks["package"]}), put("points", lambda points: [
        point | {"tasks": {"digits": point["tasks"]["package"]}} for point in points])), "asks for package"),
    ("of a copied method", put("file", "methods/magnitude_heads.py"), "file is 'methods/magnitude_heads.py'"),
    ("of other parameters", put("parameters", {"examples": 64}), "parameters.examples is 64"),
    ("of other threads", put("provenance.threads", 8), "provenance.threads is 8"),
    ("recovered where nothing is", RECOVERED, "recovers nothing of bert-pydocs"),
    ("of a better dense model", lambda record: [
        moved(1.0, "value", "retained", key=f"points.{place}.tasks.package")(record) for place in range(27)] and None,
     "retained"),
    ("of a floor that the others do not have", lambda record: [
        moved(1.0, "value", "difference", "retained", key=f"points.{place}.tasks.package")(record)
        for place in (24, 25, 26)] and None, "has the plan of 2 others"),
]  # fmt: skip

# Records that are sound, and not all that was asked for.
INCOMPLETE: list[tuple[str, Edit, str]] = [
    ("a target is missing", only(lambda point: point["target"] != 0.5), "target 0.5, seed 0, as is, and 2 more"),
    ("a point is missing", drop("points.13"), "There is no point for target 0.5, seed 1, as is."),
    ("the floor is missing and another point new", both(put("points.24.target", 0.9), put("points.24.note", "x")),
     "There is no point for target 1.0, seed 0, as is. Nobody asked for target 0.9, seed 0, as is."),
    ("a seed is missing", only(lambda point: point["seed"] < 2), "There is no point for target 0.125, seed 2, as is"),
    ("only the first seed", both(only(lambda point: point["seed"] == 0), put("calibrated", True)), "seed 1, as is"),
    ("a seed that nobody asked for", both(put("points", lambda points: [
        point | {"seed": 5 if point["seed"] == 2 else point["seed"]} for point in points]), put("costs.2.seed", 5)),
     "Nobody asked for target 0.125, seed 5"),
    ("a draw that is not random", put("stochastic", True), "seed 3, as is"),
    ("a bad point behind a label", put(f"{HALF}.label", "floor:encoder.self"), "target 0.5, seed 0, as is."),
    ("a failed cell whose points are all ok", both(put("status", "failed"), put("reason", "It ran aground.")),
     "It ran aground."),
]  # fmt: skip

# Speed records.
TIMED: list[tuple[str, Edit, str]] = [
    ("another schema", put("schema_version", 0), "schema_version is 0"),
    ("another method's", put("method", "magnitude-heads"), "method is 'magnitude-heads'"),
    ("another model's", put("model", "vit-digits"), "model is 'vit-digits'"),
    ("another profile's", put("profile", "real"), "profile is 'real'"),
    ("another machine's", both(put("machine", "other"), put("provenance.machine", "other")), "machine is 'other'"),
    ("a machine that its provenance denies", put("provenance.machine", "other"), "provenance.machine is 'other'"),
    ("a speed-up below its interval", put("points.0.speedup_low", 9.0), "its interval goes from 9"),
    ("no pairs", put("points.0.pairs", 0), "pairs is 0"),
    ("fewer ratios than pairs", drop("points.0.samples.0"), "14 ratios stand for 15 pairs"),
    ("another median than that of the ratios", put("points.0.samples.7", 3.0), "the median of the samples is"),
    ("milliseconds below zero", put("points.0.dense_ms", -41.2), "dense_ms is -41.2"),
    ("no milliseconds", put("points.0.removed_ms", 0.0), "removed_ms is 0.0"),
    ("noise that is denied", put("points.0.speedup_high", 1.9), "noisy is False"),
    ("a timing twice", lambda record: record["points"].append(record["points"][0]), "a second timing of target 0.25"),
    ("a plan that was not measured", put("points.0.plan_hash", "0" * 16), "times a plan that the quality record lacks"),
    ("a plan of another target", put("points.0.target", 0.125), "times a plan that the quality record lacks"),
    ("other weights", put("provenance.weight_hash", "0" * 64), "provenance.weight_hash is not that of"),
    ("a ratio that is no number", text('"wall_speedup": ', '"wall_speedup": NaN, "note": "", "x": '), "finite"),
]  # fmt: skip
