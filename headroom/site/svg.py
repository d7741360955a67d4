"""Make matplotlib's SVG fit to stand inside a page: small, in the page's colours, one group per series.

A chart names its series by gids ``chart--series--kind``. Here each series becomes one group with an id, its colour as a
class, and marks that use the page's own marker shapes, so that the style sheet rules over all of it and the scripts can
draw the same marks again on another axis.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from headroom.site.styles import COLOURS, SHAPES, look_of_colour

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
NUMBER = re.compile(r"-?\d+\.\d+")
COLOUR = re.compile(r"(?:stroke|fill): (#[0-9a-f]{6})")
NAMES = ("lead", "tag", "name")  # what names a series beside its line
THIN = ("line", "marks", "thin")  # what is left of a series that does not stand out
FRONT = "front"  # the line of what nothing beats, which is no method's
EDGE = 8  # right of the axes, where no names are


@dataclass(frozen=True)
class Group:
    """A series: the class of its colour, and its parts as (kind, markup)."""

    colour: str
    parts: tuple[tuple[str, str], ...]

    def svg(self, chart: str, key: str, kinds: Collection[str] = (), without: Collection[str] = ()) -> str:
        """The series as a group; with parts of some kinds only it is one of ``rest``."""
        body = "".join(text for kind, text in self.parts if (not kinds or kind in kinds) and kind not in without)
        rest = " rest" if kinds else ""
        return f'<g id="{chart}--{key}" class="s {self.colour}{rest}" data-m="{key}">{body}</g>'


@dataclass(frozen=True)
class Drawing:
    """A chart in parts: what stands for all, and one group for each series, in the order in which they are drawn.

    Where some series are ``best`` these stand out and have names beside them, and all others are thin.
    """

    name: str
    view: str  # viewBox
    plot: str  # left, top, right and bottom of the axes in its units
    limits: str  # x from, x to, y from, y to, in data units
    logs: str  # the axes that are logarithmic: x, y, xy or none
    frame: str
    series: dict[str, Group] = field(default_factory=dict)
    best: tuple[str, ...] = ()

    def svg(self, label: str, chosen: Collection[str] | None = None) -> str:
        """The chart labelled by the element ``label``; with ``chosen`` series alone, and then without names."""
        if chosen is not None:
            shown = [group.svg(self.name, key, (), NAMES) for key, group in self.series.items() if key in chosen]
        else:
            whole = {*(self.best or self.series), FRONT}
            thin = {key: () if key in whole else THIN for key in self.series}
            shown = [group.svg(self.name, key, thin[key]) for key, group in self.series.items()]
        view, wide = (self.view, " wide") if chosen is None and self.best else (self._cut, "")
        facts = f'viewBox="{view}" data-plot="{self.plot}" data-limits="{self.limits}"'
        facts += f' data-log="{self.logs}"' if self.logs else ""
        head = f'<svg class="chart{wide}" id="{self.name}" {facts} role="img" aria-labelledby="{label}">'
        return f'{head}{self.frame}<g class="all">{"".join(shown)}</g></svg>'

    @property
    def _cut(self) -> str:
        """The part of the paper without names."""
        left, top, width, height = self.view.split()
        return f"{left} {top} {min(float(width), float(self.plot.split()[2]) + EDGE):g} {height}"


def embed(source: str, name: str, limits: Iterable[float], logs: str = "", best: Collection[str] = ()) -> Drawing:
    """Take matplotlib's SVG of one pair of axes apart. ``name`` is the first part of its gids, ``best`` are keys."""
    root = ElementTree.fromstring(source)
    axes = root.find(f".//{SVG}g[@id='axes_1']")
    assert axes is not None, "a chart has axes"
    shapes = {shape.get("id", ""): shape for shape in root.iter(f"{SVG}path") if shape.get("id")}
    frame, parts = [], dict[str, list[tuple[str, str]]]()
    colours: dict[str, str] = {}
    for group in axes:
        gid = group.get("id", "")
        if gid.startswith("matplotlib.axis"):
            frame.append(_axis(group, gid[-1]))
        elif gid.startswith(f"{name}--"):
            _, key, kind = gid.split("--")
            colours.setdefault(key, _colour(group))
            drawn, start, marks = _mark(group, kind, shapes).partition("<use")
            sort = kind.partition(".")[0]
            own = [(sort, drawn), ("dots" if drawn else sort, start + marks)]  # the marks of a line are apart from it
            parts.setdefault(key, []).extend(part for part in own if part[1])
        elif gid.startswith("rule-"):
            frame.insert(0, f'<path class="{gid[5:]}" d="{_path(group)}"/>')
    series = {key: Group(colours[key], tuple(marks)) for key, marks in parts.items()}
    box = next(iter(axes)).find(f".//{SVG}path")
    assert box is not None, "matplotlib draws the paper of its axes first"
    corners = [float(number) for number in NUMBER.findall(box.get("d", "") + " 0.0")]
    xs, ys = corners[0:8:2], corners[1:8:2]
    plot = " ".join(_short(value) for value in (min(xs), min(ys), max(xs), max(ys)))
    ends = " ".join(f"{limit:g}" for limit in limits)
    named = tuple(key for key in series if key in best)
    return Drawing(name, root.get("viewBox", ""), plot, ends, logs, "".join(frame), series, named)


