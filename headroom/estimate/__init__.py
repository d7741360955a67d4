"""What a profile will take before anything of it runs: bytes, points, tokens, hours. Importing it loads no torch."""
