"""Models: built, fetched, read back; and real shapes with random weights."""
