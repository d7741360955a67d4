"""Times removed models against the dense one; ``machine.machine`` says where. Importing it loads no torch."""

from headroom.measure.clock import Stopwatch
from headroom.measure.memory import peak_memory_mb
from headroom.measure.speed import speed_points

__all__ = ["Stopwatch", "peak_memory_mb", "speed_points"]
