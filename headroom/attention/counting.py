"""Parameters, cache bytes and multiply-accumulates of a model as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from headroom.api import Site
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.compiled import eager
from headroom.attention.gates import frozen
from headroom.attention.plain import quantised
from headroom.attention.taps import refuse_head_mask
from headroom.attention.weights import parameters_of, total
from headroom.errors import UserError

FLOAT32 = 4  # bytes
_ATEN = torch.ops.aten
FORMULAS = flop_registry  # floating-point operations of one call of an operation
# torch counts the attention kernels of accelerators but not the CPU's, which does the same work
FORMULAS.setdefault(
    _ATEN._scaled_dot_product_flash_attention_for_cpu, FORMULAS[_ATEN._scaled_dot_product_flash_attention]
)


@dataclass(frozen=True)
class Counts:
    """What a model weighs. Tied weights count once."""

    parameters: int
    attention_parameters: int  # projections, their biases and the norms of queries and keys
    non_embedding_parameters: int  # without token and position tables and without the output layer over the vocabulary
    kv_bytes_per_token: int  # float32 keys and values of all decoder self-attentions, per token in the cache
    cross_kv_bytes_per_token: int  # float32 keys and values of all cross-attentions, per source token
    macs: int  # multiply-accumulates of matrix products in one forward pass of the example


def count(model: nn.Module, example: dict[str, Tensor]) -> Counts:
    """Count a model, with one forward pass of ``example`` for the multiply-accumulates.

    Sliding windows do not enter ``kv_bytes_per_token``: it is the cost of a token that is still in the window. A
    self-attention that has gone keeps 8 bytes per token, which hold its place in the cache; a recurrence keeps 4, for
    its state does not grow. A compiled model is run eagerly and counted as it is; adapters count as what they add to.
    Raises ``UserError`` for inputs that the library would swallow, and for quantised weights, whose packed numbers are
    not those that multiply.
    """
    refuse_head_mask(example)
    plan = anatomy(model)
    if words := quantised(model):
        raise UserError(words)
    everything = {id(p): p for p in model.parameters()}
    embedding = {id(p) for p in _embedding_parameters(model)}
    attentions = [place for place in plan.places.values() if place.sublayer and place.sublayer.heads]
    own, cross = _cache_bytes(plan)
    return Counts(
        parameters=total(everything.values()),
        attention_parameters=total(p for place in attentions for p in parameters_of(place)),
        non_embedding_parameters=sum(p.numel() for key, p in everything.items() if key not in embedding),
        kv_bytes_per_token=own,
        cross_kv_bytes_per_token=cross,
        macs=multiply_accumulates(model, example),
    )


def _embedding_parameters(model: Any) -> list[nn.Parameter]:
    """Tables over words and positions, and the output layer; T5's table of relative positions is attention."""
    named = model.named_modules()
    tables = [module for name, module in named if isinstance(module, nn.Embedding) and "relative" not in name]
    output = model.get_output_embeddings()
    return [parameter for module in (*tables, output) if module is not None for parameter in module.parameters()]


def _cache_bytes(plan: Anatomy) -> tuple[int, int]:
    """Bytes per token of the self and of the cross caches."""
    own = cross = 0
    if "decoder" not in plan.stacks:
        return own, cross
    recurrent = "self" in dict(plan.stacks["decoder"].headless)
    for layer in plan.removal.blocks("decoder"):
        own += FLOAT32 if recurrent else 2 * FLOAT32 * (_cache_width(plan, Site("decoder", "self", layer)) or 1)
        cross += 2 * FLOAT32 * _cache_width(plan, Site("decoder", "cross", layer))
    return own, cross


def _cache_width(plan: Anatomy, site: Site) -> int:
    """Numbers per token in the keys of a site."""
    place = plan.places.get(site)
    return len(place.groups) * place.head_size if place and place.groups else 0


@torch.no_grad()
def multiply_accumulates(model: Any, example: dict[str, Tensor]) -> int:
    """Multiply-accumulates of the matrix products in one forward pass.

    Compiled models run eagerly, for the counter sees nothing of compiled kernels. With the CPU's attention counted like
    an accelerator's, the figure does not depend on the device. Causal masks are not subtracted, which is what the
    kernels' own formulas do too.
    """
    # encoder-decoder models build the decoder's input from the labels
    labelled = model.config.is_encoder_decoder and "decoder_input_ids" not in example
    inputs = {name: value for name, value in example.items() if labelled or name != "labels"}
    # torch's counter stumbles over parameters that ask for gradients and are handed on as they are
    with eager(), frozen(model), FlopCounterMode(display=False) as counter:
        model(**inputs)
    return counter.get_total_flops() // 2
