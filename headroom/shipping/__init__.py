"""What a pruned model is written as, so that others can load it, and what a folder of one is.

Importing this package imports torch but no modelling file of transformers.
"""

from headroom.shipping.again import Loaded
from headroom.shipping.reading import opened
from headroom.shipping.shipped import FORMATS, Shipped, check_format
from headroom.shipping.shipping import ship

__all__ = ["FORMATS", "Loaded", "Shipped", "check_format", "opened", "ship"]
