"""Where attention, MLPs and norms sit in the blocks of each architecture, and what may stand in for them.

Everything is a string, so that reading this imports no modelling file. Paths are relative to a block. Checked against
transformers 5.23.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from headroom.api import Grain, Site, Unit


@dataclass(frozen=True)
class Projection:
    """One linear map that makes queries, keys or values, or several of them fused."""

    name: str
    roles: tuple[str, ...]  # of "query", "key", "value", in the order in which the rows lie
    interleaved: bool = False  # fused head by head (GPT-NeoX) rather than query block, key block, value block


@dataclass(frozen=True)
class Heads:
    """How one attention module is made."""

    home: str  # the module that owns the projections and attends
    projections: tuple[Projection, ...]
    out: str  # the output projection: its input is the heads side by side
    size: str = "head_dim"  # attribute of ``home`` with the width of a head
    counts: tuple[str, ...] = ()  # attributes of ``home`` that repeat the number of heads
    widths: tuple[str, ...] = ()  # attributes of ``home`` that repeat heads x width


@dataclass(frozen=True)
class Sublayer:
    """One attention or MLP sublayer with its norm and residual.

    The first argument of ``start`` is the stream before it. The output of ``end`` is the stream after it, or, where
    ``adds``, what the block adds to the stream. ``skip`` says what stands in for which module once it is removed.
    """

    kind: str  # "self", "cross" or "mlp"
    start: str
    end: str
    adds: bool
    skip: tuple[tuple[str, str], ...]
    heads: Heads | None = None

    def unit(self, stack: str, layer: int) -> Unit:
        """The unit that this sublayer is in some block."""
        return Unit(Site(stack, self.kind, layer), Grain.MLP if self.kind == "mlp" else Grain.ATTENTION)


@dataclass(frozen=True)
class Stack:
    """One pile of blocks."""

    name: str  # "encoder" or "decoder"
    blocks: str  # path of the ModuleList from the base model
    sublayers: tuple[Sublayer, ...]
    sizes: tuple[str, ...] = ("num_hidden_layers",)  # config keys that hold the number of blocks
    headless: tuple[tuple[str, str], ...] = ()  # a kind of attention that others have, and what stands there instead


def _split(query: str, key: str, value: str) -> tuple[Projection, ...]:
    return (Projection(query, ("query",)), Projection(key, ("key",)), Projection(value, ("value",)))


def _fused(name: str, interleaved: bool = False) -> tuple[Projection, ...]:
    return (Projection(name, ("query", "key", "value"), interleaved),)


def _normed_before(kind: str, norm: str, body: str, heads: Heads | None = None, after: str = "") -> Sublayer:
    """``x + body(norm(x))``, or ``x + after(body(norm(x)))`` in models with four norms."""
    empty = "no attention" if heads else "zero"
    skip = [(body, empty), (norm, "identity")] + ([(after, "identity")] if after else [])
    return Sublayer(kind, start=norm, end=after or body, adds=True, skip=tuple(skip), heads=heads)


def _normed_after(kind: str, norm: str, body: str, heads: Heads | None = None) -> Sublayer:
    """``norm(x + body(x))``."""
    empty = "no attention" if heads else "zero"
    return Sublayer(kind, start=body, end=norm, adds=False, skip=((body, empty), (norm, "identity")), heads=heads)


def bert(config: Any) -> tuple[Stack, ...]:
    """BERT and RoBERTa, as encoders or decoders: norm behind, output projection beside the attention."""

    def attention(kind: str, name: str) -> Sublayer:
        home = f"{name}.self"
        qkv = _split("query", "key", "value")
        counts, widths = ("num_attention_heads",), ("all_head_size",)
        heads = Heads(home, qkv, f"{name}.output.dense", "attention_head_size", counts, widths)
        return Sublayer(kind, start=name, end=name, adds=False, skip=((name, "pass attention"),), heads=heads)

    cross = [attention("cross", "crossattention")] if config.add_cross_attention else []
    skip = (("intermediate", "identity"), ("output", "second"))
    mlp = Sublayer("mlp", start="intermediate", end="output", adds=False, skip=skip)
    sublayers = (attention("self", "attention"), *cross, mlp)
    return (Stack("decoder" if config.is_decoder else "encoder", "encoder.layer", sublayers),)


def distilbert(config: Any) -> tuple[Stack, ...]:
    """DistilBERT: norm behind."""
    qkv = _split("q_lin", "k_lin", "v_lin")
    heads = Heads("attention", qkv, "attention.out_lin", "attention_head_size", ("n_heads",), ("dim",))
    sublayers = (
        _normed_after("self", "sa_layer_norm", "attention", heads),
        _normed_after("mlp", "output_layer_norm", "ffn"),
    )
    return (Stack("encoder", "transformer.layer", sublayers),)


def vit(config: Any) -> tuple[Stack, ...]:
    """ViT and DeiT: norm in front."""
    qkv = _split("q_proj", "k_proj", "v_proj")
    heads = Heads("attention", qkv, "attention.o_proj", counts=("num_attention_heads",))
    sublayers = (
        _normed_before("self", "layernorm_before", "attention", heads),
        _normed_before("mlp", "layernorm_after", "mlp"),
    )
    return (Stack("encoder", "layers", sublayers),)


def gpt2(config: Any) -> tuple[Stack, ...]:
    """GPT-2: queries, keys and values fused, weights transposed."""
    widths = ("split_size", "embed_dim")
    own = Heads("attn", _fused("c_attn"), "attn.c_proj", counts=("num_heads",), widths=widths)
    sublayers = [_normed_before("self", "ln_1", "attn", own)]
    if config.add_cross_attention:
        fused = (Projection("q_attn", ("query",)), Projection("c_attn", ("key", "value")))
        other = Heads("crossattention", fused, "crossattention.c_proj", counts=("num_heads",), widths=widths)
        sublayers.append(_normed_before("cross", "ln_cross_attn", "crossattention", other))
    return (Stack("decoder", "h", (*sublayers, _normed_before("mlp", "ln_2", "mlp"))),)


def gpt_neox(config: Any) -> tuple[Stack, ...]:
    """GPT-NeoX and Pythia: queries, keys and values fused head by head."""
    heads = Heads("attention", _fused("query_key_value", interleaved=True), "attention.dense", "head_size")
    # with the parallel residual both sublayers read the same stream; start and end say so without a special case
    sublayers = (
        _normed_before("self", "input_layernorm", "attention", heads),
        _normed_before("mlp", "post_attention_layernorm", "mlp"),
    )
    return (Stack("decoder", "layers", sublayers),)


_FEED_FORWARD = (("fc1", "zero"), ("fc2", "zero"), ("final_layer_norm", "identity"))


def opt(config: Any) -> tuple[Stack, ...]:
    """OPT, with the norm in front or, in the 350M model, behind."""
    qkv = _split("q_proj", "k_proj", "v_proj")
    heads = Heads("self_attn", qkv, "self_attn.out_proj", counts=("num_heads",))
    before = config.do_layer_norm_before
    attention = (_normed_before if before else _normed_after)("self", "self_attn_layer_norm", "self_attn", heads)
    # the MLP works on a flattened (batch x tokens, width) tensor; only the block's own output has both dimensions
    mlp = Sublayer("mlp", start="final_layer_norm" if before else "fc1", end="", adds=False, skip=_FEED_FORWARD)
    return (Stack("decoder", "decoder.layers", (attention, mlp)),)


def bart(before: bool) -> Callable[[Any], tuple[Stack, ...]]:
    """BART and Marian put the norm after the residual, mBART and M2M100 before it."""

    def attention(kind: str, name: str) -> Sublayer:
        qkv = _split("q_proj", "k_proj", "v_proj")
        heads = Heads(name, qkv, f"{name}.out_proj", counts=("num_heads",))
        return (_normed_before if before else _normed_after)(kind, f"{name}_layer_norm", name, heads)

    def stacks(config: Any) -> tuple[Stack, ...]:
        if before:
            mlp = Sublayer("mlp", start="final_layer_norm", end="fc2", adds=True, skip=_FEED_FORWARD)
        else:
            mlp = Sublayer("mlp", start="fc1", end="final_layer_norm", adds=False, skip=_FEED_FORWARD)
        own, cross = attention("self", "self_attn"), attention("cross", "encoder_attn")
        encoder = Stack("encoder", "encoder.layers", (own, mlp), ("encoder_layers", "num_hidden_layers"))
        return (encoder, Stack("decoder", "decoder.layers", (own, cross, mlp), ("decoder_layers",)))

    return stacks


def marian_ssru(config: Any) -> tuple[Stack, ...]:
    """Marian whose decoder has a recurrence in the place of its self-attention: it goes with its block only."""
    encoder, decoder = bart(before=False)(config)
    others = tuple(sublayer for sublayer in decoder.sublayers if sublayer.kind != "self")
    return (encoder, replace(decoder, sublayers=others, headless=(("self", "a recurrence (SSRU)"),)))


def t5(config: Any) -> tuple[Stack, ...]:
    """T5: every sublayer is a module with its norm and residual."""

    def attention(kind: str, place: str, name: str) -> Sublayer:
        home, qkv = f"{place}.{name}", _split("q", "k", "v")
        heads = Heads(home, qkv, f"{home}.o", "key_value_proj_dim", ("n_heads",), ("inner_dim",))
        skip = ((place, f"t5 {kind}"),)
        return Sublayer(kind, start=place, end=place, adds=False, skip=skip, heads=heads)

    def mlp(place: str) -> Sublayer:
        return Sublayer("mlp", start=place, end=place, adds=False, skip=((place, "pass"),))

    own, cross = attention("self", "layer.0", "SelfAttention"), attention("cross", "layer.1", "EncDecAttention")
    encoder = Stack("encoder", "encoder.block", (own, mlp("layer.1")), ("num_layers",))
    return (encoder, Stack("decoder", "decoder.block", (own, cross, mlp("layer.2")), ("num_decoder_layers",)))


def llama(config: Any) -> tuple[Stack, ...]:
    """Llama, Mistral, Qwen and Gemma: norm in front."""
    heads = Heads("self_attn", _split("q_proj", "k_proj", "v_proj"), "self_attn.o_proj")
    sublayers = (
        _normed_before("self", "input_layernorm", "self_attn", heads),
        _normed_before("mlp", "post_attention_layernorm", "mlp"),
    )
    return (Stack("decoder", "layers", sublayers),)


def four_norms(config: Any) -> tuple[Stack, ...]:
    """Gemma 2 and 3: norms in front of and behind each sublayer's body."""
    heads = Heads("self_attn", _split("q_proj", "k_proj", "v_proj"), "self_attn.o_proj")
    sublayers = (
        _normed_before("self", "input_layernorm", "self_attn", heads, after="post_attention_layernorm"),
        _normed_before("mlp", "pre_feedforward_layernorm", "mlp", after="post_feedforward_layernorm"),
    )
    return (Stack("decoder", "layers", sublayers),)
