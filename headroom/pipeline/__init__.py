"""What DVC calls: machine, prepare, measure, time and collect. See ``dvc.yaml``."""
