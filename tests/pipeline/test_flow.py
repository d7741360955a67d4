"""All stages of a profile, one after the other, from a prepared model to its pages."""

from __future__ import annotations

from one_process import in_one_process

from headroom.measure.machine import machine
from headroom.results.files import write
from headroom.results.speed_records import Ceilings


def test_the_stages_lead_from_params_to_pages(world, headroom):
    known = Ceilings(macs_per_second=1.0, bytes_per_second=4.0)  # they take seconds to measure
    here = machine(1).model_copy(update={"ceilings": {"float32": known, "bfloat16": known}})
    write(world.folder / "results/test/machines" / f"{here.fingerprint}.json", here)
    world.method("my-idea", "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))")
    for words in (["machine"], ["prepare", "bert-toy"], ["measure", "bert-toy"], ["time", "bert-toy"]):
        with in_one_process():
            code, said = headroom("stage", *words)
        assert code == 0, said
    for stage in ("collect", "claims", "site"):
        code, said = headroom("stage", stage)
        assert code == 0, said
    results = world.folder / "results/test"
    assert "my-idea" in (results / "quality.csv").read_text()
    assert "my-idea" in (results / "throughput.csv").read_text()
    assert "my-idea" in (results / "site/index.html").read_text()
