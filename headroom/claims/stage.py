"""The claims stage: every prediction of the papers tested on every model of a profile."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from headroom.claims import dynamics, layer_drop, michel, others, pillars, voita
from headroom.claims.claim import Claim
from headroom.claims.evidence import Evidence
from headroom.claims.finding import NotAtHand, NotTestable
from headroom.config.params import Params
from headroom.errors import UserError
from headroom.results.asked import Asked
from headroom.results.load import DENSE, Records, load
from headroom.results.rows import ClaimRow
from headroom.results.write import read_table, text, write_table

PAPERS = (michel, voita, pillars, layer_drop, others, dynamics)  # in the order of the table
logger = logging.getLogger(__name__)


def run(params: Params, where: str) -> None:
    """Test all claims and write ``claims.csv`` beside the other tables."""
    names = list(params.methods), list(params.models)
    records = load(params.profile, *names, params.results, params.results / "scores", Asked.of(params))
    published = Earlier.of(records.folder)
    rows = list(claim_rows(records, lambda model: evidence(params, where, records, model), published))
    write_table(records.folder, "claims", rows)
    counts = Counter(row.verdict for row in rows)
    logger.info("claims: %s", ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


def claims() -> list[Claim]:
    """Every claim, by paper and as its file has them."""
    return [one for paper in PAPERS for one in vars(paper).values() if isinstance(one, Claim)]


def claim_rows(
    records: Records, evidence: Callable[[str], Evidence], published: Earlier | None = None
) -> Iterator[ClaimRow]:
    """One row per claim, model and task, claims first; ``evidence`` gives what is known of a model.

    Of a model that lies elsewhere, or its counts, ``published`` says what was found there.
    """
    known = {model: evidence(model) for model in records.models}
    for one in claims():
        for model in records.models:
            for task in records.tasks(model) or [""] if one.per_task else [""]:
                yield row(one, known[model], task, published)


class Earlier(dict[tuple[str, str, str], ClaimRow]):
    """Findings as an earlier run left them, by claim, model and task."""

    @classmethod
    def of(cls, folder: Path) -> Earlier:
        """Those of a results folder; a table that is missing or damaged is as good as none."""
        with suppress(UserError, OSError):
            return cls({(row.id, row.model, row.task): row for row in read_table(folder, "claims")})
        return cls()

    def found(self, row: ClaimRow) -> ClaimRow | None:
        """What was found of the same prediction, where anything was."""
        known = self.get((row.id, row.model, row.task))
        return known if known and known.figure is not None and known.prediction == row.prediction else None


def row(one: Claim, evidence: Evidence, task: str, published: Earlier | None = None) -> ClaimRow:
    """The verdict on a claim, or why there is none."""
    published = Earlier() if published is None else published
    names = {"id": one.id, "source": one.source, "prediction": one.prediction, "model": evidence.model, "task": task}
    try:
        found = one.find(evidence, task)
    except NotTestable as why:
        here = ClaimRow(**names, verdict="not testable here", reason=str(why))
        return published.found(here) or here if isinstance(why, NotAtHand) else here
    figure = found.figure
    ends = {"figure": figure.value, "low": figure.low, "high": figure.high}
    here = ClaimRow(**names, verdict=found.verdict, reason=found.reason, **ends)
    there = None if evidence.counted else published.found(here)
    return there if there and shown(there) == shown(here) else here


def shown(row: ClaimRow) -> str:
    """Its figure, with the digits of the table."""
    return text(ClaimRow, "figure", row.figure)


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
