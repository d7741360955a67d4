"""Make matplotlib's SVG fit to stand inside a page: small, in the page's colours, one group per series.

A chart names its series by gids ``chart--series--kind``. Here each series becomes one group with an id, its colour as a
class, and marks that use the page's own marker shapes, so that the style sheet rules over all of it and the scripts can
draw the same marks again on another axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from headroom.site.styles import COLOURS, SHAPES, look_of_colour

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
NUMBER = re.compile(r"-?\d+\.\d+")
COLOUR = re.compile(r"(?:stroke|fill): (#[0-9a-f]{6})")


@dataclass(frozen=True)
class Drawing:
    """A chart in parts: what stands for all, and one group for each series, in the order in which they are drawn."""

    name: str
    view: str  # viewBox
    plot: str  # left, top, right and bottom of the axes in its units
    limits: str  # x from, x to, y from, y to, in data units
    frame: str
    series: dict[str, str] = field(default_factory=dict)

    def svg(self, label: str, chosen: Iterable[str] | None = None) -> str:
        """The chart labelled by the element ``label``; with some of its series only, where they are named."""
        wanted = self.series if chosen is None else [key for key in self.series if key in set(chosen)]
        body = "".join(self.series[key] for key in wanted)
        facts = f'viewBox="{self.view}" data-plot="{self.plot}" data-limits="{self.limits}"'
        head = f'<svg class="chart" id="{self.name}" {facts} role="img" aria-labelledby="{label}">'
        return f'{head}{self.frame}<g class="all">{body}</g></svg>'


def embed(source: str, name: str, limits: Iterable[float]) -> Drawing:
    """Take matplotlib's SVG of one pair of axes apart. ``name`` is the first part of its gids."""
    root = ElementTree.fromstring(source)
    axes = root.find(f".//{SVG}g[@id='axes_1']")
    assert axes is not None, "a chart has axes"
    shapes = {shape.get("id", ""): shape for shape in root.iter(f"{SVG}path") if shape.get("id")}
    frame, parts = [], dict[str, list[str]]()
    colours: dict[str, str] = {}
    for group in axes:
        gid = group.get("id", "")
        if gid.startswith("matplotlib.axis"):
            frame.append(_axis(group, gid[-1]))
        elif gid.startswith(f"{name}--"):
            _, key, kind = gid.split("--")
            colours.setdefault(key, _colour(group))
            parts.setdefault(key, []).append(_mark(group, kind, shapes))
        elif gid.startswith("rule-"):
            frame.insert(0, f'<path class="{gid[5:]}" d="{_path(group)}"/>')
    series = {
        key: f'<g id="{name}--{key}" class="s {colours[key]}" data-m="{key}">{"".join(marks)}</g>'
        for key, marks in parts.items()
    }
    box = next(iter(axes)).find(f".//{SVG}path")
    assert box is not None, "matplotlib draws the paper of its axes first"
    corners = [float(number) for number in NUMBER.findall(box.get("d", "") + " 0.0")]
    xs, ys = corners[0:8:2], corners[1:8:2]
    plot = " ".join(_short(value) for value in (min(xs), min(ys), max(xs), max(ys)))
    ends = " ".join(f"{limit:g}" for limit in limits)
    return Drawing(name, root.get("viewBox", ""), plot, ends, "".join(frame), series)


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
    found = []
    for path in group.findall(f"{SVG}path") if name not in ("marks", "hollow") else ():
        found.append(f'<path class="{" ".join(filter(None, (name, dash)))}" d="{_d(path.get("d", ""))}"/>')
    for use in group.iter(f"{SVG}use"):
        source = shapes[use.get(HREF, "").removeprefix("#")]
        x, y = float(use.get("x", 0)), float(use.get("y", 0))
        if name == "band":
            found.append(
                f'<path class="band" transform="translate({_short(x)} {_short(y)})" d="{_d(source.get("d", ""))}"/>'
            )
        else:
            hollow = ' class="hollow"' if name == "hollow" else ""
            found.append(f'<use{hollow} href="#mk-{SHAPES.get(shape, "dot")}" x="{_short(x)}" y="{_short(y)}"/>')
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
