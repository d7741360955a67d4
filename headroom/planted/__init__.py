"""Planted truth: tiny models of which it is known what is dead, what is double and what is vital."""

from headroom.planted.answers import with_own_answers
from headroom.planted.drawing import (
    Planted,
    dead_among_first,
    first_vital,
    planted,
    twins_before_vital,
    vital_before_dead,
)
from headroom.planted.planting import Way, plant

__all__ = [
    "Planted",
    "Way",
    "dead_among_first",
    "first_vital",
    "plant",
    "planted",
    "twins_before_vital",
    "vital_before_dead",
    "with_own_answers",
]
