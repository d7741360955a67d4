"""The terminal says what the pages say: the same ranks, the same areas, escaped for where they go."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from headroom.errors import UserError
from headroom.results.resamples import arrays
from headroom.site.book import read_book
from headroom.site.numbers import MINUS
from headroom.site.panels import cell_view
from headroom.terminal import exporting, pairing, showing


def run(*words: str, width: int = 220) -> str:
    from headroom.cli import app

    done = CliRunner(env={"COLUMNS": str(width), "TERM": "dumb"}).invoke(app, list(words))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def panels(results, model="bert-pydocs"):
    book = read_book("quick", results)
    return [panel for pair in book.cells if pair[0] == model for panel in cell_view(book, *pair).panels]


def test_show_prints_every_panel_with_ranks_and_sparklines(project):
    said = run("show")
    assert said.count("attention units, as is") == 3 and said.count("other units") == 3
    line = next(line for line in said.splitlines() if "michel-greedy" in line)
    assert "█" in line and "above" in line


def test_show_says_why_a_row_is_not_ranked_and_reads_no_markup_in_it(project):
    assert "magnitude-heads, failed: [bold]No.[/]" in run("show", "--model", "lm-pydocs", "--task", "bits")


def test_show_keeps_to_a_model_task_and_track(project):
    said = run("show", "--model", "lm-pydocs", "--task", "cloze", "--track", "gradient")
    assert "bits" not in said and "bert" not in said and "layer-similarity" not in said and "michel-greedy" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "--track", "gradiant"), "there is no track 'gradiant' in the tables. Did you mean 'gradient'?"),
        (("show", "--model", "bert-pydoc"), "Did you mean 'bert-pydocs'?"),
        (("show", "--setting", "as-is"), "Did you mean 'as is'?"),
        (("export", "--csv", "--task", "cloz"), "there is no task 'cloz' in the tables."),
        (("compare", "random-heads", "michel-gredy"), "Did you mean 'michel-greedy'?"),
    ],
)
def test_a_filter_that_matches_nothing_is_answered_with_the_near_match(project, words, message):
    with pytest.raises(UserError) as caught:
        run(*words)
    assert message in str(caught.value)


@pytest.mark.parametrize("table", ["leaderboard", "quality", "curves", "throughput", "floors", "pairs"])
@pytest.mark.parametrize("damage", ["cut", "empty", "bytes", "header"])
def test_a_damaged_table_is_named_with_the_way_to_make_it_again(results, tmp_path, table, damage):
    shutil.copytree(results / "quick", tmp_path / "quick")
    path = tmp_path / "quick" / f"{table}.csv"
    whole = path.read_bytes() if path.is_file() else b"model,method\na,b\n"
    path.write_bytes(
        {"cut": whole + b"a,b", "empty": b"", "bytes": b"\xff\xfe" + whole, "header": b"a" + whole}[damage]
    )
    if damage == "header" and whole.count(b"\n") < 2:
        pytest.skip("a table without rows")
    with pytest.raises(UserError) as caught:
        read_book("quick", tmp_path)
    assert str(path) in str(caught.value) and "dvc repro" in str(caught.value)


def test_an_empty_file_of_scores_is_named(tmp_path):
    path = tmp_path / "bert-pydocs" / "dense.npz"
    path.parent.mkdir()
    for content in (b"", b"PK\x03\x04 cut", b"no scores"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"dense.npz: holds no scores .* Delete it and run `dvc repro measure`"):
            arrays(tmp_path, "bert-pydocs", "dense")


@pytest.mark.parametrize(("width", "headings"), [(60, 4), (80, 8), (120, 13)])
def test_a_narrower_terminal_gets_fewer_columns_and_whole_words(project, methods, width, headings):
    lines = run("show", "--model", "bert-pydocs", width=width).splitlines()
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    top, bottom = lines[1], lines[2]
    assert len(bottom.split()) - bottom.count("%") >= headings and bottom.split()[:2] == ["rank", "method"]
    assert top.split().count("lost") + top.split().count("go") == bottom.count("%")
    assert {row.split()[1] for row in lines[3:6]} <= {*methods, "deepest-first"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_compare_keeps_whole_words_at_every_width(project, width):
    lines = run("compare", "michel-greedy", "layer-similarity", width=width).splitlines()
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    assert sum(line.split()[:1] in (["bert-pydocs"], ["lm-pydocs"]) for line in lines) == 3
    said = " ".join(" ".join(lines).split())
    assert "95 % interval" in said and said.count("% of units gone:") == 3
    if width >= 80:
        assert lines[1].split() == ["model", "task", "setting", "A", MINUS, "B", "95", "%", "interval"]


def test_methods_that_were_refused_alike_share_a_line(results):
    row = panels(results)[0].rows[0]
    alike = [
        row.model_copy(update={"method": name, "ranked": False, "status": "failed", "reason": "No."}) for name in "ab"
    ]
    assert showing.unranked([row, *alike]) == ["a, b, failed: No."]


@pytest.mark.parametrize(("values", "shown"), [([1, 0.5, 0], "█▅▁"), ([1.2, -3], "█▁"), ([], "")])
def test_a_sparkline_runs_between_chance_and_dense(values, shown):
    assert showing.sparkline(values) == shown


def test_a_wrong_name_is_answered_with_the_near_one(project):
    with pytest.raises(UserError, match="bert-pydocs"):
        run("show", "--model", "bert-pydoc")
    with pytest.raises(UserError, match="michel-greedy"):
        run("compare", "michel-gredy", "magnitude-heads")


def test_compare_gives_difference_interval_and_crossing(project):
    said = " ".join(run("compare", "michel-greedy", "magnitude-heads", "--model", "bert-pydocs").split())
    assert "A keeps more" in said and "95 % interval" in said


def test_two_methods_that_never_meet_are_refused(project):
    with pytest.raises(UserError, match="no curve on the same"):
        run("compare", "michel-greedy", "layer-similarity-mlp")


def test_the_difference_turns_its_sign_with_its_sides(results):
    rows = {row.method: row for row in panels(results)[0].rows}
    there = pairing.difference(rows["michel-greedy"], rows["random-heads"])
    back = pairing.difference(rows["random-heads"], rows["michel-greedy"])
    assert there == pytest.approx((-back[0], -back[2], -back[1]))


def test_a_pair_of_the_tables_is_taken_from_either_side(results):
    book = read_book("quick", results)
    row = {"setting": "as is", "method": "michel-greedy", "other": "random-heads"}
    ends = {"difference": "0.3", "difference_low": "0.2", "difference_high": "0.5"}
    book.pairs["bert-pydocs", "package"] = [row | ends]
    panel = panels(results)[0]
    assert pairing.paired(book, panel, "michel-greedy", "random-heads") == (0.3, 0.2, 0.5)
    assert pairing.paired(book, panel, "random-heads", "michel-greedy") == (-0.3, -0.5, -0.2)
    assert pairing.paired(book, panel, "random-heads", "magnitude-heads") is None


def test_curves_cross_where_the_straight_pieces_do(results):
    series = panels(results)[0].series
    assert pairing.crossings(series["michel-greedy"], series["michel-greedy"]) == []
    for share in pairing.crossings(series["michel-greedy"], series["layer-similarity"]):
        kept = [showing.kept_at(series[name], share) for name in ("michel-greedy", "layer-similarity")]
        assert kept[0] == pytest.approx(kept[1], abs=1e-9)


def test_csv_is_the_leaderboard_table_to_the_digit(project, results):
    with (results / "quick" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        wanted = {(r["model"], r["task"], r["method"]): r for r in csv.DictReader(file) if r["method"] != "dense"}
    found = list(csv.DictReader(io.StringIO(run("export", "--csv"))))
    assert {(r["model"], r["task"], r["method"]): r for r in found} == wanted


def test_markdown_and_latex_hold_a_line_for_every_ranked_row(results):
    chosen = panels(results)
    ranked = sum(row.ranked for panel in chosen for row in panel.rows)
    assert len(exporting.as_markdown(chosen).splitlines()) == ranked + 2
    latex = exporting.as_latex(chosen)
    assert latex.count(r"\\") == ranked + 1 and r"\begin{tabular}" in latex


def test_latex_and_markdown_escape_what_would_break_them(results):
    panel = panels(results)[0]
    evil = panel.rows[0].model_copy(update={"title": r"50% of_A & {B} | \x"})
    panel.rows[0] = evil
    assert r"50\% of\_A \& \{B\} | \textbackslash{}x" in exporting.as_latex([panel])
    assert r"& {B} \| \x |" in exporting.as_markdown([panel])


def test_export_wants_one_form(project):
    with pytest.raises(UserError, match="choose one"):
        run("export")


def test_help_answers_without_matplotlib_torch_or_the_tables():
    heavy = ("matplotlib", "torch", "pandas", "headroom.site", "headroom.results")
    code = f"import sys, headroom.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
