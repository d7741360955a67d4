"""What every template may call upon. Templates escape everything and refuse names they do not know."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headroom.config.plain import plain
from headroom.results.records import Quality
from headroom.site.book import Book, own_name, setting_of
from headroom.site.claiming import figures
from headroom.site.drawing import Drawn
from headroom.site.labels import MOST, rivals, standing_order
from headroom.site.maps import STEPS, Atlas, mlp_of, short
from headroom.site.names import cell_page, method_page, panel_name, run_page, slug
from headroom.site.numbers import FILTERS
from headroom.site.panels import CellView, Panel
from headroom.site.qualities import QUALITIES, WORDS, twin
from headroom.site.reference import Published
from headroom.site.saying import said_name
from headroom.site.series import AXES, Series, Stop, for_scripts, work_words
from headroom.site.speeds import SpeedView
from headroom.site.styles import SHAPES, look
from headroom.site.verdicts import against

Nav = Sequence[tuple[str, str]]  # (path, words)


class Sibling(NamedTuple):
    """A profile that a reader can switch to."""

    way: str  # to its front page
    about: str  # what it is for, in one line


NAV = (
    ("index.html", "Leaderboard"),
    ("overall.html", "Overall"),
    ("compare.html", "Compare"),
    ("says.html", "What it says"),
    ("speed.html", "Speed"),
    ("claims.html", "Claims"),
    ("data/index.html", "Data"),
    ("methodology.html", "How it is measured"),
    ("contribute.html", "Contribute"),
    ("changes.html", "Changes"),
)
COLUMNS = (  # of the leaderboard: name in the hash, words, explanation
    ("rank", "Rank", "places that the intervals allow, over all tracks"),
    ("method", "Method", "its track and what it removes"),
    ("area", "Quality kept", "area under retained quality, dense is 1; wide beyond 1 where dense is near chance"),
    ("lost25", "25 %", "quality lost with a quarter gone"),
    ("lost50", "50 %", "quality lost with half gone"),
    ("lost75", "75 %", "quality lost with three quarters gone"),
    ("go1", "1 %", "largest share that can go at no more than 1 % loss: as measured, certified, and the speed there"),
    ("go5", "5 %", "largest share that can go at no more than 5 % loss: as measured, certified, and the speed there"),
    ("half", "Speed, half gone", "measured speed-up with half of the units gone, of the ideal one"),
    ("saved", "Saved, half gone", "share of all parameters and cache bytes per token saved with half gone"),
    ("cost", "Cost", "seconds and passes of pruning, one seed"),
    ("random", "Random", "against the random draws of the same model"),
    ("coverage", "Points", "points scored of those asked for"),
)
OF_AGREEMENT = {  # columns that are called otherwise, or stand behind that of three quarters
    "area": ("area", "Agreement kept", "area under the agreement that is left, the dense model is 1"),
    "lost25": ("lost25", "25 %", "agreement lost with a quarter gone"),
    "lost50": ("lost50", "50 %", "agreement lost with half gone"),
    "lost75": ("lost75", "75 %", "agreement lost with three quarters gone"),
}
FLIPS = ("flips", "Flips, KL", "predictions that changed with half gone, and the divergence from the dense in bits")
VERDICTS = {"holds": "yes", "passes": "yes", "does not hold": "no", "fails": "no"}
MACROS = ("parts", "board", "maps", "speeds", "budget")  # in the order in which they use each other


def environment(book: Book, drawn: dict[str, Drawn], siblings: Mapping[str, Sibling], nav: Nav) -> Environment:
    """Jinja's environment for the pages of one profile; ``nav`` are the pages in its head."""
    found = Environment(
        loader=PackageLoader("headroom.site", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS, drawn=Markup)
    found.globals.update(book=book, drawn=drawn, siblings=siblings, nav=nav, steps=STEPS)
    found.globals.update(qualities=WORDS, verdicts=VERDICTS, marker_name=SHAPES.__getitem__, short_site=short)
    shared = (
        packed_speeds,
        packed_ideal,
        packed_published,
        look,
        slug,
        panel_name,
        cell_page,
        method_page,
        run_page,
        said_name,
        against,
        packed,
        tracks,
        at_target,
        figures,
    )
    for function in (*shared, columns, twin, mlp_of, kept_words, own_name, setting_of, work_words, heat, multiples):
        found.globals[function.__name__] = function
    for name in MACROS:
        found.globals[name] = found.get_template(f"templates/{name}.html").module
    return found


def without_controls(value: Any) -> Any:
    """Everything that a page repeats of methods and records passes here: it can turn round no text beside it."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def columns(quality: Quality) -> list[tuple[str, str, str]]:
    """The columns of a board: name in the hash, words, explanation."""
    if quality == QUALITIES[0]:
        return list(COLUMNS)
    found = [OF_AGREEMENT.get(column[0], column) for column in COLUMNS]
    behind = [column[0] for column in found].index("lost75") + 1
    return [*found[:behind], FLIPS, *found[behind:]]


def packed(panel: Panel) -> dict[str, Any]:
    """The numbers of a panel's chart for the scripts."""
    return for_scripts(panel.axis, panel.series.values()) | in_front(panel.rows)


def packed_speeds(cell: CellView, setting: str) -> dict[str, Any]:
    """The numbers of a chart of quality against measured speed."""
    chosen = [one for panel in cell.panels if panel.setting == setting for one in panel.series.values()]
    found = {}
    for one in chosen:
        stops = [stop for stop in one.stops[1:] if stop.shares["speed"]]
        asked = [stop.name or round(100 * (stop.target or 0), 1) for stop in stops]
        speeds = [round(stop.shares["speed"] or 0, 2) for stop in stops]
        kept = [round(100 * stop.retained, 1) for stop in stops]
        found[one.key] = {"n": one.title, "t": asked, "x": {"speed": speeds}, "y": kept}
    rows = [row for panel in cell.panels if panel.setting == setting for row in panel.rows]
    order = in_front(rows, cell.front(setting))
    return {"x": "speed", "axes": {"speed": AXES["speed"]}, "ratios": "x", "m": found} | order


def packed_ideal(view: SpeedView) -> dict[str, Any]:
    """The numbers of a chart of measured against ideal speed-up."""
    found: dict[str, Any] = {}
    for work in view.workloads:
        for row in work.rows:
            one = found.setdefault(slug(row.method), {"n": row.method, "t": [], "x": {"ideal": []}, "y": []})
            one["t"].append(f"asked {100 * row.target:.0f} %, {work.words}")
            one["x"]["ideal"].append(round(row.ideal, 2))
            one["y"].append(round(row.speedup, 2))
    return {"x": "ideal", "axes": {"ideal": "ideal"}, "ratios": "xy", "m": found}


def packed_published(rows: list[Published]) -> dict[str, Any]:
    """The numbers of the hollow marks: which table each is from."""
    known = [row for row in rows if row.share is not None and row.kept is not None]
    if not known:
        return {"x": "share", "axes": {}, "m": {}}
    one = {
        "n": known[0].paper,
        "t": [f"{row.source.partition(' [')[0]}, {row.model}" for row in known],
        "x": {"share": [round(100 * (row.share or 0), 1) for row in known]},
        "y": [round(100 * (row.kept or 0), 1) for row in known],
    }
    return {"x": "share", "axes": {"share": "units removed, %"}, "m": {"published": one}}


def in_front(rows: list[Any], first: Collection[str] = ()) -> dict[str, list[str]]:
    """In which order methods stand out, for charts that leave some out: ``f``; the random ones beside them: ``r``."""
    order = standing_order(rows, first)
    random = rivals(rows, order[:MOST])
    return {"f": [slug(row.method) for row in order], "r": [slug(method) for method in random]}


def tracks(panel: Panel) -> dict[str, str]:
    """Track by method."""
    return {row.method: row.track for row in panel.rows}


def at_target(one: Series, target: float) -> Stop | None:
    """A series' point at a target, if it has one there."""
    return next((stop for stop in one.stops if stop.target == target and not stop.name), None)


def multiples(panel: Panel, method: str) -> list[str]:
    """The series that a small multiple shows: the method and what is random beside it."""
    return [one.key for one in panel.series.values() if one.method == method or one.stochastic]


def kept_words(found: Atlas, one: Any) -> str:
    """How many places a map keeps at the step that is shown first."""
    total = len(one.within(found.anatomy))
    return f"{total - len(one.removed(found.middle))} of {total} kept"


def heat(speedup: float) -> float:
    """How strongly a cell of the speed table is coloured: nothing at 1, full at 2."""
    return round(min(max(speedup - 1, 0.0), 1.0), 2)
