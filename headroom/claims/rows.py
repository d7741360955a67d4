"""Every claim on every model and task of a profile, as rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headroom.claims.claim import Claim, NotTestable, claims
from headroom.claims.evidence import Evidence
from headroom.results.load import Records
from headroom.results.rows import ClaimRow


def claim_rows(records: Records, evidence: Callable[[str], Evidence]) -> Iterator[ClaimRow]:
    """One row per claim, model and task, claims first; ``evidence`` gives what is known of a model."""
    known = {model: evidence(model) for model in records.models}
    for one in claims():
        for model in records.models:
            for task in records.tasks(model) or [""] if one.per_task else [""]:
                yield row(one, known[model], task)


def row(one: Claim, evidence: Evidence, task: str) -> ClaimRow:
    """The verdict of a claim, or why there is none."""
    names = {"id": one.id, "source": one.source, "prediction": one.prediction, "model": evidence.model, "task": task}
    try:
        found = one.find(evidence, task)
    except NotTestable as why:
        return ClaimRow(**names, verdict="not testable here", reason=str(why))
    figure = found.figure
    verdict = "holds" if found.holds else "does not hold"
    return ClaimRow(
        **names, verdict=verdict, figure=figure.value, low=figure.low, high=figure.high, reason=found.reason
    )
