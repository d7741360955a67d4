"""The examples of docs/prune.md are understood, those with one's own files run, and the options that it names exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from small_models import LABELLED, PAIRS, TEXTS, pair_of

from headroom.cli import app, main
from headroom.config.registry import method_files
from headroom.config.tasks import load_task
from headroom.pruning.budgets import budget_of
from headroom.pruning.trials import Timing
from headroom.shipping import Loaded

PAGE = (Path(__file__).parents[2] / "docs/prune.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PRUNE = typer.main.get_command(app).commands["prune"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_example_is_understood(line):
    words = shlex.split(line)
    assert words[:2] == ["headroom", "prune"]
    given = PRUNE.make_context("prune", words[2:]).params
    names = ("max_loss", "min_speed", "max_parameters", "max_memory", "max_kv", "target", "confidence")
    budget_of(*(given[name] for name in names))
    assert given["method"] in {"auto", *method_files()}
    assert given["task"] is None or load_task(given["task"])


def test_every_option_on_the_page_is_there():
    known = {name for option in PRUNE.params for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= known


DENSE = {"text": "llama", "classification": "bert", "translation": "m2m_100"}
OWN = [line for line in COMMANDS if "--data" in line]


@pytest.mark.parametrize("line", OWN, ids=[line.partition("--data ")[2] for line in OWN])
def test_examples_with_files_of_ones_own_run(line, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: Timing(1.1, 1.0, 1.2, 2.0, 1.8))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("\n".join(TEXTS))
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *(f"{text},{label}" for text, label in LABELLED)]))
    pairs = [json.dumps({"en": source, "de": target}) for source, target in PAIRS]
    (tmp_path / "pairs.jsonl").write_text("\n".join(pairs))
    kind = next((kind for kind in DENSE if f"--kind {kind}" in line), "text")
    for part in pair_of(DENSE[kind]):
        part.save_pretrained(tmp_path / "DIR")
    words = re.sub(r"--max-loss \S+", "--target 0.5", line)  # a toy of random weights has no quality to lose
    monkeypatch.setattr("sys.argv", [*shlex.split(words), "--examples", "8", "--threads", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.out + said.err
    assert (tmp_path / "smaller" / "README.md").is_file()
