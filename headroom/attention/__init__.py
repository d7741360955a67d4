"""Gate, watch, remove, count and save attention, MLPs and blocks of transformers models.

Importing this package imports torch but no modelling file of transformers.
"""

from headroom.attention.anatomy import PURPOSES, Anatomy, anatomy, purpose_of_class
from headroom.attention.compiled import eager
from headroom.attention.counting import Counts, count
from headroom.attention.families import FAMILIES
from headroom.attention.gates import SiteGates, gate, mask
from headroom.attention.heads import SiteHeads, heads
from headroom.attention.plain import troubles
from headroom.attention.removal import POLICIES, Policy, remove, twin, without
from headroom.attention.replay import Climb, Replay
from headroom.attention.saving import load_removed, save_removed
from headroom.attention.state import removed_units
from headroom.attention.stream import SiteStream, watch
from headroom.attention.taps import refuse_head_mask
from headroom.attention.toys import FAMILY_NAMES, toy, toy_batch

__all__ = [
    "FAMILIES",
    "FAMILY_NAMES",
    "POLICIES",
    "PURPOSES",
    "Anatomy",
    "Climb",
    "Counts",
    "Policy",
    "Replay",
    "SiteGates",
    "SiteHeads",
    "SiteStream",
    "anatomy",
    "count",
    "eager",
    "gate",
    "heads",
    "load_removed",
    "mask",
    "purpose_of_class",
    "refuse_head_mask",
    "remove",
    "removed_units",
    "save_removed",
    "toy",
    "toy_batch",
    "troubles",
    "twin",
    "watch",
    "without",
]