def _axis(group: Element, which: str) -> str:
    """Lines and words of one axis: ``1`` is the horizontal one."""
    lines, words, label = [], [], ""
    for tick in group:
        text = tick.find(f".//{SVG}text")
        if text is None and tick.tag == f"{SVG}g":
            text = tick.find(f"{SVG}text")
        if tick.get("id", "").startswith("text_"):
            text = tick.find(f".//{SVG}text")
            label = _text(text, "label") if text is not None else ""
            continue
        words += [_text(text)] if text is not None else []
        lines += [_d(path.get("d", "")) for path in tick.iter(f"{SVG}path") if not path.get("id")]
    grid = f'<path class="grid" d="{"".join(lines)}"/>' if lines else ""
    return f'{grid}<g class="{"x" if which == "1" else "y"}">{"".join(words)}{label}</g>'


def _text(text: Element, kind: str = "") -> str:
    style = text.get("style", "")
    anchor = re.search(r"text-anchor: (\w+)", style)
    place = f'x="{_short(float(text.get("x", 0)))}" y="{_short(float(text.get("y", 0)))}"'
    turned = text.get("transform", "")
    turn = f' transform="{_rounded(turned)}"' if "rotate(-9" in turned else ""
    shown = (text.text or "").replace("&", "&amp;").replace("<", "&lt;")
    around = f' text-anchor="{anchor[1]}"' if anchor else ""
    return f"<text {place}{around}{turn}" + (f' class="{kind}"' if kind else "") + f">{shown}</text>"


def _mark(group: Element, kind: str, shapes: dict[str, Element]) -> str:
    """A line, a band, or marks of one series; ``kind`` may name a shape and a dash: ``line.s.long``."""
    name, *more = kind.split(".")
    shape, dash = (*more, "", "")[:2]
    if name == "name":
        return _text(next(group.iter(f"{SVG}text")), "name")
    found = []
    for path in group.findall(f"{SVG}path") if name not in ("marks", "hollow", "tag") else ():
        found.append(f'<path class="{" ".join(filter(None, (name, dash)))}" d="{_d(path.get("d", ""))}"/>')
    for use in group.iter(f"{SVG}use"):
        source = shapes[use.get(HREF, "").removeprefix("#")]
        x, y = float(use.get("x", 0)), float(use.get("y", 0))
        if name == "band":
            found.append(
                f'<path class="band" transform="translate({_short(x)} {_short(y)})" d="{_d(source.get("d", ""))}"/>'
            )
        else:
            own = f' class="{name}"' if name in ("hollow", "tag") else ""
            found.append(f'<use{own} href="#mk-{SHAPES.get(shape, "dot")}" x="{_short(x)}" y="{_short(y)}"/>')
    return "".join(found)


def _colour(group: Element) -> str:
    """The class of the first colour that a group uses."""
    for part in group.iter():
        if (found := COLOUR.search(part.get("style", ""))) and found[1] in COLOURS:
            return look_of_colour(found[1])
    return "ci"


def _path(group: Element) -> str:
    return "".join(_d(path.get("d", "")) for path in group.iter(f"{SVG}path"))


def _d(path: str) -> str:
    return re.sub(r"\s*([MLCz])\s*", r"\1", _rounded(" ".join(path.split())))


def _rounded(text: str) -> str:
    return NUMBER.sub(lambda found: _short(float(found[0])), text)


def _short(value: float) -> str:
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown
