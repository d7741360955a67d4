"""The claims stage: every prediction of the papers tested on every model of a profile."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator

from headroom.claims import dynamics, layer_drop, michel, others, pillars, voita
from headroom.claims.claim import Claim
from headroom.claims.evidence import Evidence
from headroom.claims.finding import NotTestable
from headroom.config.params import Params
from headroom.errors import UserError
from headroom.results.asked import Asked
from headroom.results.load import DENSE, Records, load
from headroom.results.rows import ClaimRow
from headroom.results.write import write_table

PAPERS = (michel, voita, pillars, layer_drop, others, dynamics)  # in the order of the table
logger = logging.getLogger(__name__)


def run(params: Params, where: str) -> None:
    """Test all claims and write ``claims.csv`` beside the other tables."""
    names = list(params.methods), list(params.models)
    records = load(params.profile, *names, params.results, params.work / "scores", Asked.of(params))
    rows = list(claim_rows(records, lambda model: evidence(params, where, records, model)))
    write_table(records.folder, "claims", rows)
    counts = Counter(row.verdict for row in rows)
    logger.info("claims: %s", ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


def claims() -> list[Claim]:
    """Every claim, by paper and as its file has them."""
    return [one for paper in PAPERS for one in vars(paper).values() if isinstance(one, Claim)]


def claim_rows(records: Records, evidence: Callable[[str], Evidence]) -> Iterator[ClaimRow]:
    """One row per claim, model and task, claims first; ``evidence`` gives what is known of a model."""
    known = {model: evidence(model) for model in records.models}
    for one in claims():
        for model in records.models:
            for task in records.tasks(model) or [""] if one.per_task else [""]:
                yield row(one, known[model], task)


def row(one: Claim, evidence: Evidence, task: str) -> ClaimRow:
    """The verdict on a claim, or why there is none."""
    names = {"id": one.id, "source": one.source, "prediction": one.prediction, "model": evidence.model, "task": task}
    try:
        found = one.find(evidence, task)
    except NotTestable as why:
        return ClaimRow(**names, verdict="not testable here", reason=str(why))
    figure = found.figure
    ends = {"figure": figure.value, "low": figure.low, "high": figure.high}
    return ClaimRow(**names, verdict=found.verdict, reason=found.reason, **ends)


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
