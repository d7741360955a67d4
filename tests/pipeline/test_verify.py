"""`headroom verify`: a published row is computed again, and what was changed in it is named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from one_process import in_one_process

from headroom.results.files import read
from headroom.results.places import read_cell
from headroom.results.plan_names import plan_hash
from headroom.results.records import CellRecord
from headroom.results.verified import Verified, last
from headroom.verify.choosing import row, sample
from headroom.verify.compare import verdict

ROW = "bert-toy/magnitude-heads"


@pytest.fixture(scope="module")
def measured(shared):
    """A project with the records of three methods, and the folder that holds them."""
    with shared() as world:
        world.use("magnitude-heads")
        world.use("michel-greedy", "{examples: 8}")
        return world.folder, world.measure()


@pytest.fixture
def world(measured, copied):
    """A copy of it for every test, as it is in Git."""
    return copied(measured[0])


@pytest.fixture
def published(world):
    """The same, computed again by this process."""
    with in_one_process():
        yield world


def report(world, method="magnitude-heads"):
    return read(world.folder / "results/test/verified/bert-toy" / f"{method}.json", Verified)


def changed(world, method, edit):
    """Change the record of a method as somebody with an editor would, its own sums set right."""
    path = world.record(method)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_all_rows_are_the_same_to_the_bit_and_nothing_stored_is_believed(published, headroom):
    for path in published.journal.rglob("*.npz"):
        path.write_bytes(b"lies")
    code, said = headroom("verify", "--all", "--by", "A. Reader")
    assert code == 0 and "3 rows verified, 0 differ." in said
    found = report(published, "michel-greedy")
    assert (found.verdict, found.reason, found.points, found.by) == ("same to the bit", "", 3, "A. Reader")
    assert not found.elsewhere and found.machine == read(published.record("dense"), CellRecord).provenance.machine


def other_plan(content):
    point = next(point for point in content["points"] if point["target"] == 0.25)
    unit = point["plan"][0]
    point["plan"][0] = next(other for number in range(4) if (other := f"{unit[:-1]}{number}") not in point["plan"])
    point["plan"].sort()
    point["plan_hash"] = plan_hash(point["plan"], point["weights"])


def digit(content):
    score = content["points"][1]["tasks"]["toy-classification"]
    score["retained_high"] += 0.001


CHANGES = {
    "a digit of a score": (digit, "score on toy-classification of target 0.5, seed 0, as is: retained_high"),
    "a plan": (other_plan, "plan of target 0.25, seed 0, as is: head:"),
    "the hash of the weights": (
        lambda content: content["provenance"].update(weight_hash="0" * 64),
        "weights: ",
    ),
    "the hash of the data": (
        lambda content: content["tasks"]["toy-classification"].update(data_hash="0" * 64),
        "data of toy-classification: ",
    ),
    "a size": (lambda content: content["points"][0].update(macs=0.5), "size of target 0.25, seed 0, as is: macs"),
    "a count": (lambda content: content["costs"][0].update(forward=9), "cost of seed 0: forward 0 here, 9 published"),
    "a parameter": (
        lambda content: content.update(parameters={"scope": "site"}),
        "parameter scope: 'global' here, 'site'",
    ),
    "a lost parameter": (lambda content: content["parameters"].update(old=1), "parameter old: 1 published, and no"),
}


def again(published, measured, method="magnitude-heads"):
    """The verdict on a record as it is now, where its row comes out as it did."""
    return verdict(read_cell(published.record(method), "test", "bert-toy", method), measured[1][method])


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_in_a_record_is_named(published, measured, what):
    edit, words = CHANGES[what]
    changed(published, "magnitude-heads", edit)
    found, reason = again(published, measured)
    assert found == "differs" and reason.startswith(words), reason


def test_a_row_that_differs_is_reported_and_ends_the_command_with_one(published, headroom):
    edit, words = CHANGES["a digit of a score"]
    changed(published, "magnitude-heads", edit)
    code, said = headroom("verify", ROW)
    assert code == 1 and "1 rows verified, 1 differ." in said
    assert report(published).verdict == "differs" and report(published).reason.startswith(words), said


def test_a_parameter_that_the_method_gained_since_is_no_difference(published, measured):
    changed(published, "magnitude-heads", lambda content: content.update(parameters={}))
    assert again(published, measured) == ("same to the bit", "")


def test_a_model_that_cannot_be_had_is_no_difference(published, headroom):
    published.change("    source:\n", f"    source: {{hub: owner/gated, revision: {'a' * 40}}}\n    # was:\n")
    text = published.params.read_text().splitlines()
    start = text.index("    # was:")
    kept = [line for at, line in enumerate(text) if not (start <= at <= start + 2) and "train:" not in line]
    published.params.write_text("\n".join(line for line in kept if "tokenizer:" not in line))
    code, said = headroom("verify", ROW)
    assert code == 0 and report(published).verdict == "cannot be checked", said
    assert "owner/gated" in report(published).reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("results/quick/quality/vit/michel.json", ("quick", "vit", "michel")),
        ("https://example.org/board/real/run/vit/michel.html#points", ("real", "vit", "michel")),
        ("vit/michel", ("own", "vit", "michel")),
    ],
)
def test_a_row_is_named_by_its_record_its_page_or_its_name(text, found):
    assert row(text, "own", ("quick", "real", "own")) == found


def test_what_is_no_row_is_said(published, headroom):
    for words, message in [
        ((), "Name rows to verify, or give --all"),
        (("nosuch",), "'nosuch' names no row"),
        (("bert-toy/magnitude-hats",), "Did you mean 'magnitude-heads'?"),
        (("bert-tory/dense",), "Did you mean 'bert-toy'?"),
        (("--since", "nosuch"), "--since nosuch: "),
    ]:
        code, said = headroom("verify", *words)
        assert code == 2 and message in said, said


def test_rows_that_a_change_adds_are_found_by_git(published, headroom):
    def git(*words):
        name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *name, *words], cwd=published.folder, check=True, capture_output=True)

    git("init")
    git("add", "-f", "results")
    git("commit", "-m", "before")
    changed(published, "magnitude-heads", digit)
    code, said = headroom("verify", "--since", "HEAD")
    assert code == 1 and "1 rows verified" in said and "magnitude-heads" in said


def test_a_sample_is_drawn_with_a_seed_and_is_no_larger_than_there_are_rows():
    rows = [("p", "m", str(number)) for number in range(20)]
    assert sample(rows, 5, 0) == sample(rows, 5, 0) != sample(rows, 5, 1)
    assert sample(rows, 50, 0) == rows


def test_elsewhere_scores_within_their_intervals_are_the_same_and_beyond_they_differ(published):
    record = read(published.record("magnitude-heads"), CellRecord)
    away = record.model_copy(deep=True)
    away.provenance.versions["torch"] = "2.12.0"
    assert verdict(record, away) == ("same to the bit", "")
    score = next(score for point in away.points for score in point.tasks.values() if score.low < score.high)
    score.value = score.low if score.value != score.low else score.high
    found, reason = verdict(record, away)
    assert found == "same within the intervals" and "All 6 scores" in reason and "value" in reason
    score.value = score.high + 1
    found, reason = verdict(record, away)
    assert found == "differs" and "outside" in reason
    away.provenance.weight_hash = "0" * 64
    assert verdict(record, away)[0] == "cannot be checked"
    assert verdict(record, away.model_copy(update={"provenance": record.provenance}))[0] == "differs"


REPORTS = sorted((Path(__file__).parents[2] / "results").glob("*/verified/*/*.json"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: f"{path.parents[2].name}-{path.parent.name}-{path.stem}")
def test_a_published_report_is_of_the_record_that_is_published(path):
    """A field that a later version adds to records must not make those of before look changed."""
    results = path.parents[2]
    record = read_cell(results / "quality" / path.parent.name / path.name, results.name, path.parent.name, path.stem)
    assert last(results, record)[1]
