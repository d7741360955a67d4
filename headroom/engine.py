"""The files that can change a number: DVC's deps of a cell, and part of the key of everything the journal keeps."""

from pathlib import Path

from headroom.project import root

MEASURED = (  # what the journal keeps depends on these
    "headroom/api.py",
    "headroom/attention",
    "headroom/batches.py",
    "headroom/context.py",
    "headroom/evaluate",
    "headroom/lessons.py",
    "headroom/stages/bench.py",
    "headroom/stages/cell.py",
    "headroom/stages/plans.py",
    "headroom/train.py",
    "headroom/units.py",
)
QUALITY = (*MEASURED, "headroom/stages/points.py", "headroom/stages/quality.py", "headroom/stats.py")
PREPARE = (
    "headroom/batches.py",
    "headroom/data.py",
    "headroom/models.py",
    "headroom/prepare.py",
    "headroom/tokenize.py",
    "headroom/train.py",
)
SPEED = ("headroom/attention", "headroom/measure", "headroom/stages/speed.py", "headroom/stats.py")
COLLECT = ("headroom/records.py", "headroom/stats.py", "headroom/tables")
CLAIMS = (
    *MEASURED,
    "headroom/claims",
    "headroom/records.py",
    "headroom/stages/claims.py",
    "headroom/stats.py",
    "headroom/tables",
)
SITE = ("headroom/site",)


def files(names: tuple[str, ...]) -> list[Path]:
    """The engine's files and folders in the installed package, wherever the project is."""
    package = Path(__file__).resolve().parent.parent
    return [package / name if (package / name).exists() else root() / name for name in names]
