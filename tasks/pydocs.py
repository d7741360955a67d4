"""Real English from the running interpreter: docstrings of the standard library and pydoc's help topics.

The source of the library is read, never imported. Another Python version has other texts, so `prepare.json` records it.
"""

import ast
import inspect
import random
import re
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "pydoc_data", "turtledemo"}
SHORTEST, LONGEST = 100, 700  # characters of a text
PACKAGES = 8
CHOICES, SHORTEST_WORD, FEWEST_WORDS = 4, 4, 12  # of a question: words to choose from, letters, words before


@cache
def docstrings() -> tuple[tuple[str, str], ...]:
    """Every docstring with the top-level package or module it stands in, in the order of file names and lines."""
    return tuple(_docstrings(Path(sysconfig.get_paths()["stdlib"])))


def _docstrings(library: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(library.rglob("*.py")):
        inside = file.relative_to(library)
        if SKIPPED & set(inside.parts):
            continue
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue  # files kept broken on purpose, as examples
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    yield inside.parts[0].removesuffix(".py"), text


def topics() -> Iterator[str]:
    """The help topics of `help("topics")`."""
    from pydoc_data.topics import topics as texts

    yield from (inspect.cleandoc(texts[name]) for name in sorted(texts))


def _key(text: str) -> str:
    """What two texts that differ in spaces, case and signs only have in common."""
    return "".join(re.findall(r"[a-z0-9]+", text.lower()))


def pieces() -> list[str]:
    """Distinct paragraphs, joined up to LONGEST characters; a paragraph that comes twice is kept once."""
    seen: set[str] = set()
    found = []
    for text in [*(text for _, text in docstrings()), *topics()]:
        piece = ""
        for paragraph in re.split(r"\n\s*\n", text):
            if _key(paragraph) in seen or len(paragraph) > LONGEST:
                continue
            seen.add(_key(paragraph))
            if len(piece) + len(paragraph) > LONGEST:
                found.append(piece)
                piece = ""
            piece = f"{piece}\n\n{paragraph}" if piece else paragraph
        found.append(piece)
    return [piece for piece in found if len(piece) >= SHORTEST]


def language(rng: random.Random) -> dict[str, list[str]]:
    """Texts to train on, to calibrate and to evaluate."""
    texts = pieces()
    rng.shuffle(texts)
    return {"evaluate": texts[:200], "calibrate": texts[200:400], "cloze": texts[400:800], "train": texts[800:]}


def packages(rng: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Docstrings with the number of their package, among the eight packages with the most docstrings.

    A text that comes twice, in one package or in two, is left out altogether.
    """
    texts = [(place, text) for place, text in docstrings() if len(text) >= 40]
    times = Counter(_key(text) for _, text in texts)
    kept = [(place, text) for place, text in texts if times[_key(text)] == 1]
    library = Path(sysconfig.get_paths()["stdlib"])
    folders = Counter(place for place, _ in kept if (library / place).is_dir())
    names = sorted(name for name, _ in folders.most_common(PACKAGES))
    rows = [{"text": text, "label": names.index(place)} for place, text in kept if place in names]
    rng.shuffle(rows)
    return {"evaluate": rows[:500], "calibrate": rows[500:700], "train": rows[700:]}


def cloze(texts: list[str], train: list[str], rng: random.Random) -> list[dict[str, Any]]:
    """A text up to a word, and which of four words comes next.

    All four are about as common behind the word before, so that only the wider context tells.
    """
    follow: dict[str, Counter[str]] = defaultdict(Counter)
    for text in train:
        for first, second in pairwise(re.findall(r"[A-Za-z]+", text)):
            if len(second) >= SHORTEST_WORD:
                follow[first][second] += 1
    common = {first: [word for word, _ in counts.most_common(60)] for first, counts in follow.items()}
    questions = (_question(text, common, rng) for text in texts)
    return [question for question in questions if question]


def _question(text: str, common: dict[str, list[str]], rng: random.Random) -> dict[str, Any] | None:
    """The last word of a text that three others could stand for, or None."""
    for spot in reversed(list(re.finditer(r"(?<=[A-Za-z] )[A-Za-z]{4,}\b", text))):
        context, right = text[: spot.start() - 1], spot.group()
        words = re.findall(r"[A-Za-z]+", context)
        said = {word.lower() for word in (*words, right)}
        rivals = [word for word in common.get(words[-1], []) if word == right or word.lower() not in said]
        if len(words) < FEWEST_WORDS or right not in rivals:
            continue
        rank = rivals.index(right)
        near = [*rivals[max(0, rank - 2) : rank], *rivals[rank + 1 : rank + 3]]  # as many more common as less common
        if rank >= 2 and len(near) == CHOICES:
            choices = [right, *rng.sample(near, CHOICES - 1)]
            rng.shuffle(choices)
            return {"context": context, "choices": [f" {word}" for word in choices], "gold": choices.index(right)}
    return None


def make(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Three tables: ``text_*`` (bits per byte), ``cloze_*`` (multiple choice) and ``package_*`` (classification)."""
    texts = language(random.Random(seed))
    questions = cloze(texts["cloze"], texts["train"], random.Random(seed))
    made = {f"text_{name}": [{"text": text} for text in texts[name]] for name in ("train", "calibrate", "evaluate")}
    made |= {f"package_{name}": rows for name, rows in packages(random.Random(seed)).items()}
    return made | {"cloze_calibrate": questions[:50], "cloze_evaluate": questions[50:300]}
