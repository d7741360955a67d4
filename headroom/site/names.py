"""Names that are safe in a path, an id and an attribute, whatever a record calls itself."""

from __future__ import annotations

import hashlib
import re

from headroom.site.qualities import twin


def slug(name: str) -> str:
    """The name itself where it is made of lower-case letters, digits and single dashes; else a safe one of its own.

    Two names never share a slug: what had to be changed carries a hash of what it was.
    """
    safe = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if safe and safe == name:
        return safe
    return f"{safe[:40].strip('-') or 'name'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def panel_name(model: str, task: str, setting: str, group: str, quality: str = "task") -> str:
    """The first part of all ids of a panel; settings, groups and qualities are words of ours."""
    name = f"{slug(model)}-{slug(task)}-{setting.replace(' ', '-')}-{group}"
    return name if quality == "task" else f"{name}-{quality}"


def cell_page(model: str, task: str, quality: str = "task") -> str:
    """Where the page of a model and task lies, from the top of the site."""
    return twin(f"cell/{slug(model)}/{slug(task)}.html", quality)


def board_file(model: str, task: str, setting: str, quality: str = "task") -> str:
    """Where the rows of one board lie as CSV: an address that does not change."""
    stem = setting.replace(" ", "-") + ("" if quality == "task" else f"-{quality}")
    return f"data/{slug(model)}/{slug(task)}/{stem}.csv"


def method_page(method: str, quality: str = "task") -> str:
    """Where the page of a method lies."""
    return twin(f"method/{slug(method)}.html", quality)


def run_page(model: str, method: str) -> str:
    """Where the page of a record lies."""
    return f"run/{slug(model)}/{slug(method)}.html"
