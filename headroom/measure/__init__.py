"""Times removed models against the dense one, and says on which machine. Importing it loads no torch."""

from headroom.measure.clock import Stopwatch
from headroom.measure.machine import machine
from headroom.measure.memory import peak_memory_mb
from headroom.measure.speed import speed_points

__all__ = ["Stopwatch", "machine", "peak_memory_mb", "speed_points"]
