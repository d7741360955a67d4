"""Which heads of the deepest self-attention look at a neighbour or at the rarest token, by calibration example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headroom import attention
from headroom.api import Site, Unit
from headroom.claims.claim import NotTestable
from headroom.claims.probe import Probe
from headroom.errors import UserError

EXAMPLES = 256
POSITIONAL, RARE = 0.9, 0.5  # Voita et al.: of the tokens; of the sentences (they find 66 % and 50 %)
Array = np.ndarray


@dataclass(frozen=True)
class Roles:
    """What every head's largest weights point at. All arrays are (examples, heads) unless they say otherwise."""

    units: list[Unit]
    before: Array  # tokens whose largest weight is on the token before
    after: Array  # on the token behind
    tokens: Array  # (examples,): tokens that have a neighbour on that side
    rarest: Array  # 1 where the token that most tokens point at is the rarest of the example

    def of(self, weights: Array) -> Array:
        """Which heads have a role, (heads, 3) of true and false: before, after, rare; ``weights`` of the examples."""
        tokens = weights @ self.tokens
        shares = [weights @ self.before / tokens, weights @ self.after / tokens]
        return np.stack([*(share >= POSITIONAL for share in shares), weights @ self.rarest / weights.sum() >= RARE], -1)

    def special(self, weights: Array) -> Array:
        """Which heads have any role, (heads,)."""
        return np.asarray(self.of(weights).any(axis=-1))


def roles(probe: Probe) -> Roles:
    """Raises ``NotTestable`` for images, and for attention that hands out no maps."""
    sites = self_attention(probe)
    units = [unit for site in sites for unit in probe.sites[site]]
    found = probe.remember("roles", lambda: _looked(probe, sites), Path(__file__), examples=EXAMPLES)
    if found["reason"]:
        raise NotTestable(found["reason"])
    return Roles(units, found["before"], found["after"], found["tokens"], found["rarest"])


def self_attention(probe: Probe) -> list[Site]:
    """Self-attention of the stack with most layers, the encoder of equals."""
    stacks: dict[str, list[Site]] = {}
    for site in sorted(site for site in probe.sites if site.kind == "self"):
        stacks.setdefault(site.stack, []).append(site)
    return max(stacks.values(), key=len)


def _looked(probe: Probe, sites: list[Site]) -> dict[str, Any]:
    examples = list(probe.calibration(EXAMPLES, 1))
    if "input_ids" not in examples[0]:
        return {"reason": "Patches of images have no words before or behind them."}
    counts = torch.cat([batch["input_ids"].flatten() for batch in examples]).bincount()
    rows: list[tuple[Array, Array, int, Array]] = []
    try:
        with attention.heads(probe.model, "map") as heads, torch.inference_mode():
            for batch in examples:
                probe.model(**batch)
                maps = torch.cat([heads.at(site)[0] for site in sites])  # (heads, queries, keys)
                rows.append(pointed(maps, counts[batch["input_ids"][0]]))
    except UserError as error:
        return {"reason": str(error)}
    before, after, tokens, rarest = zip(*rows, strict=True)
    stacked = {"before": np.stack(before), "after": np.stack(after), "rarest": np.stack(rarest)}
    return {"reason": "", "tokens": np.array(tokens)} | stacked


def pointed(maps: Tensor, counts: Tensor) -> tuple[Array, Array, int, Array]:
    """Of one example: tokens that point at the token before and behind, their number, and hits of the rarest.

    ``maps`` (heads, queries, keys); ``counts`` (keys,), how often each token occurs in all the examples.
    """
    target, place = maps.argmax(-1), torch.arange(maps.shape[1])  # (heads, queries)
    before, after = (target == place - 1).sum(-1), (target == place + 1).sum(-1)
    hits = torch.stack([row.bincount(minlength=maps.shape[2]) for row in target])
    rarest = counts[hits.argmax(-1)] == counts.min()
    return before.numpy(), after.numpy(), maps.shape[1] - 1, rarest.numpy().astype(float)
