"""Numbers: the records of cells, statistics on them, and the tables they become."""
