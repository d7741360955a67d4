"""Drop the run of consecutive blocks that turns the stream least from its start to its end (Gromov et al., 2024).

    d(l, n) = mean over examples of arccos( cos(x_l, x_(l+n)) ) / pi        (equation 7, on the last token)

x_l is the stream before block l, so a run of n blocks is judged by the n-th diagonal of the table of distances.
(LLM-Drop's consecutive block drop reads one diagonal further and so judges runs of n + 1 blocks to drop n.)

The last token is what a language model reads its answer from; encoders that classify are read at their first, which
is taken there. ``token: all`` takes the mean over all tokens and ``distance: cosine`` is 1 - cos: together they are
LLM-Drop's consecutive blocks. An encoder-decoder loses one run from each stack: of all ways to share n blocks out
between them, the one with the smallest sum. Runs of different length need not be nested.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Site

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

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        stacks = {name: [unit for unit in ctx.units if unit.site.stack == name] for name in stack_names(ctx)}
        apart = {name: self.apart(ctx, [unit.site for unit in units]) for name, units in stacks.items()}
        for target in targets:
            runs = closest(list(apart.values()), ctx.units.count(target))
            pairs = zip(stacks.values(), runs, strict=True)
            yield Plan(target, frozenset(units[place] for units, (_, places) in pairs for place in places))

    def apart(self, ctx: Context, sites: list[Site]) -> Any:
        """Mean distance of the stream before each block, and after the last, from each other: (blocks + 1) squared."""
        total, tokens = 0, 0
        # one example a batch, so that its last token is the last of the batch
        size = 1 if self.params.token == "last" else self.params.batch_size
        with ctx.stream() as stream:
            for batch in ctx.calibration(self.params.examples, size):
                ctx.logits(batch)
                found = self.distances([stream.around(site) for site in sites], ctx.info.purpose)
                total, tokens = total + found.sum(-1), tokens + found.shape[-1]
        return total / tokens

    def distances(self, around: list[tuple[Any, Any]], purpose: str) -> Any:
        """Of the streams along a stack in one batch: (blocks + 1, blocks + 1, tokens)."""
        from torch import stack
        from torch.nn.functional import normalize

        states = stack([around[0][0], *(after for _, after in around)]).double()
        if self.params.token == "last":
            states = states[:, :1] if "classification" in purpose else states[:, -1:]
        directions = normalize(states, dim=-1)
        cosine = (directions[:, None] * directions[None]).sum(-1).clamp(-1, 1)
        return 1 - cosine if self.params.distance == "cosine" else cosine.arccos() / cosine.new_tensor(-1).arccos()


def stack_names(ctx: Context) -> list[str]:
    return sorted({unit.site.stack for unit in ctx.units})


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
