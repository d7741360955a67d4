"""How fast Headroom itself is, and the few speed-ups that its claims rest on. Run it with `make bench`."""
