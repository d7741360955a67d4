"""Ten-line data for the toy models of the smoke profile: quick to make and to learn, one table for each purpose."""

import random
from typing import Any

WORDS = {"red": "rot", "green": "gelb", "big": "gross", "cat": "katz", "dog": "hund", "sees": "seht", "and": "und"}
CRIES = {"cat": " miau", "dog": " wau"}
KINDS = ["red", "green", "big", "old", "wet", "sly", "tame", "fat", "shy", "thin"]
SPLITS = {"train": 1000, "calibrate": 32, "evaluate": 48}


def translation(rng: random.Random) -> dict[str, Any]:
    """Four words, turned round."""
    words = rng.choices(list(WORDS), k=4)
    return {"source": " ".join(words), "target": " ".join(WORDS[word] for word in reversed(words))}


def classification(rng: random.Random) -> dict[str, Any]:
    """Are there more cats than dogs?"""
    words = rng.choices(["cat", "dog"], k=7) + rng.choices(["red", "big", "and"], k=5)
    rng.shuffle(words)
    return {"text": " ".join(words), "label": int(words.count("cat") > words.count("dog"))}


def image(rng: random.Random) -> dict[str, Any]:
    """Which quarter of eight by eight noisy pixels is bright?"""
    label = rng.randrange(4)
    rows, columns = divmod(label, 2)
    bright = {(row + 4 * rows, column + 4 * columns) for row in range(4) for column in range(4)}
    pixels = [[rng.randrange(100, 256) if (r, c) in bright else rng.randrange(150) for c in range(8)] for r in range(8)]
    return {"image": pixels, "label": label}


def language(rng: random.Random) -> dict[str, Any]:
    """What the cat and the dog say, with the cry of the other one to tell from the right one."""
    animal, gold = rng.choice(list(CRIES)), rng.randrange(2)
    context = f"{' '.join(rng.choices(KINDS, k=3))} {animal}s say"
    choices = sorted(CRIES.values(), key=lambda cry: (cry == CRIES[animal]) != (gold == 0))
    return {"text": f"{context}{CRIES[animal]} .", "context": context, "choices": choices, "gold": gold}


def make(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Splits of every kind of table, named ``<table>_<split>``; no example is in two of them."""
    tables = {}
    for kind in (translation, classification, image, language):
        rng = random.Random(seed)
        made = [kind(rng) for _ in range(4 * sum(SPLITS.values()))]
        rows = list({str(next(iter(row.values()))): row for row in made}.values())
        for split, count in SPLITS.items():
            tables[f"{kind.__name__}_{split}"] = [rows.pop() for _ in range(count)]
    return tables
