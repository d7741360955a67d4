"""Files that are folders, links to themselves, or written by another editor: read, or refused in a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

READABLE = {
    "a byte order mark": lambda file, text: file.write_bytes(b"\xef\xbb\xbf" + text),
    "line ends of Windows": lambda file, text: file.write_bytes(text.replace(b"\n", b"\r\n")),
    "letters beyond ASCII": lambda file, text: file.write_bytes("# Größe, 大きさ\n".encode() + text),
    "a link": lambda file, text: file.symlink_to(written(file.with_name("other.yaml"), text)),
}
UNREADABLE = {
    "a folder": lambda file, text: file.mkdir(),
    "Latin-1": lambda file, text: file.write_bytes("# Größe\n".encode("latin-1") + text),
    "UTF-16": lambda file, text: file.write_bytes(text.decode().encode("utf-16")),
    "bytes": lambda file, text: file.write_bytes(b"\x00\xff" + text),
    "a zero byte": lambda file, text: file.write_bytes(text + b"\0"),
    "a link to itself": lambda file, text: file.symlink_to(file),
    "a link to nothing": lambda file, text: file.symlink_to("nowhere"),
    "nothing": lambda file, text: file.write_bytes(b""),
    "a list": lambda file, text: file.write_bytes(b"- a\n- b\n"),
    "a device": lambda file, text: file.symlink_to("/dev/null"),
}


def written(file, text):
    file.write_bytes(text)
    return file


@pytest.fixture
def params(whole):
    """Give params.yaml another form."""

    def change(form):
        file = whole / "params.yaml"
        text = file.read_bytes()
        file.unlink()
        form(file, text)
        return file

    return change


@pytest.mark.parametrize("form", READABLE)
def test_params_of_every_editor_are_read(params, headroom, form):
    file = params(READABLE[form])
    for words in (["list"], ["show"], ["new-method", "my-idea"]):
        said = headroom(*words)
        assert said.code == 0 and not said.err, said
    text = file.read_bytes()
    assert b"my-idea: {}" in text and file.is_symlink() == (form == "a link")
    assert text.count(b"\n") == text.count(b"\r\n") or form != "line ends of Windows"


@pytest.mark.parametrize("words", [["list"], ["show"], ["claims"], ["new-method", "my-idea"], ["site"]], ids=" ".join)
@pytest.mark.parametrize("form", UNREADABLE)
def test_params_that_are_none_are_refused_in_a_sentence(params, headroom, form, words):
    params(UNREADABLE[form])
    assert "params.yaml: " in headroom(*words).sentence
    assert not Path("methods/my_idea.py").exists()


@pytest.mark.parametrize(
    "path", ["", "/", "/dev/null", "params.yaml/x", "x" * 300, "a/" * 3000, "a\udcffb", "../nowhere"]
)
def test_a_path_that_leads_to_no_params_is_refused_in_a_sentence(whole, headroom, path):
    for words in (["list"], ["check", "params"], ["new-method", "my-idea"]):
        assert headroom(*words, "--params", path).code == 2
        assert headroom(*words, "--params", path).sentence


@pytest.mark.parametrize("name", ["results", "results/quick"])
@pytest.mark.parametrize("words", [["show"], ["claims"], ["export", "--csv"], ["stage", "collect"]], ids=" ".join)
def test_a_file_in_place_of_the_results_is_refused_in_a_sentence(whole, headroom, name, words):
    shutil.rmtree(name)
    Path(name).write_text("no folder", encoding="utf-8")
    assert "results" in headroom(*words).sentence


@pytest.mark.parametrize("table", ["leaderboard", "curves", "quality", "throughput", "floors", "pairs"])
def test_a_folder_in_place_of_a_table_is_no_traceback(whole, headroom, table):
    path = whole / "results" / "quick" / f"{table}.csv"
    path.unlink(missing_ok=True)
    path.mkdir()
    said = headroom("show")
    assert said.code == 0 or path.name in said.sentence


@pytest.mark.parametrize("out", ["/proc/nowhere", "/dev/null/x", "params.yaml/x", "methods", "y" * 300])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(whole, headroom, out):
    for words in (["schema", "tasks", "--out"], ["check", "random-heads", "--csv"]):
        said = headroom(*words, out)
        assert said.sentence and not said.out


def test_a_new_method_leaves_nothing_where_it_cannot_be_whole(whole, headroom, monkeypatch):
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    (whole / "methods" / "my_idea.py").symlink_to("/proc/nowhere")
    assert "my_idea" in headroom("new-method", "my-idea").sentence
    (whole / "methods" / "my_idea.py").unlink()
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before
    assert "at most 100 letters" in headroom("new-method", "x" * 300).sentence


def test_a_method_file_with_a_byte_order_mark_is_read(whole, headroom):
    file = whole / "methods" / "michel_greedy.py"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert headroom("list").code == 0
