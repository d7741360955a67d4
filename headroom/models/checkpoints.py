"""Weights as they were on the way through a training, kept beside the model that came of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from headroom.data.words import said
from headroom.errors import UserError

FOLDER = "checkpoints"  # of a prepared model


def file_of(step: int) -> str:
    """Where the weights after a step lie in the folder of a prepared model."""
    return f"{FOLDER}/step-{step}.safetensors"


def keeping(model: Any, folder: Path, steps: Collection[int]) -> Callable[[int, float], None]:
    """What a training has to call after every step, so that the weights after these steps are written to ``folder``."""
    from safetensors.torch import save_model

    def keep(step: int, loss: float) -> None:
        if step in steps:
            file = folder / file_of(step)
            file.parent.mkdir(parents=True, exist_ok=True)
            save_model(model, str(file))

    return keep


def at_step(model: Any, folder: Path, step: int) -> Any:
    """A copy of the prepared model with the weights after a step. Raises ``UserError`` where they have gone."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    again = copy.deepcopy(model)
    try:
        load_model(again, folder / file_of(step))
    except (OSError, SafetensorError, RuntimeError) as error:
        again_by = f"Run `dvc repro prepare@{folder.name}`, which makes it again."
        raise UserError(f"{folder / file_of(step)} cannot be read: {said(error)} {again_by}") from None
    return again
