"""Times removed models against the dense one, and says on what machine. Importing it loads no torch."""
