"""Join the records of the listed cells into tables; speed records are kept per machine."""

from __future__ import annotations

from headroom.config.params import Params
from headroom.results import collect
from headroom.results.records import SpeedRecord, read, write


def run(params: Params) -> None:
    methods, models = list(params.methods), list(params.models)
    archive_speed(params, methods, models)
    collect(params.profile, methods, models, params.results, params.work / "scores")


def archive_speed(params: Params, methods: list[str], models: list[str]) -> None:
    """The stage knows this machine only; the tables show every machine that was ever measured."""
    for model in models:
        for method in methods:
            here = params.speed_record(model, method)
            if here.is_file():
                record = read(here, SpeedRecord)
                write(params.results / "speed" / record.machine / model / f"{method}.json", record)
