"""What DVC calls: prepare, quality, speed, collect and site, each for one cell or for all. See ``dvc.yaml``."""
