"""What of a model goes into a file of weights, and whether it could be read back from there."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from headroom.attention.anatomy import Anatomy
from headroom.attention.compiled import plain_name
from headroom.attention.own import class_named
from headroom.attention.plain import troubles
from headroom.attention.removal import remove
from headroom.errors import UserError, some

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BUFFER = "buffer:"  # prefix of buffers that a state dict leaves out


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """The state dict and the floating-point buffers it leaves out, whose rounding a cast model has changed."""
    state = {plain_name(name): tensor for name, tensor in model.state_dict().items()}
    buffers = {plain_name(name): buffer for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    return state | {BUFFER + name: buffer for name, buffer in buffers.items() if name not in state}


def distinct(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Every tensor once, and the other names of tied ones."""
    tensors: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first: dict[tuple[Any, ...], str] = {}
    for name, tensor in state.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and key in first:
            aliases[name] = first[key]
        else:
            first[key] = name
            tensors[name] = _alone(tensor.detach().contiguous())
    return tensors, aliases


def _alone(tensor: Tensor) -> Tensor:
    """A tensor that is a part of a larger one is copied: the file cannot hold parts of the same memory twice."""
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if whole else tensor.clone()


def dense_model(plan: dict[str, Any], config: Any) -> PreTrainedModel:
    """The dense model of a plan with weights that take no memory; its buffers are real."""
    from accelerate import init_empty_weights
    from transformers.initialization import no_init_weights

    config._attn_implementation = plan["attention"]
    with no_init_weights(), init_empty_weights(include_buffers=False):
        return class_named(plan["class"])(config)


def check_readable(plan_of: Anatomy, plan: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Raise ``UserError`` when ``load_removed`` could not read back what would be written."""
    empty = [name for name, tensor in state.items() if tensor.is_meta]
    if empty:
        raise UserError(
            f"weights of this {plan['class']} have no values, they are on the meta device: {some(empty)}. There is "
            "nothing to save. Load them first, without init_empty_weights, device_map or offload."
        )
    if strange := _strange(plan_of, plan, state):
        step = "Put transformers' own modules back, or write the sizes that changed into the config."
        raise UserError(
            f"the folder could not be read back: a {plan['class']} with this config and plan has other weights in "
            f"{some(strange)}. {next(iter(troubles(plan_of.model)), step)}"
        )


def _strange(plan_of: Anatomy, plan: dict[str, Any], state: dict[str, Tensor]) -> list[str]:
    """Weights that the model made from config and plan does not have, or has otherwise, or has alone."""
    removal: Any = plan_of.removal
    made = dense_model(plan, copy.deepcopy(removal.config))
    remove(made, removal.units, removal.policy)
    wanted = {name: tensor.shape for name, tensor in state_of(made).items()}
    found = {name: tensor.shape for name, tensor in state.items() if type(tensor) in (Tensor, nn.Parameter)}
    return [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
