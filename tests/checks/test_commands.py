"""``headroom check`` and ``headroom new-method``, in a project of their own."""

from __future__ import annotations

import csv
import difflib
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from headroom.checks.listing import FAMILIES, checks_of, truth_checks_of
from headroom.checks.words import DISTANCE, FIRST, Result, at, in_words
from headroom.cli import main
from headroom.config import project
from headroom.config.registry import load_method
from headroom.terminal.checking import checks_table, figures_table, reasons

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The smoke profile as a project's only one, with two methods."""
    shutil.copy(REPOSITORY / "profiles" / "smoke" / "params.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "tasks", tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "methods", tmp_path / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    project.root.cache_clear()
    yield tmp_path
    project.root.cache_clear()


@pytest.fixture
def headroom(folder, monkeypatch, capsys):
    """``headroom WORDS`` in this process: the exit code, and what it printed as one line."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["headroom", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, " ".join((said.out + said.err).split())

    return call


def test_a_new_method_passes_every_check_unedited(folder, headroom):
    before = (folder / "params.yaml").read_text()
    code, said = headroom("new-method", "my-idea")
    assert code == 0 and "wrote methods/my_idea.py" in said and "headroom check my-idea" in said
    changed = difflib.unified_diff(before.splitlines(), (folder / "params.yaml").read_text().splitlines(), n=0)
    assert [line for line in changed if line[:1] in "+-" and line[:3] not in ("+++", "---")] == ["+  my-idea: {}"]
    assert headroom("check", "params") == (0, "params.yaml: in order.")
    code, said = headroom("check", "my-idea", "--family", "bert")
    assert code == 0 and "fails" not in said and "masked and removed agree bert passes" in said


def test_a_new_method_is_clean_code(folder, headroom):
    from headroom.checks.new_method import method_text

    assert method_text("my-2nd-idea").count("My2NdIdea") == 1
    compile(method_text("my-2nd-idea"), "my_2nd_idea.py", "exec")
    assert max(map(len, method_text("a-name-that-is-rather-long").splitlines())) <= 120


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("random-heads", "methods/random_heads.py is there already. Edit it, or choose another name"),
        ("My Idea!", "cannot be a method's name: lower-case letters, digits and single dashes, a letter first"),
        ("My Idea!", "Try 'my-idea'."),
        ("../idea", "Try 'idea'."),
        ("params", "cannot be a method's name"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(folder, headroom, name, words):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, said = headroom("new-method", name)
    assert code == 2 and words in said, said
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_an_entry_of_that_name_is_refused(folder, headroom):
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(
        text.replace("methods:", "methods:\n  other: {method: random-heads, remove: mlp}", 1)
    )
    code, said = headroom("new-method", "other")
    assert code == 2 and "params.yaml: methods.other is an entry already" in said, said


def test_check_answers_a_misspelt_method_and_family_with_the_near_match(headroom):
    assert "no method 'random-head'. Did you mean 'random-heads'?" in headroom("check", "random-head")[1]
    assert "Did you mean 'bert'?" in headroom("check", "random-heads", "--family", "brt")[1]
    assert headroom("check", "--figures")[1].startswith("headroom check: name a method, or say --all.")


def test_check_exits_with_one_when_a_check_fails_and_names_the_reason(folder, headroom):
    file = folder / "methods" / "random_heads.py"
    file.write_text(file.read_text().replace('paper = "none"', 'paper = "somewhere"'))
    code, said = headroom("check", "random-heads", "--family", "bert")
    assert code == 1 and "paper is 'somewhere'" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("import sys; sys.exit(0)", "The method SystemExit: 0", marks=pytest.mark.slow),
        ("import os; os._exit(0)", "The method left its process with exit code 0, in the middle of its work."),
        pytest.param(
            "import os; os.kill(os.getpid(), 11)",
            "The method was killed by signal 11 (SIGSEGV)",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_method_that_ends_its_process_has_failed_its_checks(folder, headroom, line, words):
    file = folder / "methods" / "random_heads.py"
    file.write_text(f"{file.read_text()}\n{line}\n")
    code, said = headroom("check", "random-heads", "by-depth", "--family", "bert")
    assert code == 1 and words in said, said
    assert said.count("fails") == 2, "its table and its reason; the other method is checked all the same"


def test_the_report_of_every_check_on_every_model_fits_80_columns():
    """With the longest verdict there is, and a check that ends in two ways."""
    method = load_method("michel-greedy", None, "test")
    names = [check.__name__ for check in (*checks_of(method), *truth_checks_of(method))]
    results = [Result("michel-greedy", family, name, "expected failure") for name in names for family in FAMILIES]
    results += [Result("michel-greedy", family, names[0], "fails", "It does not. " * 9) for family in FAMILIES[:2]]
    figures = (DISTANCE, at(0.25), *FIRST.values())
    for figure in figures:
        results.append(Result("michel-greedy", "m2m_100", figure, "passes", "", 0.5, 0.25, 0.75))
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(checks_table("michel-greedy", results), *reasons(results), figures_table(results), sep="\n")
    lines = captured.get().splitlines()
    cells = [re.split("  +", line.strip()) for line in lines]
    assert max(map(len, lines)) <= 80
    assert all([in_words(name), "all", "expected failure"] in cells for name in names)
    assert [in_words(names[0]), "bert, llama", "fails"] in cells
    assert all([figure, "m2m_100", "0.50", "0.25 to 0.75"] in cells for figure in figures)


def test_rows_for_the_site_have_every_column_and_a_known_verdict(folder, headroom):
    code, _ = headroom("check", "magnitude-heads", "--family", "llama", "--csv", "checks.csv")
    assert code == 0
    with (folder / "checks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "model", "check", "figure", "low", "high", "verdict", "reason"]
    assert {row["verdict"] for row in rows} <= {"passes", "fails", "expected failure", "not applicable"}
    figures = {row["check"]: row for row in rows if row["figure"]}
    assert float(figures["dead units among the first removed"]["figure"]) == 1.0
    distance = figures["distance to the oracle"]
    assert float(distance["low"]) <= float(distance["figure"]) <= float(distance["high"])
