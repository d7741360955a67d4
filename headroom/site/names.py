"""Names that are safe in a path, an id and an attribute, whatever a record calls itself."""

from __future__ import annotations

import hashlib
import re


def slug(name: str) -> str:
    """The name itself where it is made of lower-case letters, digits and single dashes; else a safe one of its own.

    Two names never share a slug: what had to be changed carries a hash of what it was.
    """
    safe = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if safe and safe == name:
        return safe
    return f"{safe[:40].strip('-') or 'name'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def panel_name(model: str, task: str, setting: str, group: str) -> str:
    """The first part of all ids of a panel; settings and groups are words of ours."""
    return f"{slug(model)}-{slug(task)}-{setting.replace(' ', '-')}-{group}"


def cell_page(model: str, task: str) -> str:
    """Where the page of a model and task lies, from the top of the site."""
    return f"cell/{slug(model)}/{slug(task)}.html"


def method_page(method: str) -> str:
    """Where the page of a method lies."""
    return f"method/{slug(method)}.html"


def run_page(model: str, method: str) -> str:
    """Where the page of a record lies."""
    return f"run/{slug(model)}/{slug(method)}.html"
