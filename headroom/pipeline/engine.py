"""The files that can change a number: DVC's deps of a stage, and part of the key of everything the journal keeps."""

from pathlib import Path

from headroom.config.project import root

MEASURED = (  # what the journal keeps of quality depends on these
    "headroom/api.py",
    "headroom/units.py",
    "headroom/attention",
    "headroom/data",
    "headroom/evaluate",
    "headroom/training",
    "headroom/pipeline/bench.py",
    "headroom/pipeline/context.py",
    "headroom/pipeline/deeds.py",
    "headroom/pipeline/fence.py",
    "headroom/pipeline/plans.py",
    "headroom/pipeline/questions.py",
    "headroom/pipeline/reach.py",
)
DECLARED = ("headroom/api.py", "headroom/config/registry.py")  # whether an entry of params.yaml is in order
PREPARED = (  # a dense model and its data splits depend on these
    "headroom/data",
    "headroom/models",
    "headroom/training",
    "headroom/pipeline/making.py",
    "headroom/pipeline/prepare.py",
)
DISTILLED = (  # and what a translator is fine-tuned on where it says so itself, on these as well
    "headroom/evaluate/translation.py",
    "headroom/pipeline/distilled.py",
)
TIMED = ("headroom/attention", "headroom/measure")  # and timings on these


def files(names: tuple[str, ...]) -> list[Path]:
    """The engine's files and folders in the installed package, wherever the project is."""
    package = Path(__file__).resolve().parents[2]
    return [package / name if (package / name).exists() else root() / name for name in names]
