"""The claims stage: every prediction of the papers tested on every model of a profile."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from headroom.claims import dynamics, layer_drop, michel, others, pillars, voita
from headroom.claims.claim import Claim
from headroom.claims.evidence import Evidence
from headroom.claims.finding import NotAtHand, NotTestable
from headroom.config.params import Params
from headroom.errors import UserError
from headroom.results.asked import Asked
from headroom.results.load import DENSE, Records, load
from headroom.results.published import earlier
from headroom.results.rows import ClaimRow
from headroom.results.write import text, write_table

PAPERS = (michel, voita, pillars, layer_drop, others, dynamics)  # in the order of the table
logger = logging.getLogger(__name__)

Key = tuple[str, str, str, str]  # see ``key``
NOTHING: Mapping[Key, ClaimRow] = MappingProxyType({})


def run(params: Params, where: str) -> None:
    """Test all claims and write ``claims.csv`` beside the other tables."""
    names = list(params.methods), list(params.models)
    records = load(params.profile, *names, params.results, params.counts, Asked.of(params))
    before = {key(row): row for row in earlier(records.folder, "claims") if row.figure is not None}
    rows = list(claim_rows(records, lambda model: evidence(params, where, records, model), before))
    write_table(records.folder, "claims", rows)
    counts = Counter(row.verdict for row in rows)
    logger.info("claims: %s", ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


def claims() -> list[Claim]:
    """Every claim, by paper and as its file has them."""
    return [one for paper in PAPERS for one in vars(paper).values() if isinstance(one, Claim)]


def claim_rows(
    records: Records, evidence: Callable[[str], Evidence], before: Mapping[Key, ClaimRow] = NOTHING
) -> Iterator[ClaimRow]:
    """One row per claim, model and task, claims first; ``evidence`` gives what is known of a model.

    Of a model that lies elsewhere, or its counts, ``before`` says what was found there.
    """
    known = {model: evidence(model) for model in records.models}
    for one in claims():
        for model in records.models:
            for task in records.tasks(model) or [""] if one.per_task else [""]:
                yield row(one, known[model], task, before)


def row(one: Claim, evidence: Evidence, task: str, before: Mapping[Key, ClaimRow] = NOTHING) -> ClaimRow:
    """The verdict on a claim, or why there is none."""
    names = {"id": one.id, "source": one.source, "prediction": one.prediction, "model": evidence.model, "task": task}
    try:
        found = one.find(evidence, task)
    except NotTestable as why:
        here = ClaimRow(**names, verdict="not testable here", reason=str(why))
        return before.get(key(here), here) if isinstance(why, NotAtHand) else here
    figure = found.figure
    ends = {"figure": figure.value, "low": figure.low, "high": figure.high}
    here = ClaimRow(**names, verdict=found.verdict, reason=found.reason, **ends)
    there = before.get(key(here), here)
    same = text(ClaimRow, "figure", there.figure) == text(ClaimRow, "figure", here.figure)
    return there if same and not evidence.counted else here


def key(row: ClaimRow) -> Key:
    """By what a finding is found again: another prediction is another claim."""
    return row.id, row.prediction, row.model, row.task


def evidence(params: Params, where: str, records: Records, model: str) -> Evidence:
    """The records of a model, and the model itself where it is prepared and scored."""
    dense = records.cells.get((model, DENSE))
    if dense is None or not dense.tasks:
        return Evidence(model, records, no_probe="the dense model has no scores.")
    from headroom.claims.probe import Probe
    from headroom.pipeline.model_run import ModelRun

    try:
        run = ModelRun(params, where, model)
        run.refuse_changes()
        return Evidence(model, records, Probe(run, dense.tasks))
    except UserError as error:
        return Evidence(model, records, no_probe=str(error))
