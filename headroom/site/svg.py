"""Make matplotlib's SVG fit to stand inside a page: small, without an outside world, in the page's colours."""

from __future__ import annotations

import re

from headroom.site.styles import COLOURS, FAINT, INK, LINE

VARIABLES = {
    **{value: f"var(--c{place})" for place, value in enumerate(COLOURS, 1)},
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    LINE: "var(--line)",
}
DROPPED = [
    r"<!--.*?-->",
    r"<metadata>.*?</metadata>",
    r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>",
    r'<g id="patch_[12]">.*?</g>',  # the white paper under figure and axes
    r"font-(?:size|family): [^;\"]*;? ?",  # text takes size and face from the page
    r"stroke-(?:linejoin|linecap|dashoffset): \w+;? ?",
    r'; fill: var\(--faint\)(?=" x)',  # text, coloured by the style sheet
    r' transform="rotate\(-0 [^"]*"',
    r' id="(?:figure|axes|matplotlib|xtick|ytick|text|line2d|patch)[._]\w+"',
]
BRIEF = [
    (r"\s*\n\s*", " "),
    (r"> <", "><"),
    (r'style="text-anchor: (\w+)"', r'text-anchor="\1"'),
    (r"; ?\"", '"'),
    (r"([;:]) (?=[^\"<>]*\")", r"\1"),
    (r" ?([MLCz]) (?=-?\d)|(?<=\d) (z)", r"\1\2"),
    (r' ?"/>|" />', '"/>'),
    (r' style=""| style="fill:none"(?=/><defs)', ""),
]
NUMBER = re.compile(r"-?\d+\.\d\d+")
WRAPPED = re.compile(r"<g>((?:<text[^>]*>[^<]*</text>|<path[^>]*/>|<use[^>]*/>)*)</g>|<g/>")
SERIES = re.compile(r'<g id="[\w-]+?--([\w-]+?)--(\w+)">(.*?var\((--c\d)\))', re.DOTALL)


def embed(source: str, label_id: str) -> str:
    """An SVG for the inside of an HTML page, labelled by the element ``label_id``."""
    box = re.search(r'viewBox="([^"]+)"', source)
    body = re.sub(r"^.*?<svg[^>]*>|</svg>\s*$", "", source, flags=re.DOTALL)
    for value, variable in VARIABLES.items():
        body = body.replace(value, variable)
    for pattern in DROPPED:
        body = re.sub(pattern, "", body, flags=re.DOTALL)
    body = NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), body.replace("xlink:href", "href"))
    for pattern, brief in BRIEF:
        body = re.sub(pattern, brief, body)
    # The colour moves to the group, once: marks inherit it.
    body = SERIES.sub(r'<g class="\2" data-m="\1" fill="var(\4)">\3', body)
    body = re.sub(r'(<use[^>]*?) style="fill:var\(--c\d\)"/>', r"\1/>", body)
    while (smaller := WRAPPED.sub(lambda found: found[1] or "", body)) != body:
        body = smaller
    assert box is not None
    return f'<svg class="chart" viewBox="{box[1]}" role="img" aria-labelledby="{label_id}">{body.strip()}</svg>'
