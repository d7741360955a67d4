"""The stage ``collect``: the records of the listed cells as tables; speed records are kept per machine."""

from __future__ import annotations

from headroom.config.params import Params
from headroom.results.archive import archive
from headroom.results.asked import Asked
from headroom.results.collecting import collect


def run(params: Params) -> None:
    """Write all tables of the profile; a record that cannot be believed is a row that says so."""
    for model in params.models:
        for method in params.methods:
            here = params.speed_record(model, method)
            if here.exists():
                archive(here, params.results, params.profile, model, method)
    names = list(params.methods), list(params.models)
    collect(params.profile, *names, params.results, params.counts, Asked.of(params))
