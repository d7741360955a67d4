"""What a system, a locale or an installation refuses is one sentence with the next step; a bug keeps its traceback."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headroom import cli
from headroom.terminal import surroundings

SLOW = pytest.mark.slow  # processes of the command line, seconds each; a few are always run
HEADROOM = [sys.executable, "-c", "from headroom.cli import main; main()"]
READING = (  # every command that only reads, and does so at once
    *(["list"], ["show"], ["choose"], ["claims"], ["compare", "michel-greedy", "layer-similarity"], ["--help"]),
    *(["export", "--csv"], ["export", "--markdown"], ["export", "--latex"]),
    *([name, "--help"] for name in ("verify", "prune", "check", "stage", "status", "site", "new-method", "schema")),
    *(["schema", "tasks"], ["schema", "params"]),
)


@pytest.fixture
def raising(headroom, monkeypatch):
    """What is said when a command raises an error."""

    def call(error):
        def command():
            raise error

        monkeypatch.setattr(cli, "app", command)
        return headroom("show")

    return call


@pytest.mark.parametrize(
    "encoding", ["ascii", "cp1252", *(pytest.param(name, marks=SLOW) for name in ("latin-1", "utf-8"))]
)
@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_every_command_can_be_read_in_every_locale(whole, headroom, words, encoding):
    shutil.copy(Path(__file__).parents[2] / "results/quick/claims.csv", "results/quick")
    said = headroom(*words, encoding=encoding)
    assert said.code == 0 and said.out and not said.err
    assert said.out.isascii() or encoding != "ascii" or words[0] == "export", "what is exported is UTF-8 there"


def test_a_sign_that_the_locale_lacks_has_one_that_looks_like_it(whole, headroom):
    full, plain = (headroom("show", encoding=encoding).out for encoding in ("utf-8", "ascii"))
    assert "█" in full and "±" in full
    assert "#" in plain and "?" not in plain
    assert [len(line) for line in full.splitlines()] == [len(line) for line in plain.splitlines()]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "permission denied. Change its rights"),
        (errno.EROFS, "read-only file system. Name a place that can be written"),
        (errno.ENOENT, "no such file or directory. Make it"),
        (errno.ENOTDIR, "A file stands where a folder is wanted"),
        (errno.EISDIR, "A folder stands where a file is wanted"),
        (errno.ENAMETOOLONG, "Name it with fewer letters"),
        (errno.ELOOP, "links lead in a circle"),
        (errno.EINVAL, "invalid argument. Name another place"),
        (errno.ENOSPC, "no space left. Free some"),
        (errno.EDQUOT, "no space left. Free some"),
    ],
)
def test_a_file_that_the_system_refuses_is_named_with_reason_and_next_step(raising, number, words):
    said = raising(OSError(number, os.strerror(number), "some/file")).sentence
    assert said.startswith("some/file: ") and words in said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "HF_HUB_OFFLINE=1"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Look at the network"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "HEADROOM_WORKERS"),
        (Exception("I/O error: Permission denied (os error 13)"), "permission denied. Change its rights"),
        (Exception("I/O error: No space left on device (os error 28)"), "no space left"),
        (RuntimeError("Could not determine home directory."), "Set HOME"),
        (ModuleNotFoundError("No module named 'ray'", name="ray"), "pip install 'headroom[ray]'"),
        (ModuleNotFoundError("No module named 'pynvml'", name="pynvml"), "pip install 'headroom[energy]'"),
        (ModuleNotFoundError("No module named 'PIL.Image'", name="PIL.Image"), "pillow is needed here"),
        (ModuleNotFoundError("No module named 'x_y'", name="x_y"), "pip install x-y"),
        (ImportError("\nT requires the SentencePiece library but\nit was not found"), " sentencepiece`."),
        (ImportError("libcudart.so.12: cannot open shared object file"), "libcudart.so.12"),
        (UnicodeEncodeError("ascii", "ü.txt", 0, 1, "ordinal not in range"), "Set LC_ALL=C.UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_not_of_one_file_names_what_to_do(raising, error, words):
    assert words in raising(error).sentence


@pytest.mark.parametrize(
    "error",
    [
        OSError("a sentence of nobody"),
        OSError(errno.EBADF, "Bad file descriptor"),
        FileNotFoundError(errno.ENOENT, "No such file", str(surroundings.OURS / "site/templates/gone.html")),
        ModuleNotFoundError("No module named 'headroom.gone'", name="headroom.gone"),
        ModuleNotFoundError("No module named 'json.gone'", name="json.gone"),
        ImportError("cannot import name 'gone' from 'torch'", name="torch"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        RuntimeError("ran aground"),
        KeyError("x"),
    ],
    ids=repr,
)
def test_a_bug_keeps_its_traceback(raising, error):
    with pytest.raises(type(error)):
        raising(error)


def test_the_traceback_of_a_refusal_can_be_had(raising, monkeypatch):
    monkeypatch.setenv("HEADROOM_TRACEBACK", "1")
    with pytest.raises(PermissionError):
        raising(PermissionError(errno.EACCES, "Permission denied", "some/file"))


def test_a_file_that_is_not_utf_8_is_named_by_whoever_opened_it(headroom, monkeypatch, tmp_path):
    (tmp_path / "notes.txt").write_bytes("Größe".encode("latin-1"))
    monkeypatch.setattr(cli, "app", lambda: (tmp_path / "notes.txt").read_text(encoding="utf-8"))
    assert f"{tmp_path / 'notes.txt'}: byte 2 is not UTF-8." in headroom("show").sentence


def test_a_program_that_is_missing_is_named(headroom, monkeypatch):
    monkeypatch.setattr(cli, "app", lambda: subprocess.run(["no-such-program"], check=True))
    assert "no-such-program: there is no such program here." in headroom("show").sentence


def test_standard_output_without_room_is_a_sentence(whole, headroom):
    for words in (["show"], ["export", "--csv"], ["--help"]):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            assert "no space left" in headroom(*words, out=full).sentence


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ("| head -n 1", 1),
        (">&-", 0),
        *(pytest.param(*case, marks=SLOW) for case in [("2>&-", 0), ("> /dev/full", 1), ("2> /dev/full", 0)]),
    ],
)
def test_whoever_stops_reading_or_never_did_gets_no_traceback(whole, shell, code):
    said = in_shell(f'"$@" {shell}; exit ${{PIPESTATUS[0]}}', "export", "--csv")
    assert said.returncode in (0, code) and "Traceback" not in said.stderr and "ignored" not in said.stderr


def test_the_c_locale_shows_all_of_it(whole):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = in_shell('"$@"', "show", **plain)
    assert said.returncode == 0 and not said.stderr and "michel-greedy" in said.stdout
    said = in_shell('"$@"', "show", "--params", "Größe.yaml", **plain)
    assert said.returncode == 2 and said.stderr.count("\n") == 1 and "yaml: no such file" in said.stderr


def test_a_working_directory_that_is_gone_is_a_sentence(whole):
    said = in_shell('mkdir gone; cd gone; rmdir ../gone; "$@"', "list")
    assert said.returncode == 2 and said.stderr.count("\n") == 1, said.stderr


CANNOT = "--bounding-set=-dac_override,-dac_read_search,-fowner"  # what lets root write where nobody may


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["list"], 0),
        pytest.param(["show"], 0, marks=SLOW),
        pytest.param(["status"], 0, marks=SLOW),
        (["new-method", "idea"], 2),
        pytest.param(["site"], 2, marks=SLOW),
        pytest.param(["stage", "collect"], 2, marks=SLOW),
        pytest.param(["schema", "tasks", "--out", "tasks.json"], 2, marks=SLOW),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_project_that_cannot_be_written_is_read_and_refuses_the_rest_in_a_sentence(whole, words, code):
    root = os.geteuid() == 0
    if root and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere")
    subprocess.run(["chmod", "-R", "a-w", str(whole)], check=True)
    try:
        said = in_shell(f'{f"setpriv {CANNOT} " if root else ""}"$@"', *words)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(whole)], check=True)
    assert said.returncode == code, said.stderr
    assert not code or (said.stderr.count("\n") == 1 and "denied" in said.stderr)


def in_shell(line, *words, **environment):
    """A line of bash in which ``"$@"`` is a command of ours."""
    return subprocess.run(
        ["bash", "-c", line, "bash", *HEADROOM, *words],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | environment,
        check=False,
    )
