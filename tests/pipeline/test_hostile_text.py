"""What a method says can break neither its record nor what is printed or published of it."""

from __future__ import annotations

import json

import pytest
from one_process import in_one_process

from headroom.results.files import read, write
from headroom.results.records import CellRecord, Point

NASTY = "[/INST] \x1b[31m \ud800 \u202e321"
LEFT = "[/INST] [31m \N{REPLACEMENT CHARACTER} 321"


@pytest.fixture
def failed(world, headroom):
    """A project with a method that fails in such words, measured by this process."""
    world.method("tested", f"raise KeyError({NASTY!r})\nyield")
    with in_one_process():
        code, said = headroom("stage", "measure", "bert-toy", "--strict")
    assert code == 1 and "[/INST]" in said and "\x1b" not in said
    return world


def test_a_record_of_such_words_is_read_again_and_printed(failed, headroom):
    reason = read(failed.record("tested"), CellRecord).reason
    assert "[/INST]" in reason and not any(mark in reason for mark in "\x1b\ud800\u202e")
    code, said = headroom("status")
    assert code == 0 and "[/INST]" in said and "\x1b" not in said


def test_every_text_of_a_record_is_plain_and_what_is_written_is_read_again(failed, tmp_path):
    record = read(failed.record("tested"), CellRecord)
    point = Point(target=0.5, seed=0, status="failed", reason=NASTY, note=NASTY, label=NASTY, natural=NASTY)
    nasty = CellRecord.model_validate(
        record.model_dump() | {"title": NASTY, "summary": NASTY, "parameters": {NASTY: [NASTY]}, "points": [point]}
    )
    assert {nasty.title, nasty.summary, nasty.points[0].reason, nasty.points[0].note} == {LEFT}
    assert nasty.parameters == {LEFT: [LEFT]}
    write(tmp_path / "record.json", nasty)
    assert read(tmp_path / "record.json", CellRecord) == nasty
    json.loads((tmp_path / "record.json").read_bytes())


def test_a_record_of_damaged_bytes_is_named(failed, headroom):
    failed.record("tested").write_bytes(b'{"profile": "\xff\xfe"}')
    code, said = headroom("status")
    assert code == 0 and "invalid unicode" in said and "Delete the file" in said
