"""Small modules that stand where attention, MLPs and norms stood, so that no block's forward is rewritten."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def fill_slot(layer_idx: int | None, hidden: Tensor, kwargs: dict[str, Any]) -> None:
    """Keep the cache slot of a self-attention that has gone alive: write a (batch, 1, tokens, 1) zero, if there is one.

    Positions and masks are computed from the length of one slot, often the first. Left empty it stays at length 0 and
    generation goes wrong without any error.
    """
    cache = kwargs.get("past_key_values")
    cache = kwargs.get("layer_past") if cache is None else cache  # GPT-NeoX has its own name for it
    cache = getattr(cache, "self_attention_cache", cache)
    if cache is not None and layer_idx is not None:
        zero = hidden.new_zeros(hidden.shape[0], 1, hidden.shape[1], 1)
        cache.update(zero, zero, layer_idx)


class Slot(nn.Module):
    """Stands where an attention stood and knows its cache slot."""

    def __init__(self, layer_idx: int | None) -> None:
        super().__init__()
        self.layer_idx = layer_idx  # None: a cross-attention or an encoder, which has no slot to keep


class NoAttention(Slot):
    """An attention without heads: zero, or the bias of its output projection where ``bias`` is given.

    ``shaped`` gives zeros of shape (batch, tokens, 1), for families whose output projection is a module of its own.
    """

    def __init__(self, layer_idx: int | None, bias: nn.Parameter | None = None, shaped: bool = False) -> None:
        super().__init__(layer_idx)
        self.bias = bias
        self.shaped = shaped

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, None]:
        fill_slot(self.layer_idx, hidden_states, kwargs)
        leading = hidden_states.shape[:-1]
        if self.bias is not None:
            return self.bias.to(hidden_states.dtype).expand(*leading, -1), None
        return hidden_states.new_zeros((*leading, 1) if self.shaped else ()), None


class OnlyBias(nn.Module):
    """What is left of an output projection without inputs."""

    def __init__(self, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, zeros: Tensor) -> Tensor:
        return zeros if self.bias is None else zeros + self.bias


class PassAttention(Slot):
    """A sublayer with residual and norm inside (BERT) that has gone: the stream passes."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, None]:
        fill_slot(self.layer_idx, hidden_states, kwargs)
        return hidden_states, None


class Zero(nn.Module):
    """An MLP that has gone: a 0-dimensional zero, which the residual add broadcasts at no cost."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        return hidden_states.new_zeros(())


class Second(nn.Module):
    """BERT's output module of an MLP that has gone: the stream comes as the second argument."""

    def forward(self, hidden_states: Tensor, stream: Tensor) -> Tensor:
        return stream


class Remembered(nn.Module):
    """Stands where a block stood and answers with what that block made before; in all else it is the block.

    A stand-in rather than another ``forward`` on the block: hooks on the block do not run again, and they must not,
    since what is remembered has been through them (and those on OPT's MLP need what never runs here).
    """

    def __init__(self, block: nn.Module, output: Any) -> None:
        super().__init__()
        object.__setattr__(self, "_block", block)  # not as a submodule: its parameters stay under their own names
        self._output = output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)

    def forward(self, *_: Any, **__: Any) -> Any:
        return self._output


def stand_in(kind: str, layer_idx: int | None) -> nn.Module:
    """The module that a family's table names."""
    if kind == "no attention":
        return NoAttention(layer_idx)
    if kind == "pass attention":
        return PassAttention(layer_idx)
    return {"zero": Zero, "second": Second, "identity": nn.Identity, "pass": nn.Identity}[kind]()


def put(block: nn.Module, path: str, module: nn.Module) -> None:
    """Set a submodule by its path, in the mode of the block."""
    parent, _, name = path.rpartition(".")
    module.train(block.training)
    setattr(block.get_submodule(parent), name, module)


def fresh(parameter: nn.Parameter, data: Tensor) -> nn.Parameter:
    """A parameter with new data that asks for gradients exactly where the old one did."""
    return nn.Parameter(data, requires_grad=parameter.requires_grad)
