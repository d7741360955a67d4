"""Who works: processes of this machine, or seats on the nodes of a Ray cluster, as ``run.engine`` says."""

from __future__ import annotations

from collections.abc import Sequence

from headroom.config.params import Params
from headroom.measure.machine import cores
from headroom.pipeline.asking import Pool
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.workers import Workers

EVERY_WORKER = ("headroom.cli", "headroom.pipeline.plans", "headroom.pipeline.bench")  # imports them: once for all


def crew(params: Params, runs: Sequence[ModelRun], workers: int | None) -> Pool:
    """As many workers as were asked for, or as there is room for, with the run's threads each."""
    wanted = params.run
    count = workers or wanted.workers
    families = sorted({run.facts["family"] for run in runs})
    imports = [*EVERY_WORKER, *(f"transformers.models.{family}.modeling_{family}" for family in families)]
    return Workers(count or max(1, cores() // wanted.threads), wanted.threads, imports)
