"""Handwritten digits that come with scikit-learn: 1,797 images of 8 by 8 pixels in 17 shades."""

import random
from typing import Any

SHADES = 16  # the brightest value


def make(seed: int) -> dict[str, list[dict[str, Any]]]:
    """1,200 images to train on, 197 to calibrate and 400 to evaluate, shuffled."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images / SHADES * 255).round().astype(int).tolist()
    rows = [{"image": image, "label": int(label)} for image, label in zip(pixels, digits.target, strict=True)]
    random.Random(seed).shuffle(rows)
    return {"train": rows[:1200], "calibrate": rows[1200:1397], "evaluate": rows[1397:]}
