"""Remove the attention sublayers that add least to the entropy of the final representation (Lin et al., 2024, NOSE).

    H = sum over features j of log sigma_j        (entropy of the last block's output, up to constants)
    TE(set) = | H(all) - H(without the set) |     (transfer entropy)

sigma_j is the standard deviation of a feature over all real tokens of the calibration examples. The paper looks for
the set with the smallest transfer entropy and released no search: this is the greedy one, sublayer by sublayer. The
paper then trains while the chosen sublayers fade out; ``posthoc`` means that nothing is trained here. It was made for
vision encoders; for an encoder-decoder the final representation is the decoder's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headroom.api import Context, Grain, Method, Plan, Site, Unit


class NosePosthoc(Method):
    name = "nose-posthoc"
    title = "NOSE, post hoc"
    paper = "arXiv:2404.05657"

    @dataclass(frozen=True)
    class Params:
        examples: int = 64
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.ATTENTION,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        batches = list(ctx.calibration(self.params.examples, self.params.batch_size))
        dense, gone = entropy_of_all(ctx, batches), list[Unit]()
        for target in targets:
            while len(gone) < ctx.units.count(target):
                transfer = {unit: abs(dense - h) for unit, h in entropy_without(ctx, batches, gone).items()}
                gone.append(min(transfer, key=lambda unit: (transfer[unit], unit.place)))
            yield Plan(target, frozenset(gone))


class Spread:
    """Sums from which the standard deviation of every feature comes out, in float64."""

    def __init__(self) -> None:
        self.count, self.sum, self.squares = 0, 0.0, 0.0

    def add(self, states: Any) -> None:
        """States (tokens, width)."""
        states = states.double()
        self.count += len(states)
        self.sum, self.squares = self.sum + states.sum(0), self.squares + states.square().sum(0)

    @property
    def entropy(self) -> float:
        variance: Any = (self.squares - self.sum * self.sum / self.count) / self.count
        return float(variance.clamp_min(1e-12).log().sum() / 2)  # log sigma = log(sigma squared) / 2


def last_block(ctx: Context) -> Site:
    """The block whose output the model answers from."""
    stack, layer = max((site.stack == "decoder", site.layer) for site in ctx.info.sites)
    return Site("decoder" if stack else "encoder", "block", layer)


def entropy_of_all(ctx: Context, batches: list[Any]) -> float:
    spread = Spread()
    with ctx.stream() as stream:
        for batch in batches:
            ctx.logits(batch)
            spread.add(stream.around(last_block(ctx))[1])
    return spread.entropy


def entropy_without(ctx: Context, batches: list[Any], gone: list[Unit]) -> dict[Unit, float]:
    """H with each sublayer that is left switched off beside those that have gone."""
    spreads = {unit: Spread() for unit in ctx.units if unit not in set(gone)}
    with ctx.silenced(gone), ctx.stream() as stream:
        for batch in batches:
            for unit, _ in ctx.each_silenced(batch, spreads):
                spreads[unit].add(stream.around(last_block(ctx))[1])
    return {unit: spread.entropy for unit, spread in spreads.items()}
