"""What is left of a model is fine-tuned: all weights, or adapters; for its task, or towards the dense model."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any, Unpack

from headroom.attention import twin
from headroom.training.adapters import adapted
from headroom.training.distilling import towards
from headroom.training.fit import Curve
from headroom.training.lessons import Aim, Lessons


def recovered(
    removed: Any, dense: Any, lessons: Lessons, steps: int, seed: int, **told: Unpack[Aim]
) -> tuple[Any, Curve]:
    """A removed model after some steps of the recovery's recipe, and the curve of its loss.

    ``removed`` and ``dense`` stay as they are, and may share tensors: what learns is a copy of all weights, or adapters
    beside weights that are shared on until they are merged. The dense model's predictions take no copy of it.
    Raises ``UserError`` where adapters cannot be put in, and ``fit.TrainingError``.
    """
    recipe = lessons.recover
    model = twin(removed) if recipe.adapters else copy.deepcopy(removed)
    aim = Aim(**told)
    if recipe.kind == "distil":
        aim["objective"] = towards(twin(dense).eval(), model)
    if recipe.adapters:
        aim["widen_frozen"] = False
    with adapted(model, recipe.adapters, seed) if recipe.adapters else nullcontext():
        curve = lessons.teach(model, steps, seed, **aim)
    return model, curve
