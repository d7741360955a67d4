"""Which words of the constructed pair belong together, and which heads look from one to the other."""

from __future__ import annotations

import random
import runpy
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headroom.config.project import root
from headroom.pipeline.bench import Bench

Pairs = dict[str, list[tuple[int, int]]]  # relation: (place of the word that looks, place of the word to look at)
Parse = Callable[[Sequence[str]], Pairs]
NAMES = ("tense", "subject", "object", "antecedent")
Array = np.ndarray


def related(bench: Bench, ids: Tensor) -> Pairs:
    """The relations in a source sentence, where the data are of a make that knows them."""
    data, tokenizer = bench.tasks[0].data, bench.prepared.tokenizer
    parse = parser(root() / data.made, data.seed) if data.made else None
    return parse(tokenizer.convert_ids_to_tokens(ids.tolist())) if parse and tokenizer else {}


@lru_cache(maxsize=2)
def parser(made: Path, seed: int) -> Parse | None:
    """What finds the relations in a source sentence; None for data of another make than the constructed pair's.

    Relative clauses are left out, so that every clause is subject, verb and object in this order.
    """
    lexicon = runpy.run_path(str(made)).get("lexicon")
    if lexicon is None:
        return None
    words = lexicon(random.Random(seed))
    return lambda sentence: parse(sentence, set(words.verbs), {*words.nouns, *words.names, "it"})


def parse(sentence: Sequence[str], verbs: set[str], nominals: set[str]) -> Pairs:
    """Verb to the word for time and to its subject, object to its verb, ``it`` to the subject of the clause before."""
    found: Pairs = {name: [] for name in NAMES}
    if "that" in sentence:
        return found
    heads = [place for place, word in enumerate(sentence) if word in nominals]
    for verb in (place for place, word in enumerate(sentence) if word in verbs):
        subjects = [place for place in heads if place < verb][-1:]
        found["tense"].append((verb, 0))
        found["subject"] += [(verb, place) for place in subjects]
        found["object"] += [(place, verb) for place in [place for place in heads if place > verb][:1]]
        found["antecedent"] += [(place, heads[0]) for place in subjects if sentence[place] == "it"]
    return found


def hit(target: Tensor, pairs: Pairs) -> dict[str, Any]:
    """Words of one example that point at the word they belong to, (heads, relations), and the number of pairs."""
    found = [sum((target[:, one] == other).long() for one, other in pairs.get(name, [])) for name in NAMES]
    zero = torch.zeros(len(target), dtype=torch.long)
    columns = torch.stack([column + zero for column in found], dim=-1)
    return {"found": columns.numpy(), "pairs": np.array([len(pairs.get(name, [])) for name in NAMES])}


def commonest(known: Sequence[Pairs]) -> Array:
    """Of each relation the share of its pairs at the commonest distance: what a head finds that counts words."""
    shares = []
    for name in NAMES:
        distances = Counter(other - one for pairs in known for one, other in pairs.get(name, []))
        shares.append(max(distances.values()) / distances.total() if distances else 1.0)
    return np.array(shares)
