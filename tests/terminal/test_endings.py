"""What is said when a command is stopped, or the disk is full: what is kept, and only where something is."""

from __future__ import annotations

import errno

import pytest

from headroom import cli


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["stage", "measure", "bert-toy"], True),
        (["stage", "time", "bert-toy"], True),
        (["stage", "prepare", "bert-toy"], False),
        (["prune", "--model", "a"], False),
        (["check", "--all"], False),
        (["show"], False),
    ],
)
def test_finished_points_are_kept_where_there_are_any(words, kept, monkeypatch, capsys):
    def full():
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("sys.argv", ["headroom", *words])
    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    with pytest.raises(SystemExit, match="130"):
        cli.stopped()
    said = capsys.readouterr().err
    assert said.count("every finished point is kept") == (2 if kept else 0)
    assert said.count("Run the same command again" if kept else "the same command again.") >= 1
