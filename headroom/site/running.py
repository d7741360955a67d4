"""What the page of one record shows: how to get it again, what it keeps, how it was timed."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from headroom.results.records import CellRecord
from headroom.results.verified import last
from headroom.site.book import Book
from headroom.site.maps import Atlas, Map, short

WIDTH, HEIGHT = 240, 16  # of a timing strip


def values(book: Book, record: CellRecord, atlas: Atlas | None) -> dict[str, Any]:
    """The values of the template."""
    own = next((one for one in atlas.maps if one.method == record.method), None) if atlas else None
    timings = [row for row in book.speeds.get((record.model, record.method), ()) if row.status == "ok" and row.speedup]
    span = ends(timings)
    report, still = last(book.folder, record)
    seeds = [point.seed for point in record.points if point.plan]
    return {
        "record": record,
        "source": record.provenance,
        "verified": report,
        "still": still,
        "atlas": atlas,
        "map": own,
        "mlps": bool(atlas and own and any(place[0] in atlas.anatomy.mlps for place in own.gone)),
        "kept": kept(atlas, own) if atlas and own else [],
        "kept_lists": lists(atlas, own) if atlas and own else [],
        "kept_seed": min(seeds, default=0),
        "timings": timings,
        "strip_ends": span,
        "strip": lambda row: strip(row, span),
    }


def kept(atlas: Atlas, own: Map) -> list[tuple[int, float, int]]:
    """(step, target, places gone) of every step at which something is gone."""
    counts = [(step, target, len(own.removed(step))) for step, target in enumerate(atlas.targets)]
    return [found for found in counts if found[2]]


def lists(atlas: Atlas, own: Map) -> list[tuple[float, str]]:
    """What is kept at every target, site by site, in words."""
    found = []
    for step, target, _ in kept(atlas, own):
        gone = own.removed(step)
        sites = []
        within = {site for site, _ in own.within(atlas.anatomy)}
        for site in (site for site in (*atlas.anatomy.sites, *atlas.anatomy.mlps) if site in within):
            left = [i for i in range(atlas.anatomy.widths.get(site, 1)) if (site, i) not in gone]
            name = f"MLP {short(site)}" if site in atlas.anatomy.mlps else short(site)
            if left:
                sites.append(name if site in atlas.anatomy.mlps else f"{name}: {', '.join(map(str, left))}")
        found.append((target, "; ".join(sites) or "nothing"))
    return found


def ends(timings: list[Any]) -> tuple[float, float]:
    """The ends of all strips of a page, so that they can be compared: all that is drawn, and a little room."""
    drawn = [1.0]
    for row in timings:
        drawn += [*map(float, row.samples.split()), row.speedup_low, row.speedup_high, row.ideal or 1.0]
    room = max(0.04 * (max(drawn) - min(drawn)), 0.01)
    return min(drawn) - room, max(drawn) + room


def strip(row: Any, span: tuple[float, float]) -> Markup:
    """A timing as a strip: a dot for every pair in the order of timing, the interval, the median, the ideal."""
    start, end = span

    def at(value: float) -> str:
        return f"{WIDTH * (value - start) / (end - start):.1f}"

    samples = [float(one) for one in row.samples.split()]
    spots = (
        (at(one), f"{3 + (HEIGHT - 6) * place / max(len(samples) - 1, 1):.1f}") for place, one in enumerate(samples)
    )
    dots = Markup("").join(Markup('<circle cx="{}" cy="{}" r="1.4"/>').format(*spot) for spot in spots)
    ideal = Markup('<path class="tick" d="M{0} 1v14"/>').format(at(row.ideal)) if row.ideal else ""
    return Markup(
        '<svg class="strip" viewBox="0 0 240 16" aria-hidden="true"><path class="one" d="M{one} 0v16"/>'
        '<path class="span" d="M{low} 8H{high}"/>{dots}<path class="mid" d="M{middle} 1v14"/>{ideal}</svg>'
    ).format(
        one=at(1.0), dots=dots, low=at(row.speedup_low), high=at(row.speedup_high), middle=at(row.speedup), ideal=ideal
    )
