"""The words of a method file: what stands in its docstring, as paragraphs."""

from __future__ import annotations

import ast
import re

from markupsafe import Markup, escape

from headroom.config.project import root


def docstring(file: str) -> str:
    """The docstring of a method file inside the project; empty when it is not there or does not parse."""
    path = (root() / file).resolve()
    if not path.is_relative_to(root().resolve()) or path.suffix != ".py" or not path.is_file():
        return ""
    try:
        return ast.get_docstring(ast.parse(path.read_bytes())) or ""
    except (SyntaxError, ValueError):
        return ""


def paragraphs(text: str) -> Markup:
    """Paragraphs and indented equations as HTML, everything escaped; words between double backticks are code."""
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    return Markup("\n").join(_block(block) for block in blocks)


def _block(block: str) -> Markup:
    lines = block.splitlines()
    if all(line.startswith("    ") or not line.strip() for line in lines):
        return Markup("<pre>{}</pre>").format("\n".join(line[4:] for line in lines))
    marked = re.sub(r"``([^`]+)``", r"<code>\1</code>", str(escape(" ".join(block.split()))))
    return Markup("<p>{}</p>").format(Markup(marked))
