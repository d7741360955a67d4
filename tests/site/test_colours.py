"""Methods' colours can be told apart on light and dark paper, by readers who see two of the three primaries too."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import headroom.site

CSS = (Path(headroom.site.__file__).parent / "static" / "site.css").read_text(encoding="utf-8")
SIGHT = {  # Machado, Oliveira and Fernandes (2009), severity 1: what is seen of linear red, green and blue
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# OKLab (Ottosson, 2020): equal distances look equally far apart.
CONES = [[0.4122215, 0.5363325, 0.0514460], [0.2119035, 0.6806995, 0.1073970], [0.0883025, 0.2817188, 0.6299787]]
LAB = [[0.2104543, 0.7936178, -0.0040720], [1.9779985, -2.4285922, 0.4505937], [0.0259040, 0.7827718, -0.8086758]]
LEAST = 0.1  # about five times what is just noticed


def seen(colour: str, sight) -> np.ndarray:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return np.asarray(LAB) @ np.cbrt(np.asarray(CONES) @ np.clip(np.asarray(sight) @ linear, 0, 1))


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("paper", ["light", "dark"])
def test_no_two_colours_look_alike(paper, sight):
    pairs = re.findall(r"--c\d: light-dark\((#\w+), (#\w+)\)", CSS)
    colours = [pair[paper == "dark"] for pair in pairs]
    found = {
        (one, other): float(np.linalg.norm(seen(one, SIGHT[sight]) - seen(other, SIGHT[sight])))
        for one, other in combinations(colours, 2)
    }
    assert len(colours) == 8 and min(found.values()) >= LEAST, min(found, key=found.__getitem__)
