"""Two qualities, never mixed: a page that ranks is made once for each, and a switch leads from one to the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headroom.results.records import Quality

QUALITIES: tuple[Quality, ...] = ("task", "agreement")


@dataclass(frozen=True)
class Words:
    """What a page calls a quality."""

    name: str  # in the switch
    noun: str
    best: str  # verb of the sentence at the top
    says: str  # what the quality is; empty for the task's own metric

    @property
    def kept(self) -> str:
        """What the area and the curves count."""
        return f"{self.noun} kept"


WORDS: dict[Quality, Words] = {
    "task": Words("the task\N{RIGHT SINGLE QUOTATION MARK}s own metric", "quality", "keeps most quality", ""),
    "agreement": Words(
        "agreement with the dense model",
        "agreement",
        "stays closest to the dense model",
        "How much of the predictions of the dense model is left, example by example, right or wrong. KL is the "
        "divergence from its predictions in bits per prediction; flips are predictions whose likeliest answer is "
        "another one; agreement kept is 1 at no divergence and 0 at that of a model which always predicts the mean. "
        "It needs no labels and tells methods apart before accuracy does (Accuracy is not all you need, "
        "arXiv:2407.09141).",
    ),
}


def twin(page: str, quality: str) -> str:
    """The address of a page in a quality. Names of others are slugs, which have no dot: no two pages can meet."""
    stem, _, end = page.rpartition(".")
    return page if quality == QUALITIES[0] else f"{stem}.{quality}.{end}"


def present(qualities: Iterable[Quality]) -> list[Quality]:
    """Those of the two that are there, in their order."""
    found = set(qualities)
    return [one for one in QUALITIES if one in found]
