"""Formats in which packages bring weights, each in a file of its own. Importing this imports neither torch nor them."""

from headroom.models.formats import bergamot, gguf, reactions, stock
from headroom.models.formats.format import Format

FORMATS: tuple[Format, ...] = (stock.FORMAT, gguf.FORMAT, bergamot.FORMAT, reactions.FORMAT)
