"""Peak memory of this process."""

import sys


def peak_memory_mb() -> float:
    """Largest resident memory of the process so far, MiB. It never falls, so it belongs to all that ran before too."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere
