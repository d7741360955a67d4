"""What the heads of the deepest self-attention look at, by calibration example: a neighbour, rare words, relations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headroom import attention
from headroom.api import Site, Unit
from headroom.claims.finding import NotTestable
from headroom.claims.probe import Probe
from headroom.claims.relations import commonest, hit, related
from headroom.errors import UserError

EXAMPLES = 256
POSITIONAL, RARE = 0.9, 0.5  # Voita et al.: of the tokens; of the sentences (they find 66 % and 50 %)
SYNTACTIC = 0.1  # above the share that the best fixed offset finds
Array = np.ndarray


@dataclass(frozen=True)
class Roles:
    """What every head's largest weights point at. Counts are (examples, heads) unless they say otherwise."""

    units: list[Unit]
    before: Array  # tokens whose largest weight is on the token before
    after: Array  # on the token behind
    tokens: Array  # (examples,): tokens that have a neighbour on that side
    rarest: Array  # 1 where the token that most tokens point at is the rarest of the example
    found: Array  # (examples, heads, relations): words that point at the word they belong to
    pairs: Array  # (examples, relations): how many there are
    offset: Array  # (relations,): share of the pairs that have the commonest distance

    def of(self, weights: Array) -> Array:
        """Which heads have which role, (heads, 3 + relations) of true and false; ``weights`` of the examples."""
        tokens = weights @ self.tokens
        neighbour = [weights @ self.before / tokens, weights @ self.after / tokens]
        rare = weights @ self.rarest / weights.sum()
        right = np.tensordot(weights, self.found, 1) / np.maximum(weights @ self.pairs, 1)
        roles = [*(share >= POSITIONAL for share in neighbour), rare >= RARE]
        return np.column_stack([*roles, right >= self.offset + SYNTACTIC])

    def special(self, weights: Array) -> Array:
        """Which heads have any role, (heads,)."""
        return np.asarray(self.of(weights).any(axis=-1))


def roles(probe: Probe, gone: Iterable[Unit] = (), weights: str = "") -> Roles:
    """Of the dense model, or of one without some units and with weights that a method trained.

    Raises ``NotTestable`` for images, and for attention that hands out no maps.
    """
    sites, gone = self_attention(probe), sorted(gone)
    units = [unit for site in sites for unit in probe.sites[site]]
    hangs_on = {"gone": [str(unit) for unit in gone], "weights": Path(weights).name, "examples": EXAMPLES}
    code = Path(__file__), Path(__file__).with_name("relations.py")
    found = probe.remember("roles", lambda: _looked(probe, sites, gone, weights), *code, **hangs_on)
    if why := found.pop("reason"):
        raise NotTestable(why)
    return Roles(units, **found)


def self_attention(probe: Probe) -> list[Site]:
    """Self-attention of the stack with most layers, the encoder of equals."""
    stacks: dict[str, list[Site]] = {}
    for site in sorted(site for site in probe.sites if site.kind == "self"):
        stacks.setdefault(site.stack, []).append(site)
    return max(stacks.values(), key=len)


def _looked(probe: Probe, sites: list[Site], gone: Sequence[Unit], weights: str) -> dict[str, Any]:
    examples = list(probe.calibration(EXAMPLES, 1))
    if "input_ids" not in examples[0]:
        return {"reason": "Patches of images have no words before or behind them."}
    model = probe.bench.dense(weights) if weights else probe.model
    words = [batch["input_ids"][0].cpu() for batch in examples]
    counts = torch.cat(words).bincount()
    known = [related(probe.bench, ids) for ids in words]
    rows: list[dict[str, Any]] = []
    try:
        with attention.mask(model, gone), attention.heads(model, "map") as heads, torch.inference_mode():
            for batch, ids, pairs in zip(examples, words, known, strict=True):
                model(**batch)
                target = torch.cat([heads.at(site)[0].argmax(-1).cpu() for site in sites])  # (heads, queries)
                rows.append(pointed(target, counts[ids]) | hit(target, pairs))
    except UserError as error:
        return {"reason": str(error)}
    return {"reason": "", "offset": commonest(known)} | {key: np.array([row[key] for row in rows]) for key in rows[0]}


def pointed(target: Tensor, counts: Tensor) -> dict[str, Any]:
    """Tokens of one example that point at the token before and behind, their number, and hits of the rarest.

    ``target`` (heads, queries): the key with the largest weight. ``counts`` (keys,): how often each token occurs.
    """
    place = torch.arange(target.shape[1])
    hits = torch.stack([row.bincount(minlength=len(counts)) for row in target])
    return {
        "before": (target == place - 1).sum(-1).numpy(),
        "after": (target == place + 1).sum(-1).numpy(),
        "tokens": target.shape[1] - 1,
        "rarest": (counts[hits.argmax(-1)] == counts.min()).numpy().astype(float),
    }
