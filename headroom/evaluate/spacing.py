"""Languages written without spaces, known by their script: a tokenizer that splits at spaces finds no words there."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headroom.config.metrics import Metric

logger = logging.getLogger(__name__)

# First word of a letter's name in Unicode: the language whose script it is.
SCRIPTS = {
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "THAI": "Thai",
    "LAO": "Lao",
    "KHMER": "Khmer",
    "MYANMAR": "Burmese",
    "TIBETAN": "Tibetan",
}
# First part of a language's code (ISO 639-1 and -3, as in zh_CN or zho_Hans): the language.
CODES = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"), "Chinese"),
    **dict.fromkeys(("ja", "jpn", "jap"), "Japanese"),
    **dict.fromkeys(("th", "tha"), "Thai"),
    **dict.fromkeys(("lo", "lao"), "Lao"),
    **dict.fromkeys(("km", "khm"), "Khmer"),
    **dict.fromkeys(("my", "mya"), "Burmese"),
    **dict.fromkeys(("bo", "bod", "dz", "dzo"), "Tibetan"),
}
FITS = {"Chinese": ("zh", "char"), "Japanese": ("ja-mecab", "char")}  # for the others char
AT_SPACES = ("13a", "intl", "none")  # tokenizers that know no words but those between spaces and punctuation
OWN = {"zh": "Chinese", "ja-mecab": "Japanese", "ko-mecab": "Korean"}  # tokenizers of one language

SAMPLE, LONGEST = 200, 200  # references that are looked at, and letters of each
SHARE = 0.25  # of the letters: Chinese news name people and firms in Latin letters
KANA = 0.05  # of Chinese and Japanese letters: Japanese is never without
SEPARATED = 6  # letters of theirs to a space: below, somebody has split the words; Thai has one between clauses


def unspaced(references: Sequence[str], metric: Metric, language: str | None = None) -> str | None:
    """One sentence when the metric splits at spaces and the references have none; None when all is well.

    ``language`` is a code such as ``zh`` or ``zho_Hans``; it counts where there are no letters in the references, so
    before the data are read.
    """
    if metric.name not in ("bleu", "chrf++"):  # chrf skips spaces, and the others compare no texts
        return None
    found = script(references)
    if found is None and not any(map(_letters, references)):
        found = CODES.get(re.split(r"[^a-z]+", (language or "").lower().strip("_<> "))[0])
    if found is None:
        return None
    if metric.name == "chrf++":
        return f"{found} is written without spaces, and chrf++ counts words between spaces; chrf counts letters alone."
    tokenizer = metric.tokenize or "13a"
    if tokenizer not in AT_SPACES and OWN.get(tokenizer, found) == found:
        return None
    fits = " or ".join(f"`tokenize: {name}`" for name in FITS.get(found, ("char",)))
    return (
        f"{found} is written without spaces, and BLEU's tokenizer {tokenizer} takes a whole sentence for one word or a "
        f"few; state {fits} in the task's metric."
    )


def script(references: Sequence[str]) -> str | None:
    """The language, as far as its script says, of texts in which no spaces stand between words; otherwise None."""
    step = max(1, len(references) // SAMPLE)
    texts = [text[:LONGEST] for text in references[::step]]
    kinds: Counter[str | None] = Counter()
    for letter, count in Counter(letter for text in texts for letter in text if letter.isalpha()).items():
        kinds[language_of(letter)] += count
    total, others = kinds.total(), kinds.pop(None, 0)
    found = total - others
    if not found or found < SHARE * total or found < SEPARATED * sum(map(splits, texts)):
        return None
    if kinds["Japanese"] >= KANA * (kinds["Chinese"] + kinds["Japanese"]) > 0:
        kinds["Japanese"] += kinds.pop("Chinese", 0)
    return str(max(kinds, key=lambda language: kinds[language]))


def splits(text: str) -> int:
    """Spaces that stand between two letters of scripts without spaces; one beside a Latin word splits nothing."""
    pieces = text.split()
    return sum(bool(language_of(left[-1]) and language_of(right[0])) for left, right in pairwise(pieces))


def language_of(letter: str) -> str | None:
    """The language in whose script a letter is, where that is one without spaces."""
    name = unicodedata.name(letter, "").removeprefix("HALFWIDTH ")
    return SCRIPTS.get(re.split("[ -]", name)[0])


def _letters(text: str) -> bool:
    return any(map(str.isalpha, text))


@cache  # an evaluation is made for every model and once more for every worker
def warn(task: str, sentence: str) -> None:
    """Say it once a process."""
    logger.warning("task %s: %s", task, sentence)
