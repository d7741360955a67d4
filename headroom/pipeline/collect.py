"""The stage ``collect``: the records of the listed cells as tables; speed records are kept per machine."""

from __future__ import annotations

from headroom.config.params import Params
from headroom.results.collecting import collect
from headroom.results.records import SpeedRecord, read, write


def run(params: Params) -> None:
    """Write all tables of the profile. Raises ``UserError`` for a record that does not validate."""
    archive_speed(params)
    collect(params.profile, list(params.methods), list(params.models), params.results, params.work / "scores")


def archive_speed(params: Params) -> None:
    """The stage knows this machine only; the tables show every machine that was ever measured."""
    for model in params.models:
        for method in params.methods:
            here = params.speed_record(model, method)
            if here.is_file():
                record = read(here, SpeedRecord)
                write(params.results / "speed" / record.machine / model / f"{method}.json", record)
