"""What the page of one record shows: how to get it again, what it keeps, how it was timed."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from headroom.records import CellRecord
from headroom.site.book import Book
from headroom.site.maps import Atlas, Map, short

START = 0.5  # left end of the timing strips


def values(book: Book, record: CellRecord, atlas: Atlas | None) -> dict[str, Any]:
    """The values of the template."""
    own = next((one for one in atlas.maps if one.method == record.method), None) if atlas else None
    timings = [row for row in book.speeds.get((record.model, record.method), ()) if row.status == "ok" and row.speedup]
    end = max([2.0, *(row.speedup_high for row in timings), *(row.ideal or 1.0 for row in timings)])
    seeds = [point.seed for point in record.points if point.plan]
    return {
        "record": record,
        "source": record.provenance,
        "atlas": atlas,
        "map": own,
        "mlps": bool(atlas and own and any(place[0] in atlas.anatomy.mlps for place in own.gone)),
        "kept": kept(atlas, own) if atlas and own else [],
        "kept_lists": lists(atlas, own) if atlas and own else [],
        "kept_seed": min(seeds, default=0),
        "timings": timings,
        "strip_end": end,
        "strip": lambda row: strip(row, end),
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


def strip(row: Any, end: float) -> Markup:
    """A timing as a strip: a dot for every pair, the interval, the median, the ideal."""

    def at(value: float) -> str:
        return f"{200 * (min(max(value, START), end) - START) / (end - START):.1f}"

    samples = map(float, row.samples.split())
    dots = Markup("").join(Markup('<circle cx="{}" cy="7" r="1.4"/>').format(at(one)) for one in samples)
    ideal = Markup('<path class="tick" d="M{0} 1v12"/>').format(at(row.ideal)) if row.ideal else ""
    return Markup(
        '<svg class="strip" viewBox="0 0 200 14" aria-hidden="true"><path class="one" d="M{one} 0v14"/>{dots}'
        '<path class="span" d="M{low} 7H{high}"/><circle class="mid" cx="{middle}" cy="7" r="3"/>{ideal}</svg>'
    ).format(
        one=at(1.0), dots=dots, low=at(row.speedup_low), high=at(row.speedup_high), middle=at(row.speedup), ideal=ideal
    )
