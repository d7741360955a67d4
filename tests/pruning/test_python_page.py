"""The examples of docs/python.md run, one after the other, on a model that is made here."""

from __future__ import annotations

import re
from pathlib import Path

from small_models import LABELLED, pair_of

from headroom.pruning.trials import Timing
from headroom.shipping import Loaded

PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: Timing(1.1, 1.0, 1.2, 2.0, 1.8))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))
    for part in pair_of("bert"):
        part.save_pretrained(tmp_path / "dense")
    names = {"DIR": tmp_path / "dense", "OUT": tmp_path / "small", "EXAMPLES": LABELLED[:40]}
    assert len(BLOCKS) == 2
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 - our own page
    said = capsys.readouterr().out
    assert "michel-greedy: 6 of 12 units removed" in said and "head:encoder.self." in said and "code " in said
    assert (tmp_path / "small" / "README.md").is_file()
