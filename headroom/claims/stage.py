"""The claims stage: every prediction of the papers tested on every model of a profile."""

from __future__ import annotations

import logging
from collections import Counter

from headroom.claims.evidence import Evidence
from headroom.claims.rows import claim_rows
from headroom.config.params import Params
from headroom.errors import UserError
from headroom.results.load import DENSE, Records, load
from headroom.results.write import write_table

logger = logging.getLogger(__name__)


def run(params: Params, where: str) -> None:
    """Test all claims and write ``claims.csv`` beside the other tables."""
    records = load(params.profile, list(params.methods), list(params.models), params.results, params.work / "scores")
    rows = list(claim_rows(records, lambda model: evidence(params, where, records, model)))
    write_table(records.folder, "claims", rows)
    counts = Counter(row.verdict for row in rows)
    logger.info("claims: %s", ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


def evidence(params: Params, where: str, records: Records, model: str) -> Evidence:
    """The records of a model, and the model itself where it is prepared and scored."""
    dense = records.cells.get((model, DENSE))
    if dense is None or not dense.tasks:
        return Evidence(model, records, no_probe="the dense model has no scores.")
    if not (params.model_folder(model) / "prepare.json").is_file():
        return Evidence(model, records, no_probe=f"{params.model_folder(model)} does not exist; `dvc repro` makes it.")
    from headroom.claims.probe import Probe
    from headroom.pipeline.cell import Cell

    try:
        return Evidence(model, records, Probe(Cell(params, where, DENSE, model), dense.tasks))
    except UserError as error:
        return Evidence(model, records, no_probe=str(error))
