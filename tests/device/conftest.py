"""A task of any evaluator, for models on a pretended card."""

from collections.abc import Callable
from typing import Any

import pytest

from headroom.config.metrics import METRICS
from headroom.config.tasks import Task


@pytest.fixture
def made_task() -> Callable[[str], Any]:
    def make(evaluator: str) -> Task:
        first = METRICS[evaluator]
        name = first[0] if isinstance(first, tuple) else first
        better = "lower" if name == "bits-per-byte" else "higher"
        return Task.model_validate(
            {
                "name": "made",
                "version": 1,
                "summary": "made",
                "evaluator": evaluator,
                "data": {"made": "tasks/toys.py"},
                "splits": {"calibrate": "calibrate", "evaluate": "evaluate"},
                "metric": {"name": name, "better": better, "unit": name, "chance": 1},
                "licence": "none",
                "cite": "nobody",
            }
        )

    return make
