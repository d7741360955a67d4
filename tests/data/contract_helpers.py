"""Tasks that are not in a file."""

from typing import Any

from headroom.config.metrics import COUNTED, METRICS
from headroom.config.tasks import Task

WHAT = {
    "translation": {"unit": "BLEU", "better": "higher", "chance": 0},
    "bits-per-byte": {"unit": "bits per byte", "better": "lower"},
}


def task(evaluator: str, **keys: Any) -> Task:
    """A task of an evaluator, as ``tasks/mine.yaml`` would state it; its data are whatever it is given."""
    metric = {"name": METRICS[evaluator][0], "unit": "%", "better": "higher", "chance": COUNTED.get(evaluator)}
    content = {
        "name": "mine",
        "version": 1,
        "summary": "made",
        "evaluator": evaluator,
        "data": {"made": "tasks/toys.py"},
        "splits": {"calibrate": "calibrate", "evaluate": "evaluate"},
        "metric": metric | WHAT.get(evaluator, {}),
        "licence": "none",
        "cite": "nobody",
    }
    return Task.model_validate(content | keys)
