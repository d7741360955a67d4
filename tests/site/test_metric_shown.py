"""A translation scored in chrF++ is collected, ranked and drawn as one scored in BLEU is, by its own name and unit."""

from __future__ import annotations

from dataclasses import replace

import fixtures

from headroom.results.collecting import collect
from headroom.results.records import CellRecord
from headroom.site import build
from headroom.verify.compare import verdict

MODEL, METHODS = "mt-constructed", ["dense", "random-heads", "michel-greedy"]
SIGNATURE = "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0, greedy decoding"


def signed(record: CellRecord) -> CellRecord:
    facts = {name: task.model_copy(update={"signature": SIGNATURE}) for name, task in record.tasks.items()}
    return record.model_copy(update={"tasks": facts})


def test_a_row_in_chrf_is_collected_verified_and_drawn(tmp_path, monkeypatch):
    model = replace(fixtures.MODELS[MODEL], tasks={"pair": fixtures.Task(81.2, 12.0, "chrf++", "chrF++")})
    monkeypatch.setitem(fixtures.MODELS, MODEL, model)
    cells = {(MODEL, method): signed(fixtures.cell("quick", MODEL, method)) for method in METHODS}
    folder = fixtures.write_profile(tmp_path / "results", cells=cells)
    collect("quick", METHODS, [MODEL], tmp_path / "results")
    build("quick", tmp_path / "results", tmp_path / "site")
    rows = {row["method"]: row for row in fixtures.read_csv(folder / "leaderboard.csv")}
    assert rows["michel-greedy"]["status"] == "ok" and rows["michel-greedy"]["rank"] == "1"
    assert {row["metric"] for row in fixtures.read_csv(folder / "quality.csv")} == {"chrf++"}
    page = (tmp_path / "site" / "cell" / MODEL / "pair.html").read_text(encoding="utf-8")
    assert "chrf++, higher is better" in page and "81.2 chrF++" in page and SIGNATURE in page
    assert "81.2 chrF++" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    for record in cells.values():
        assert verdict(record, record) == ("same to the bit", "")
