"""Colour, marker and dash of every method: one table, so that a method looks the same in every chart, for ever.

A method that is not in the table takes its look from a hash of its name, never from its place among the others: a
filter or a new method must not repaint an old one. When two look alike, add a line here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product

# Eight colours that stay apart for colour-blind readers too (a test holds it), dark enough for a light page. site.css
# has the pairs for the dark one; charts carry these values and svg.py turns them into the variables --c1 to --c8.
COLOURS = ("#38698a", "#d47b19", "#004518", "#5c0065", "#8a5e32", "#0694fd", "#6716b7", "#8b8b8b")
INK, FAINT, LINE = "#202428", "#6a727c", "#dfe3e7"  # --ink, --faint, --line of site.css
QUIET = "#c3c9cf"  # --quiet: lines that do not stand out

SHAPES = {  # matplotlib's marker: the page's symbol, drawn in parts.html
    "o": "dot",
    "s": "square",
    "^": "up",
    "D": "diamond",
    "v": "down",
    "P": "plus",
    "X": "cross",
    "<": "left",
}
MARKERS = tuple(SHAPES)
DASHES = ("solid", "long", "dot")
PATTERNS: dict[str, tuple[float, ...]] = {"solid": (), "long": (5, 2), "dot": (1.4, 1.6)}


@dataclass(frozen=True)
class Look:
    """How a method is drawn: index of its colour, matplotlib's marker, name of its dash."""

    colour: int
    marker: str
    dash: str

    @property
    def value(self) -> str:
        """The colour itself."""
        return COLOURS[self.colour]


LOOKS = {  # those that often share a chart first, so that they differ in colour
    "michel-greedy": Look(0, "o", "solid"),
    "layer-similarity": Look(1, "s", "solid"),
    "magnitude-heads": Look(2, "^", "solid"),
    "deepest-first": Look(3, "v", "long"),
    "shallowest-first": Look(3, "<", "dot"),
    "voita-l0": Look(6, "X", "solid"),
    "voting-to-stay": Look(4, "P", "solid"),
    "finercut": Look(5, "D", "solid"),
    "michel-exact": Look(5, "o", "long"),
    "michel-example": Look(6, "s", "dot"),
    "michel-batch": Look(4, "^", "long"),
    "michel-no-norm": Look(2, "v", "dot"),
    "entropy-importance": Look(3, "P", "long"),
    "taylor-weight": Look(1, "X", "dot"),
    "layer-similarity-block": Look(6, "P", "long"),
    "layer-similarity-mlp": Look(5, "^", "dot"),
    "layer-similarity-joint": Look(3, "X", "solid"),
    "layer-similarity-iterative": Look(4, "s", "dot"),
    "layer-similarity-consecutive": Look(0, "D", "long"),
    "block-influence": Look(2, "s", "long"),
    "relative-magnitude": Look(0, "v", "dot"),
    "gromov-window": Look(4, "X", "dot"),
    "painters-skip": Look(2, "P", "dot"),
    "deepest-attention": Look(0, "s", "long"),
    "magnitude-global": Look(1, "v", "long"),
    "wanda-head": Look(4, "o", "long"),
    "flap-head": Look(6, "D", "dot"),
    "attention-confidence": Look(1, "P", "long"),
    "nose-posthoc": Look(2, "o", "long"),
    "ght-scratch": Look(6, "^", "long"),
    "ght-finetune": Look(3, "s", "long"),
    "pillars-posthoc": Look(5, "X", "long"),
    "voita-topk": Look(2, "D", "dot"),
    "differentiable-subset": Look(3, "o", "dot"),
    "gate-norm": Look(1, "o", "dot"),
    "activation-heads": Look(4, "v", "solid"),
    "greedy-loss-blocks": Look(0, "P", "long"),
    "greedy-loss-attention": Look(5, "v", "long"),
    "confidence-lottery": Look(2, "X", "long"),
    "random-heads": Look(7, "", "dot"),
    "random-attention": Look(7, "", "dot"),
    "random-mlp": Look(7, "", "dot"),
    "random-block": Look(7, "", "dot"),
    "random-joint": Look(7, "", "dot"),
    "dense": Look(7, "", "solid"),
}

GRAINS = {  # on the page of real shapes, which knows no methods
    "head": Look(0, "o", "solid"),
    "kv_group": Look(5, "D", "solid"),
    "attention": Look(1, "s", "solid"),
    "mlp": Look(2, "^", "solid"),
    "block": Look(6, "X", "solid"),
}

_SPARE = [Look(*parts) for parts in product(range(7), MARKERS, DASHES)]


def look(method: str) -> Look:
    """The look of a method, whatever else is on the page."""
    if known := LOOKS.get(method) or GRAINS.get(method):
        return known
    digest = hashlib.sha256(method.encode()).digest()
    return _SPARE[int.from_bytes(digest[:4], "big") % len(_SPARE)]


def look_of_colour(value: str) -> str:
    """The class of a colour in the style sheet: c1 to c8."""
    return f"c{COLOURS.index(value) + 1}"
