"""How numbers are written on the page. Missing ones are a dash, never a zero."""

from __future__ import annotations

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


def _signed(shown: str) -> str:
    shown = shown.removeprefix("-") if float(shown) == 0 else shown
    return shown.replace("-", MINUS)


def fixed(value: float | None, digits: int = 3) -> str:
    """A number with so many digits."""
    return DASH if value is None else _signed(f"{value:.{digits}f}")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage, without the sign: the heading carries it."""
    return DASH if value is None else _signed(f"{100 * value:.{digits}f}")


def times(value: float | None) -> str:
    """A ratio: 1.12×."""
    return DASH if value is None else f"{value:.2f}{TIMES}"


def seconds(value: float | None) -> str:
    """A duration with about two significant digits: 0.4 s, 12 s, 3.5 min, 2.1 h."""
    if value is None:
        return DASH
    if value < 0.05:
        return "< 0.1 s"
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def size(value: float | None) -> str:
    """Bytes in the unit that fits."""
    if value is None:
        return DASH
    if value < 1000:
        return f"{value:.0f} B"
    return f"{value / 1e3:.1f} kB" if value < 1e6 else f"{value / 1e6:.1f} MB"


def count(value: float | None) -> str:
    """A whole number with thin spaces between thousands."""
    return DASH if value is None else f"{value:,.0f}".replace(",", "\u202f")


def places(first: int | None, last: int | None) -> str:
    """A place, or the range of places that the intervals allow."""
    if first is None:
        return DASH
    return str(first) if first == last else f"{first}{DASH}{last}"


def metric(value: float | None, unit: str) -> str:
    """A task's metric in its own unit."""
    return DASH if value is None else f"{_signed(f'{value:.2f}' if abs(value) < 10 else f'{value:.1f}')} {unit}".strip()


def tiny(value: float | None) -> str:
    """A number that is near zero, or should be: 2.4e-06."""
    return DASH if value is None else f"{value:.1e}".replace("-", MINUS) if value else "0"


def plain(value: float) -> str:
    """A number for a script to sort by."""
    return f"{value:.6g}"


FILTERS = {f.__name__: f for f in (fixed, percent, times, seconds, size, count, places, metric, tiny, plain)}
