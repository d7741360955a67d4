"""Remove the attention sublayers that add least to the entropy of the final representation (Lin et al., 2024, NOSE).

    H = sum over features j of log sigma_j        (entropy of the final representation, up to constants)
    TE(set) = | H(all) - H(without the set) |     (transfer entropy)

sigma_j is the standard deviation of a feature over the calibration examples. The paper speaks of the final output
layer, and ``representation`` says what is read there. ``cls``, the default, is what the released code reads: the
first token of every image after the final norm. ``logits`` is its second measure, at the class head. ``stream`` is
all real tokens of the last block's output, before the final norm.

Where no first token stands for the example (decoders and encoder-decoders), ``cls`` and ``logits`` read every real
token of what the head reads, the decoder's where there are two stacks; where the norm stands behind the residual
(BERT) the last block's output is already normed. The method was made for vision encoders.

The paper looks for the set with the smallest transfer entropy and released no search: this is the greedy one,
sublayer by sublayer. The paper then trains while the chosen sublayers fade out; ``posthoc`` means that nothing is
trained here.

What the released code does differently: it measures H for a set that is given by hand. In a layer of that set the
stream is doubled, as its training leaves it, and here it passes as it is, as in the model that nobody trained. At the
head it takes the logarithm to base 2 and the sample's deviation, which scale and shift H and choose no other set.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Site, Unit

Rows = Callable[[Any, Any], Any]  # of a batch and its logits: the final representation, (rows, width)


class NosePosthoc(Method):
    name = "nose-posthoc"
    title = "NOSE, post hoc"
    paper = "arXiv:2404.05657"

    @dataclass(frozen=True)
    class Params:
        representation: Literal["cls", "logits", "stream"] = "cls"
        examples: int = 64
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.ATTENTION,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        batches = list(ctx.calibration(self.params.examples, self.params.batch_size))
        dense, gone = self.entropy_of_all(ctx, batches), list[Unit]()
        for target in targets:
            while len(gone) < ctx.units.count(target):
                transfer = {unit: abs(dense - h) for unit, h in self.entropy_without(ctx, batches, gone).items()}
                gone.append(min(transfer, key=lambda unit: (transfer[unit], unit.place)))
            yield Plan(target, frozenset(gone))

    def entropy_of_all(self, ctx: Context, batches: list[Any]) -> float:
        spread = Spread()
        with self.final(ctx) as final:
            for batch in batches:
                spread.add(final(batch, ctx.logits(batch)))
        return spread.entropy

    def entropy_without(self, ctx: Context, batches: list[Any], gone: list[Unit]) -> dict[Unit, float]:
        """H with each sublayer that is left switched off beside those that have gone."""
        spreads = {unit: Spread() for unit in ctx.units if unit not in set(gone)}
        with ctx.silenced(gone), self.final(ctx) as final:
            for batch in batches:
                for unit, logits in ctx.each_silenced(batch, spreads):
                    spreads[unit].add(final(batch, logits))
        return {unit: spread.entropy for unit, spread in spreads.items()}

    @contextmanager
    def final(self, ctx: Context) -> Iterator[Rows]:
        """Watch the final representation of the last pass."""
        if self.params.representation == "stream":
            with ctx.stream() as stream:
                yield lambda batch, logits: stream.around(last_block(ctx))[1]
        elif self.params.representation == "logits":
            yield lambda batch, logits: speaking(ctx, batch, logits)
        else:
            with after_final_norm(ctx) as states:
                yield lambda batch, logits: speaking(ctx, batch, states[-1])


class Spread:
    """Sums from which the standard deviation of every feature comes out, in float64."""

    def __init__(self) -> None:
        self.count, self.sum, self.squares = 0, 0.0, 0.0

    def add(self, states: Any) -> None:
        """States (rows, width)."""
        states = states.double()
        self.count += len(states)
        self.sum, self.squares = self.sum + states.sum(0), self.squares + states.square().sum(0)

    @property
    def entropy(self) -> float:
        variance: Any = (self.squares - self.sum * self.sum / self.count) / self.count
        return float(variance.clamp_min(1e-12).log().sum() / 2)  # log sigma = log(sigma squared) / 2


@contextmanager
def after_final_norm(ctx: Context) -> Iterator[list[Any]]:
    """What the model hands to its head, (batch, tokens, width), the last entry that of the last pass."""
    model: Any = ctx.model
    body, states = model.get_decoder(), list[Any]()  # the whole body, where there is but one stack

    def keep(module: Any, inputs: Any, output: Any) -> None:
        states[:] = [output[0]]

    handle = body.register_forward_hook(keep)
    try:
        yield states
    finally:
        handle.remove()


def speaking(ctx: Context, batch: Any, states: Any) -> Any:
    """Of what was made of a batch, the rows that speak for its examples."""
    if states.dim() == 2:  # scores of classes
        return states
    if all(site.stack == "encoder" for site in ctx.info.sites):
        return states[:, 0]
    labels = batch["labels"]
    return states[labels != -100 if labels.dim() == 2 else batch["attention_mask"].bool()]


def last_block(ctx: Context) -> Site:
    """The block whose output the model answers from."""
    stack, layer = max((site.stack == "decoder", site.layer) for site in ctx.info.sites)
    return Site("decoder" if stack else "encoder", "block", layer)
