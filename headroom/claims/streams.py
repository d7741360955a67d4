"""How similar the residual stream is before and after each attention, and between layers, by calibration example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from headroom import attention
from headroom.api import Site
from headroom.claims.probe import Probe

EXAMPLES = 256  # He et al. calibrate on as many
Array = np.ndarray


@dataclass(frozen=True)
class Streams:
    """Sums over the tokens of each example, so that any set of examples can be scored."""

    sites: list[Site]
    cosine: Array  # (examples, sites): cos(before, after), summed over tokens
    tokens: Array  # (examples, sites)
    between: Array  # (examples, layers, layers): mean over tokens of the cosine of two layers' outputs, deepest stack

    def distances(self, examples: Array) -> Array:
        """He et al., equation 1, over these examples: 1 - mean over tokens of cos(before, after), (sites,)."""
        return 1 - self.cosine[examples].sum(axis=0) / self.tokens[examples].sum(axis=0)

    def mean_distance(self, weights: Array, kinds: Sequence[str]) -> float:
        """The mean of equation 1 over the sites of these kinds, with each example weighted, (examples,)."""
        mine = [site.kind in kinds for site in self.sites]
        return float(np.mean(1 - (weights @ self.cosine[:, mine]) / (weights @ self.tokens[:, mine])))


def streams(probe: Probe, kinds: Sequence[str] = ("self", "cross")) -> Streams:
    """Around the sites of these kinds, one example at a time, so that sums belong to examples.

    Two or three seconds for a small model.
    """
    sites = [site for site in sorted(probe.plan.places) if site.kind in kinds]
    watched, rest = partial(_watched, probe, sites), {"examples": EXAMPLES, "kinds": list(kinds)}
    found = probe.remember("streams", watched, Path(__file__), **rest)
    return Streams(sites, found["cosine"], found["tokens"], found["between"])


def _watched(probe: Probe, sites: list[Site]) -> dict[str, Any]:
    blocks = deepest_blocks(probe)
    rows: list[tuple[list[float], list[int], Array]] = []
    with attention.watch(probe.model) as stream, torch.inference_mode():
        for batch in probe.calibration(EXAMPLES, 1):
            probe.model(**batch)
            around = [stream.around(site) for site in sites]
            cosine = [float(cosine_similarity(before, after, dim=-1).sum()) for before, after in around]
            after_blocks = torch.stack([stream.around(block)[1] for block in blocks])
            rows.append((cosine, [len(before) for before, _ in around], between(after_blocks)))
    cosines, tokens, layers = zip(*rows, strict=True)
    return {"cosine": np.array(cosines), "tokens": np.array(tokens), "between": np.stack(layers)}


def between(states: Tensor) -> Array:
    """Mean over tokens of the cosine of every two layers, (layers, layers), from (layers, tokens, width)."""
    unit = normalize(states.float().cpu(), dim=-1)
    return (torch.einsum("itw,jtw->ij", unit, unit) / states.shape[1]).numpy()


def deepest_blocks(probe: Probe) -> list[Site]:
    """The blocks of the stack that has most of them, the encoder of equals."""
    stacks: dict[str, list[Site]] = {}
    for site in sorted(site for site in probe.plan.places if site.kind == "block"):
        stacks.setdefault(site.stack, []).append(site)
    return max(stacks.values(), key=len)
