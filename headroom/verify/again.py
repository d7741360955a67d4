"""Compute published rows again, in a folder of their own: nothing that was stored before is believed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from headroom.config.params import Params
from headroom.errors import UserError
from headroom.measure.devices import resolved
from headroom.measure.machine import machine, note
from headroom.pipeline.provenance import provenance
from headroom.results.archive import place
from headroom.results.places import read_cell, read_speed
from headroom.results.records import CellRecord
from headroom.results.speed_records import SpeedRecord
from headroom.results.verified import Verified, hash_of
from headroom.verify.compare import elsewhere, verdict


def verified(
    params: Params,
    where: str,
    chosen: Mapping[str, Sequence[str]],
    speed: bool = False,
    fresh: bool = False,
    by: str = "",
) -> Iterator[Verified]:
    """A report for every chosen row, model by model: ``chosen`` holds methods by model.

    A model that is prepared here is used, if it is still what ``prepare`` wrote; one that is not is prepared now, and
    with ``fresh`` each is. Plans, trainings and answers are computed anew. A model that cannot be had (a gated one, or
    its data are not here) is reported as what cannot be checked.
    """
    own = Path("work") / "verify" / params.profile
    shutil.rmtree(own, ignore_errors=True)
    for model, methods in chosen.items():
        narrow = params.model_copy(
            update={
                "work": own,
                "results": own / "results",
                "models": {model: params.spec(model)},
                "methods": {method: params.entry(method) for method in methods},
            }
        )
        published = {
            method: read_cell(params.quality_record(model, method), params.profile, model, method) for method in methods
        }
        try:
            found = computed(params, narrow, where, model, fresh)
            timed = timings(params, narrow, where, model) if speed else {}
        except UserError as error:
            yield from (report(record, "cannot be checked", str(error), by) for record in published.values())
            continue
        for method, record in published.items():
            yield compared(record, found[method], timed.get(method, ""), by)


def computed(params: Params, narrow: Params, where: str, model: str, fresh: bool) -> dict[str, CellRecord]:
    """The records of a model, new. Raises ``UserError`` where it cannot be had."""
    from headroom.pipeline.measure import run
    from headroom.pipeline.prepare import prepare

    folder = (narrow if fresh else params).model_folder(model)
    prepare(model, params.spec(model), folder, params.data, params.run.threads, resolved(params.run.device))
    lend(folder, narrow.model_folder(model))
    return {record.method: record for record in run(narrow, where, model)}


def lend(folder: Path, place: Path) -> None:
    """Put a prepared model at a second place, without a copy where the platform has links."""
    if folder == place:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(folder.resolve(), target_is_directory=True)
    except OSError:
        shutil.copytree(folder, place)


def timings(params: Params, narrow: Params, where: str, model: str) -> dict[str, str]:
    """What came of timing the rows of a model again, by method: ratios against the published intervals."""
    from headroom.pipeline.timing import run

    here = note(narrow.results, params.run.threads, resolved(params.run.device))
    found = {}
    for record in run(narrow, where, model, ready=lambda: None):
        path = place(params.results, here.fingerprint, model, record.method)
        found[record.method] = f"No speed of it was published from this machine ({here.fingerprint})."
        if path.is_file():
            found[record.method] = against(
                read_speed(path, params.profile, here.fingerprint, model, record.method), record
            )
    return found


def against(published: SpeedRecord, again: SpeedRecord) -> str:
    """How many ratios agree: two intervals of 95 % that have nothing in common do not."""
    ours = {(p.work, p.batch, p.length, p.plan_hash): p for p in again.points}
    both = [(p, ours[key]) for p in published.points if (key := (p.work, p.batch, p.length, p.plan_hash)) in ours]
    apart = [(p, q) for p, q in both if q.speedup_low > p.speedup_high or q.speedup_high < p.speedup_low]
    said = f"{len(both) - len(apart)} of {len(both)} ratios agree with their published intervals"
    if not apart:
        return f"{said}."
    then, now = apart[0]
    return f"{said}; {then.work} at target {then.target:g} is {now.speedup:.3f} here, {then.speedup:.3f} published."


def compared(published: CellRecord, again: CellRecord, speed: str, by: str) -> Verified:
    """The report on one row."""
    found, reason = verdict(published, again)
    where = elsewhere(published, again)
    return report(published, found, reason, by, points=len(again.points), elsewhere=where, speed=speed)


def report(published: CellRecord, found: str, reason: str, by: str, **more: object) -> Verified:
    """Who verified what, where and when."""
    threads = published.provenance.threads
    here = machine(threads, published.provenance.device or "cpu")
    now = provenance("", here.fingerprint, threads, "")
    return Verified(
        profile=published.profile,
        model=published.model,
        method=published.method,
        verdict=found,
        reason=reason,
        record=hash_of(published),
        machine=here.fingerprint,
        system=here.system,
        threads=threads,
        versions=now.versions,
        commit=now.commit,
        dirty=now.dirty,
        date=now.date,
        by=by,
        **more,
    )
