"""Drop the attention sublayers whose queries and keys are coupled least (Saikumar and Varghese, 2025, Gate-Norm).

    coupling of a layer = sqrt( sum over its heads h of || W_Q,h^T W_K,h ||_F^2 )

Weights alone are read. A head's logits are x W_Q,h^T W_K,h y: where that product is small they are near zero whatever
x and y are, the head attends to everything alike, and the layer is taken to be muted. Query heads that share a key head
are each multiplied with it. The norm comes from small matrices, || A^T B ||_F^2 = sum of (A A^T) * (B B^T).

The abstract says that sublayers are ranked by query-key coupling, least first, without data; how heads are joined is
our reading (no code was released, and the paper's body was not at hand), so it is a parameter: ``product: layer`` adds
the products of all heads before the norm is taken, as if W_Q^T W_K were one matrix. Left out of both are biases, norms
of queries and keys, positions and the constant 1 / sqrt(size), which is the same in all layers. The paper has decoders
alone; here sublayers of an encoder and cross-attention stand in the same list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from headroom.api import Context, Grain, Method, Plan, Site


class GateNorm(Method):
    name = "gate-norm"
    title = "Gate-Norm"
    paper = "arXiv:2512.20636"
    calibrated = False

    @dataclass(frozen=True)
    class Params:
        product: Literal["head", "layer"] = "head"

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.ATTENTION,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = ctx.units.zeros()
        for site in score:
            score[site] += self.coupling(ctx, site)
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def coupling(self, ctx: Context, site: Site) -> Any:
        """How far queries and keys of a layer depend on each other; 0 for one that attends to everything alike."""
        heads = [ctx.weights(head) for head in ctx.heads_of(site)]
        query, key = (torch.stack([head[role].double() for head in heads]) for role in ("query", "key"))
        if self.params.product == "layer":  # (1, heads x size, width): all heads as one
            query, key = query.flatten(0, 1)[None], key.flatten(0, 1)[None]
        return ((query @ query.mT) * (key @ key.mT)).sum().clamp_min(0).sqrt()
