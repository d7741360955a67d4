"""A pretrained model as its training here begins: with its own weights, and a new head where it is to classify.

The head is new whatever the files hold, so that a training means the same for an encoder that never had one, one that
foretells words, and one that classified something else. Every other weight has to be there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.tasks import Task
from headroom.data.words import said
from headroom.errors import UserError

if TYPE_CHECKING:
    from headroom.config.model_spec import TrainSpec
    from headroom.models.sources import Source

BEGINNING = "beginning.safetensors"  # of a prepared model, its weights before it was trained here
POOLER = ".pooler."  # between encoder and head: a model that foretells words is saved without it


def to_train(source: Source, task: Task, names: Sequence[str] | None) -> Source:
    """The source with a head for the classes of a task; as it is for what has none. Raises ``UserError``."""
    if source.pruned:
        raise UserError(f"{source}: Headroom has pruned it, and `train` takes whole models. Prune it again afterwards.")
    if "classification" not in task.purpose:
        return source
    if not names:
        raise UserError(
            f"{task.file}: classes: this key is missing, and a new head has a logit for each. Name those of the data "
            "in the order of their numbers."
        )
    return source.with_head(names)


def begun(source: Source, purpose: str, train: TrainSpec) -> Any:
    """The model before its training, in float32: the same numbers for the same seed."""
    import torch

    torch.manual_seed(train.seed)
    return source.model(purpose).float()


def keep_beginning(model: Any, folder: Path) -> None:
    """Write the weights from which a training that starts anew sets out."""
    from safetensors.torch import save_model

    save_model(model, str(folder / BEGINNING))


def at_beginning(model: Any, folder: Path) -> Any:
    """A copy of the prepared model with the weights before its training. Raises ``UserError`` where they have gone."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    again = copy.deepcopy(model)
    try:
        load_model(again, folder / BEGINNING)
    except (OSError, SafetensorError, RuntimeError) as error:
        step = f"Run `dvc repro prepare@{folder.name}`, which makes it again."
        raise UserError(f"{folder.name}/{BEGINNING} cannot be read: {said(error)} {step}") from None
    return again


def headed(config: Any, classes: Sequence[str]) -> Any:
    """The config of the same model with a head for these classes."""
    config = copy.deepcopy(config)
    config.num_labels = len(classes)
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: number for number, name in enumerate(classes)}
    config.problem_type = config.architectures = None
    return config


def but_head(found: dict[str, Any], model: Any) -> dict[str, Any]:
    """What the library reports of a loading, without the old head, which is left behind, and the new one."""
    inside = {
        name.split(".")[0] for name, _ in (*model.base_model.named_parameters(), *model.base_model.named_buffers())
    }
    prefix = f"{model.base_model_prefix}."
    return {
        "missing_keys": [name for name in found["missing_keys"] if not _of_head(name, model)],
        "mismatched_keys": [one for one in found["mismatched_keys"] if not _of_head(one[0], model)],
        "unexpected_keys": [
            name for name in found["unexpected_keys"] if name.removeprefix(prefix).split(".")[0] in inside
        ],
        "poolers": [name for name in found["missing_keys"] if POOLER in name],
    }


def _of_head(name: str, model: Any) -> bool:
    return not name.startswith(f"{model.base_model_prefix}.") or POOLER in name


def draw(model: Any, poolers: Sequence[str]) -> None:
    """Small random weights and no biases for the head, and for a pooler that is new.

    They depend on the seed that torch was given last, and not on what was drawn since: the library draws too.
    """
    import torch

    config, weights = model.config, dict(model.named_parameters())
    spread: float = getattr(config, "initializer_range", getattr(config, "init_std", 0.02))
    generator = torch.Generator().manual_seed(torch.initial_seed())
    heads = [name for name in weights if _of_head(name, model) and POOLER not in name]
    with torch.no_grad():
        for weight in (weights[name] for name in (*heads, *poolers) if not weights[name].is_meta):
            drawn = torch.randn(weight.shape, generator=generator) if weight.dim() > 1 else torch.zeros(weight.shape)
            weight.copy_(spread * drawn)
