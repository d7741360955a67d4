"""Which words of the constructed pair belong together: the answers that a parser would have to guess elsewhere."""

from __future__ import annotations

import random
import runpy
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

Pairs = dict[str, list[tuple[int, int]]]  # relation: (place of the word that looks, place of the word to look at)
Parse = Callable[[Sequence[str]], Pairs]
NAMES = ("tense", "subject", "object", "antecedent")


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
