"""Who works: processes of this machine, or seats on the nodes of a Ray cluster, as ``run.engine`` says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from headroom.config.params import Params, Run
from headroom.measure.devices import kind
from headroom.measure.machine import cores
from headroom.pipeline.asking import Pool
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.workers import Workers

EVERY_WORKER = ("headroom.cli", "headroom.pipeline.plans", "headroom.pipeline.bench")  # imports them: once for all


@contextmanager
def engine(params: Params) -> Iterator[Params]:
    """The params as whoever works will have them.

    In a cluster its nodes decide what ``device: auto`` is, and local data lies where the environment says: that names
    another folder on a node without this disk.
    """
    if params.run.engine == "processes":
        yield params
        return
    from headroom.pipeline.joining import joined
    from headroom.pipeline.room import settled

    if params.data:
        os.environ["HEADROOM_DATA"] = str(params.data.absolute())
    with joined() as ray:
        device = settled(params.run.device, ray.nodes())
        run = params.run.model_copy(update={"device": device})
        yield params.model_copy(update={"run": run, "data": None})


def crew(runs: Sequence[ModelRun], workers: int | None) -> Pool:
    """As many workers as were asked for, or as there is room for, with the run's threads each. Inside ``engine``."""
    params, wanted = runs[0].params, runs[0].params.run
    families = sorted({run.facts["family"] for run in runs})
    imports = [*EVERY_WORKER, *(f"transformers.models.{family}.modeling_{family}" for family in families)]
    if wanted.engine == "processes":
        return Workers(processes(wanted, runs[0].device, workers), wanted.threads, imports)
    from headroom.pipeline.cluster import Seats
    from headroom.pipeline.joining import library
    from headroom.pipeline.room import room

    count, largest = workers or wanted.workers, max(weight(run) for run in runs)
    return Seats(room(library(), count, wanted.threads, wanted.device, largest), imports, params.work)


def processes(wanted: Run, device: str, asked: int | None = None) -> int:
    """How many measure at once on this machine: as the cores allow; a card has one model's weights on it.

    ``asked`` comes before what the params say, and both before that.
    """
    fitting = max(1, cores() // wanted.threads) if kind(device) == "cpu" else 1
    return asked or wanted.workers or fitting


def weight(run: ModelRun) -> int:
    """Bytes that the weights take where they are measured."""
    return run.facts["parameters"] * (4 if run.placement.dtype in (None, "float32") else 2)
