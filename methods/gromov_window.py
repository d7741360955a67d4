"""Drop the run of consecutive blocks that turns the stream least from its start to its end (Gromov et al., 2024).

    d(l, n) = mean over examples of arccos( cos(x_l, x_(l+n)) ) / pi        (equation 7, on the last token)

x_l is the stream before block l, so a run of n blocks is judged by the n-th diagonal of the table of distances.

The last token is what a language model reads its answer from; encoders that classify are read at their first, which
is taken there. ``token: all`` takes the mean over all tokens and ``distance: cosine`` is 1 - cos: together they are
LLM-Drop's consecutive blocks. An encoder-decoder loses one run from each stack: of all ways to share n blocks out
between them, the one with the smallest sum. Runs of different length need not be nested.

What the released code does differently: LLM-Drop's consecutive block drop reads one diagonal further and so judges runs
of n + 1 blocks to drop n. PruneMe reads the stream after the last block behind the final norm, so that runs with the
last block look far longer than they are; here it is the stream itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import pi
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Site, Unit

Run = tuple[float, range]  # distance and places in the stack


class GromovWindow(Method):
    name = "gromov-window"
    title = "Consecutive blocks"
    paper = "arXiv:2403.17887"

    @dataclass(frozen=True)
    class Params:
        token: Literal["last", "all"] = "last"
        distance: Literal["angular", "cosine"] = "angular"
        examples: int = 256
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.BLOCK,)

    def expected_failures(self) -> dict[str, str]:
        why = "One token hardly moves in a block that other tokens cannot do without: an image has many of those."
        return {"check_the_dead_go_before_the_vital": why} if self.params.token == "last" else {}

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        stacks = stacks_of(ctx)
        apart = self.apart(ctx, [[unit.site for unit in units] for units in stacks])
        for target in targets:
            runs = closest(apart, ctx.units.count(target))
            drop = (units[place] for units, (_, places) in zip(stacks, runs, strict=True) for place in places)
            yield Plan(target, frozenset(drop))

    def apart(self, ctx: Context, stacks: list[list[Site]]) -> list[Any]:
        """For each stack the mean distance of the streams before its blocks, and after the last, from each other."""
        totals, tokens = [0.0 for _ in stacks], [0 for _ in stacks]
        # one example a batch, so that its last token is the last of the batch
        size = 1 if self.params.token == "last" else self.params.batch_size
        with ctx.stream() as stream:
            for batch in ctx.calibration(self.params.examples, size):
                ctx.logits(batch)
                for which, sites in enumerate(stacks):
                    found = self.distances([stream.around(site) for site in sites], ctx.info.purpose)
                    totals[which], tokens[which] = totals[which] + found.sum(-1), tokens[which] + found.shape[-1]
        return [total / count for total, count in zip(totals, tokens, strict=True)]

    def distances(self, around: list[tuple[Any, Any]], purpose: str) -> Any:
        """Of the streams along a stack in one batch: (blocks + 1, blocks + 1, tokens)."""
        from torch import einsum, stack
        from torch.nn.functional import normalize

        states = stack([around[0][0], *(after for _, after in around)]).double()
        if self.params.token == "last":
            states = states[:, :1] if "classification" in purpose else states[:, -1:]
        directions = normalize(states, dim=-1)
        cosine = einsum("itw,jtw->ijt", directions, directions).clamp(-1, 1)
        return 1 - cosine if self.params.distance == "cosine" else cosine.arccos() / pi


def stacks_of(ctx: Context) -> list[list[Unit]]:
    """The blocks of each stack, from the first to the last."""
    names = sorted({unit.site.stack for unit in ctx.units})
    return [[unit for unit in ctx.units if unit.site.stack == name] for name in names]


def closest(apart: list[Any], count: int) -> list[Run]:
    """One run of blocks per stack, ``count`` blocks together, with the smallest sum of distances."""
    sizes = product(*(range(len(table)) for table in apart))
    runs = [[run(table, n) for table, n in zip(apart, sizes, strict=True)] for sizes in sizes if sum(sizes) == count]
    return min(runs, key=lambda found: sum(distance for distance, _ in found))


def run(apart: Any, n: int) -> Run:
    """The run of n blocks between whose ends the stream changes least."""
    if n == 0:
        return 0.0, range(0)
    candidates = apart.diagonal(n)  # entry l: from before block l to after block l + n - 1
    start = int(candidates.argmin())
    return float(candidates[start]), range(start, start + n)
