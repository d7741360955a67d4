"""What a machine that reads the site is told first: llms.txt, with every page, file and profile in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headroom.site.book import Book
from headroom.site.downloads import Download
from headroom.site.templating import Nav, Sibling

OPENING = (
    "How much of a transformer's attention can be removed, which part, by which pruning method, and what that buys in "
    "measured speed. Every method removes physically, on shared models and tasks; every number has its interval, was "
    "measured by the code beside it, and stands in the files below."
)
SAYS = {  # of every page in the head
    "index.html": "The answers by budget and by model, the leaderboard with its charts, and all areas in one table.",
    "overall.html": "One order of the methods over all models, with ties, duels and what is missing where.",
    "compare.html": "Two methods side by side: paired differences, where their curves cross, the units they differ on.",
    "says.html": "What each model answers to a few examples as more and more of it goes.",
    "speed.html": "Removed models timed against dense ones, by workload, beside the ideal speed-up.",
    "claims.html": "What the papers predict, tested here: what holds, what does not, what is undecided.",
    "data/index.html": "All files with sizes and checksums, and what each column of each table means.",
    "methodology.html": "How everything is measured, and the limits.",
    "contribute.html": "How to add a method, a task or a model.",
    "changes.html": "What moved from commit to commit and why, and the boards before this one.",
}
SHAPES = "Models of published sizes with random weights, timed with parts of them really gone."


def values(book: Book, nav: Nav, files: Sequence[Download], siblings: Mapping[str, Sibling]) -> dict[str, Any]:
    """What the template of llms.txt shows; the files of single boards are told by their pattern."""
    about = siblings[book.profile].about if book.profile in siblings else ""
    said = {**SAYS, "index.html": SAYS["index.html"] if book.board else SHAPES}
    return {
        "opening": f"{OPENING} This profile: {about}" if about else OPENING,
        "pages": [(page, words, said.get(page, f"{words}.")) for page, words in nav],
        "files": files,
        "others": {name: one for name, one in siblings.items() if name != book.profile},
    }
