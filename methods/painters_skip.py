"""Skip the middle blocks, as many as asked for (Sun et al., 2024, "Transformer Layers as Painters").

    of T blocks run l <= s and l >= T - s, so that the T - 2s - 1 in the middle go        (mode ``skip``)

The last s blocks and the first s + 1 stay; for the counts between, the first and the last s stay. No data are looked
at, and the plans are nested. The stacks of an encoder-decoder lose their middles together.

The paper's other modes remove nothing: ``middle-repeat`` runs one block in place of all of them (fewer weights, the
same work), ``reverse`` and ``random`` run the same blocks in another order, and ``loop-parallel`` runs all of them
side by side. They are forms of execution without units that go, so they have no plans here.
"""

from collections.abc import Iterator, Sequence

from headroom.api import Context, Grain, Method, Plan


class PaintersSkip(Method):
    name = "painters-skip"
    title = "Skip the middle"
    paper = "arXiv:2407.09298"
    calibrated = False
    scores = False

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.BLOCK,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = ctx.units.zeros()
        for stack in {site.stack for site in ctx.units.sites}:
            sites = sorted(site for site in ctx.units.sites if site.stack == stack)
            for place, site in enumerate(sites):
                score[site] += turn(place, len(sites)) / len(sites)
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))


def turn(place: int, blocks: int) -> int:
    """The smallest number of middle blocks that has this one among them."""
    return next(n for n in range(1, blocks + 1) if 0 <= place - (blocks - n + 1) // 2 < n)
