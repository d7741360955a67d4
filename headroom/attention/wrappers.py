"""What people put around a model: each is refused with the name of what is inside."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from headroom.errors import UnsupportedModel


def refuse_wrapper(model: Any) -> None:
    """Raise ``UnsupportedModel`` for a wrapper around a model: hooks and removal are for what is in it."""
    kind = type(model).__name__
    if words := _words(model):
        raise UnsupportedModel(f"{kind} is {words}")


def _words(model: Any) -> str | None:
    if isinstance(model, torch.jit.ScriptModule):
        return "TorchScript, in which no hook acts and nothing can be removed. Give the model that it was made from."
    if isinstance(model, torch.fx.GraphModule):
        return "a graph, in which not every hook acts. Give the model that it was made from."
    if not isinstance(model, nn.Module):
        return "no torch.nn.Module. Give the transformers model itself."
    if "_orig_mod" in model._modules:
        return "what torch.compile made of a model. Give the model itself, model._orig_mod: it stays compiled."
    if hasattr(type(model), "merge_and_unload"):
        return (
            "an adapter around a model. To remove units merge the adapter first: model.merge_and_unload(). "
            "To gate or mask, give the model in it: model.get_base_model()."
        )
    for inner in ("module", "_fsdp_wrapped_module"):  # of DataParallel and its kin
        if inner in model._modules and len(model._modules) == 1:
            return f"a wrapper that runs a model on several devices. Give the model itself, model.{inner}."
    return None
