"""The dictionary of the tables and the entry for a bibliography."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from headroom.config.project import root
from headroom.results.rows import Row
from headroom.results.write import dictionary
from headroom.site.book import Book


def columns(tables: Mapping[str, type[Row]]) -> dict[str, list[tuple[str, str, str, str, str]]]:
    """(table, column, type, unit, meaning) by table."""
    found = defaultdict(list)
    for entry in dictionary(tables):
        found[entry[0]].append(entry)
    return dict(found)


def bibtex(book: Book) -> str:
    """A BibTeX entry from CITATION.cff and the date of the newest record."""
    facts = citation()
    dates = [record.provenance.date for record in book.records.cells.values()]
    dates += [record.provenance.date for record in book.records.speeds.values()]
    year = max(dates, default="")[:4]
    lines = [
        "@software{headroom,",
        f"  title = {{{facts.get('title', 'Headroom')}}},",
        f"  author = {{{{{facts.get('name', 'The Headroom authors')}}}}},",
        f"  version = {{{facts.get('version', '')}}},",
        *([f"  year = {{{year}}},"] if year.isdigit() else []),
        f"  note = {{Profile {book.profile}}},",
        "}",
    ]
    return "\n".join(lines)


def citation() -> dict[str, str]:
    """The scalars of CITATION.cff that a bibliography needs; empty when the file is not there."""
    path = root() / "CITATION.cff"
    if not path.is_file():
        return {}
    from ruamel.yaml import YAML

    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    authors = content.get("authors") or [{}]
    return {name: str(content[name]) for name in ("title", "version") if name in content} | {
        "name": str(authors[0].get("name", ""))
    }
