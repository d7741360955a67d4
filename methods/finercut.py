"""Remove the sublayer without which the model's answers change least, and again on what is left (Zhang et al., 2024).

    next = argmin over what is left of mean over tokens of JS( p(dense), p(without the removed and this one) )
    JS(p, q) = ( KL(p || m) + KL(q || m) ) / 2,   m = (p + q) / 2

p and q are the distributions over the next token, or over classes. Instead of the Jensen-Shannon divergence the
distance can be the norm of the difference of logits, the angle between them, acos(clamp(cos, 0, 1)), or KL(p || q).

``early: 0.4`` is the released ``-x 0.4``: the first blocks of a stack take no part until int(0.4 S) + 1 of the S
sublayers that may go have gone. ``spared`` says how many: ``share`` is int(0.4 L) + 1 of L blocks, whichever
sublayers may go, and none for 0; ``released`` is int(0.4 S / 2) + 1. They are the same number, 13 of 32, where
attention and MLP may go, and half as many, 7 of 32, where one of them may. The blocks below a candidate run once for
all candidates (``each_silenced``).

What the released code does differently: its "JS" has the arguments of both terms the other way round, (KL(m || p) +
KL(m || q)) / 2, which is ``distance: released`` here. It is not the Jensen-Shannon divergence and not bounded: it goes
on growing where q forgets a word that p knows. Its mean over tokens and vocabulary only rescales. Its norm is taken
over all tokens of an example at once, ours per token, so that padding and lengths do not matter. Its ``-x 0`` still
withholds block 0 from the first removal, which ``spared: released`` does as well.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Unit

GRAINS = {"joint": (Grain.ATTENTION, Grain.MLP), "attention": (Grain.ATTENTION,), "mlp": (Grain.MLP,)}


class FinerCut(Method):
    name = "finercut"
    title = "FinerCut"
    paper = "arXiv:2405.18218"
    sees_duplicates = True

    @dataclass(frozen=True)
    class Params:
        remove: Literal["joint", "attention", "mlp"] = "joint"
        distance: Literal["js", "released", "norm", "angular", "kl"] = "js"
        early: float = 0.0
        spared: Literal["share", "released"] = "share"
        examples: int = 10
        batch_size: int = 10

    def removes(self) -> tuple[Grain, ...]:
        return GRAINS[self.params.remove]

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        batches = list(ctx.calibration(self.params.examples, self.params.batch_size))
        dense = [ctx.logits(batch) for batch in batches]
        gone: list[Unit] = []
        for target in targets:
            while len(gone) < ctx.units.count(target):
                gone.append(self.next(ctx, gone, batches, dense))
            yield Plan(target, frozenset(gone))

    def next(self, ctx: Context, gone: list[Unit], batches: list[Any], dense: list[Any]) -> Unit:
        """The candidate whose loss changes the answers least; ties by place."""
        total = dict.fromkeys(self.candidates(ctx, gone), 0.0)
        with ctx.silenced(gone):
            for batch, before in zip(batches, dense, strict=True):
                for unit, after in ctx.each_silenced(batch, total):
                    total[unit] += float(DISTANCES[self.params.distance](real(before, batch), real(after, batch)).sum())
        return min(total, key=lambda unit: (total[unit], unit.place))

    def candidates(self, ctx: Context, gone: list[Unit]) -> list[Unit]:
        """What is left, without the early blocks as long as these are spared."""
        left = [unit for unit in ctx.units if unit not in set(gone)]
        if len(gone) > int(len(ctx.units) * self.params.early):
            return left
        later = [unit for unit in left if unit.site.layer >= self.spared(ctx, unit.site.stack)]
        return later or left  # where every block is early, none is spared

    def spared(self, ctx: Context, stack: str) -> int:
        """How many blocks of a stack take no part at first."""
        mine = [unit for unit in ctx.units if unit.site.stack == stack]
        if self.params.spared == "released":
            return int(len(mine) * self.params.early / 2) + 1
        layers = 1 + max(unit.site.layer for unit in mine)
        return int(layers * self.params.early) + 1 if self.params.early else 0


def real(logits: Any, batch: Any) -> Any:
    """Answers to real tokens, (tokens, vocabulary), or one per example, (batch, classes); float32."""
    labels = batch["labels"]
    return logits.float() if labels.dim() == 1 else logits.float()[labels != -100]


def kl(p: Any, q: Any) -> Any:
    """KL(p || q) of log-probabilities, (tokens,)."""
    return (p.exp() * (p - q)).sum(-1)


def js(p: Any, q: Any) -> Any:
    """Jensen-Shannon divergence of log-probabilities, (tokens,)."""
    middle = p.logaddexp(q) - p.new_tensor(2.0).log()
    return (kl(p, middle) + kl(q, middle)) / 2


def turned(p: Any, q: Any) -> Any:
    """What the released code calls so: the divergences of the middle from both, (tokens,)."""
    middle = p.logaddexp(q) - p.new_tensor(2.0).log()
    return (kl(middle, p) + kl(middle, q)) / 2


def angle(one: Any, other: Any) -> Any:
    cosine = (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1)).clamp_min(1e-8)
    return cosine.clamp(0, 1).acos()


DISTANCES: dict[str, Callable[[Any, Any], Any]] = {
    "js": lambda dense, now: js(dense.log_softmax(-1), now.log_softmax(-1)),
    "released": lambda dense, now: turned(dense.log_softmax(-1), now.log_softmax(-1)),
    "kl": lambda dense, now: kl(dense.log_softmax(-1), now.log_softmax(-1)),
    "norm": lambda dense, now: (dense - now).norm(dim=-1),
    "angular": angle,
}
