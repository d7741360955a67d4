"""A user's own file becomes a task with two halves that share nothing, or a sentence says why it cannot."""

from __future__ import annotations

import json

import pytest

from headroom.data.apart import example_hashes
from headroom.errors import UserError
from headroom.pruning.own_data import OwnData

ROWS = [{"text": f"example number {n}", "label": n % 2, "source": f"eins {n}", "target": f"one {n}"} for n in range(40)]


@pytest.fixture
def file(tmp_path):
    """A file of rows, or of text, by its name."""

    def make(name, rows=ROWS):
        path = tmp_path / name
        if isinstance(rows, str):
            path.write_text(rows)
        elif path.suffix == ".jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        elif path.suffix == ".csv":
            path.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]))
        else:
            from datasets import Dataset

            Dataset.from_list(rows).to_parquet(path)
        return path

    return make


def load(path, kind=None, columns=(), task=None):
    return OwnData.of(path, kind, columns, task).load()


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine.parquet"])
@pytest.mark.parametrize("kind", ["text", "classification", "translation"])
def test_every_format_and_kind_gives_two_halves_that_share_nothing(file, name, kind):
    task, splits = load(file(name), kind)
    sides = [set(example_hashes(splits[side], task)) for side in ("calibrate", "evaluate")]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 40 and min(map(len, sides)) > 8
    assert task.name == "mine" and task.evaluator in ("bits-per-byte", "classification", "translation")


def test_the_halves_stay_the_same_whatever_the_order_and_however_often_a_row_stands_there(file):
    def of(rows):
        splits = load(file("rows.jsonl", rows), "text")[1]
        return {side: sorted(splits[side]["text"]) for side in splits}

    assert of(ROWS) == of(ROWS[::-1]) == of(ROWS + ROWS[:7])


def test_a_text_has_a_row_a_paragraph_or_else_a_row_a_line(file):
    lines = "\n".join(f"line {n}" for n in range(20)) + "\n"
    assert sum(map(len, load(file("a.txt", lines))[1].values())) == 20
    parts = "\n\n".join(f"part {n}\nin two lines" for n in range(20))
    splits = load(file("b.txt", parts))[1]
    assert sum(map(len, splits.values())) == 20 and "in two lines" in splits["evaluate"]["text"][0]


def test_columns_have_the_users_own_names_and_classes_the_alphabets_numbers(file):
    rows = [{"sentence": f"a {n}", "mood": ("sad", "glad")[n % 2]} for n in range(20)]
    task, splits = load(file("m.jsonl", rows), "classification", ["text=sentence", "label=mood"])
    assert task.classes == ["glad", "sad"]
    both = [row for split in splits.values() for row in split]
    assert all(row["label"] == 1 - int(row["text"].split()[1]) % 2 for row in both)


@pytest.mark.parametrize(
    ("name", "rows", "kind", "columns", "message"),
    [
        ("a.csv", ROWS, None, (), "--kind is missing, which says what the examples of"),
        ("a.csv", ROWS, "classificaton", (), "Did you mean 'classification'?"),
        ("a.json", "[]", "text", (), "files of examples end in .txt, .jsonl, .csv, .parquet"),
        ("a.txt", "x", "translation", (), "a .txt holds text alone. For translation give a table"),
        ("a.csv", "", "text", (), "holds no examples"),
        ("a.txt", "\n\n", None, (), "holds no examples"),
        ("a.jsonl", '{"text": "one"}\n', "text", (), "holds 1 different examples, too few"),
        ("a.jsonl", "{broken", "text", (), "cannot be read as jsonl"),
        ("a.parquet", "no parquet", "text", (), "cannot be read as parquet"),
        ("a.csv", ROWS, "translation", ["source=german"], "wants a column 'german'. Name yours with --column source="),
        ("a.csv", ROWS, "text", ["txt=text"], "--column txt=text: wanted OURS=YOURS. Did you mean 'text'?"),
        ("a.jsonl", [{"text": n} for n in range(9)], "text", (), "which holds int64; wanted text"),
    ],
)
def test_what_cannot_be_used_is_said(file, name, rows, kind, columns, message):
    with pytest.raises(UserError) as error:
        load(file(name, rows), kind, columns)
    assert message in str(error.value)


def test_options_that_do_not_go_together_are_said(file, tmp_path):
    assert OwnData.of(tmp_path, None, (), "sst2") is None, "a folder is that of local data"
    for given, message in (
        ((tmp_path, "text", (), None), "--kind is about a file of examples. Name one with --data"),
        ((None, None, ("text=x",), None), "--column is about a file of examples"),
        ((file("a.csv"), "text", (), "sst2"), "--task sst2 has data of its own: leave it out, or --data"),
        ((tmp_path / "none.csv", "text", (), None), "none.csv: there is no such file"),
    ):
        with pytest.raises(UserError) as error:
            OwnData.of(*given)
        assert message in str(error.value)
