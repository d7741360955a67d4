"""Records to tables: everything the site shows and a reader can download."""

from headroom.tables.collecting import collect
from headroom.tables.write import read_table

__all__ = ["collect", "read_table"]
