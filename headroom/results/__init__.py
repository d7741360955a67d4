"""Numbers: the records of cells, statistics on them, and the tables they become."""

from headroom.results.collecting import collect
from headroom.results.write import read_table

__all__ = ["collect", "read_table"]
