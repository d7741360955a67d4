"""Remove the heads whose output weights are smallest: the sum of the L2 norms of a head's output columns.

``scope="global"`` divides each site's scores by their L2 norm, so that sites of different scale can be compared, and
sorts all heads together; ``scope="site"`` removes the same share of every site.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan


class MagnitudeHeads(Method):
    name = "magnitude-heads"
    title = "Magnitude"
    paper = "none"
    calibrated = False

    @dataclass(frozen=True)
    class Params:
        scope: Literal["global", "site"] = "global"

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def expected_failures(self) -> dict[str, str]:
        why = "The same share goes of every site, so one that is rich in dead heads keeps some of them."
        return {"check_the_dead_go_before_the_vital": why} if self.params.scope == "site" else {}

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = ctx.units.zeros()
        for site, units in ctx.units.sites.items():
            for place, unit in enumerate(units):  # in a model that lost heads before, place and index differ
                # sum over the head's input channels j of || W_O[:, j] ||_2
                score[site][place] = ctx.weights(unit)["out"].float().norm(dim=0).sum()
        score = {site: s / s.norm() if self.params.scope == "global" else ranks(s) for site, s in score.items()}
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))


def ranks(scores: Any) -> Any:
    """The place of each head within its site, 0 to 1: sorting by it removes evenly from all sites."""
    return scores.argsort(stable=True).argsort().float() / len(scores)
