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
    r"<\?xml.*?\?>",
    r"<!DOCTYPE.*?>",
    r"<!--.*?-->",
    r"<metadata>.*?</metadata>",
    r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>",
    r' xmlns(:\w+)?="[^"]*"',
    r' version="1.1"',
]
# Text takes its face from the page, so that it follows the reader's settings and the phone's larger size.
FACE = re.compile(r"font: [^;\"]*;? ?")
NUMBER = re.compile(r"-?\d+\.\d\d+")
SERIES = re.compile(r'<g id="([\w-]+?)--(\w+)--(\w+)">')


def embed(source: str, label_id: str) -> str:
    """An SVG for the inside of an HTML page, labelled by the element ``label_id``."""
    for pattern in DROPPED:
        source = re.sub(pattern, "", source, flags=re.DOTALL)
    source = NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), source)
    for value, variable in VARIABLES.items():
        source = source.replace(value, variable)
    source = FACE.sub("", source).replace("xlink:href", "href")
    source = SERIES.sub(r'<g id="\1--\2--\3" class="\3" data-m="\2">', source)
    source = re.sub(r"\s*\n\s*", " ", source).replace('" />', '"/>').replace("> <", "><").replace(' style=""', "")
    source = re.sub(
        r'<svg [^>]*viewBox="([^"]+)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-labelledby="{label_id}">', source
    )
    return source.strip()
