"""The published figures hold together, and stand beside ours without entering a ranking."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from headroom.site.reference import beside, drawable, published_of, read_published
from headroom.site.series import Series, Stop

FILE = Path(__file__).parents[2] / "results" / "reference" / "published.csv"
HEADER = [
    *("paper", "arxiv", "model", "task", "metric", "component", "scope", "n_total", "n_removed", "sparsity"),
    *("quality", "baseline_quality", "speedup", "source", "verified"),
]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_figure_names_its_source_and_paper(rows):
    assert list(rows[0]) == HEADER and len(rows) == 882
    for row in rows:
        assert row["source"] and row["verified"] in ("yes", "memory"), row
        assert re.fullmatch(r"\d{4}\.\d{5}", row["arxiv"]), row


def test_counts_agree_with_the_printed_share(rows):
    counted = [row for row in rows if row["n_total"] and row["n_removed"] and row["sparsity"]]
    assert len(counted) > 700
    for row in counted:
        assert int(row["n_removed"]) / int(row["n_total"]) == pytest.approx(float(row["sparsity"]), abs=6e-4), row


def test_no_figure_stands_twice_and_percentages_are_percentages(rows):
    keys = [tuple(row[name] for name in HEADER[:10]) for row in rows]
    assert len(keys) == len(set(keys))
    for row in rows:
        if row["metric"] in ("accuracy_pct", "top1_pct", "BLEU", "BLEU_tok", "BLEU_detok"):
            assert 0 <= float(row["quality"]) <= 100, row


def test_a_method_gets_the_rows_of_its_paper_for_its_own_units():
    found = published_of("arXiv:2406.15786", ["mlp"])
    assert found and {row.component for row in found} == {"mlp"} and {row.arxiv for row in found} == {"2406.15786"}
    assert {row.component for row in published_of("arXiv:2406.15786", ["attention", "mlp"])} == {"joint"}
    assert published_of("none", ["head"]) == []


def test_a_printed_change_becomes_a_figure_where_the_dense_one_is_printed():
    worst = next(row for row in read_published() if row.scope == "encoder_self:ablate_L1H6")
    assert (worst.quality, worst.dense) == (pytest.approx(36.05 - 0.53), 36.05)


def test_a_papers_own_controls_are_no_marks_of_the_method():
    marks = drawable(published_of("arXiv:2406.15786", ["attention"]))
    assert marks and not [row for row in marks if "random" in row.scope or "reverse" in row.scope]


def stop(share: float, kept: float) -> Stop:
    return Stop(share, "", {"units": share}, kept, kept, kept, kept, kept, kept, 1)


def test_ours_stands_beside_at_the_same_share():
    row = next(row for row in read_published() if row.share == 0.5 and row.kept is not None)
    ours = Series("m", "m", False, (stop(0, 1), stop(0.4, 0.9), stop(0.6, 0.7)), ())
    found = beside([row], [ours])[0]
    assert (found.low, found.high) == pytest.approx((0.8, 0.8))
    assert found.difference == pytest.approx(0.8 - row.kept)
