"""Tiny tokenizers of translators: the library's own classes around pieces that are learned here from made words."""

import io
import json
import random
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from tokenizer_kinds import KINDS, tokenizer
from transformers import M2M100Tokenizer, MarianTokenizer, MBart50Tokenizer, MBartTokenizer, NllbTokenizer, T5Tokenizer

WORDS = ["the", "cat", "says", "no", "dog", "a", "is", "it", "big", "red", "house", "tree", "runs", "sleeps", "under"]
FOREIGN = [word[::-1] + "ü" for word in WORDS]
MARKS = ["<s>", "<pad>", "</s>", "<unk>"]


def sentences(words: list[str], count: int = 400, seed: int = 0) -> list[str]:
    """Made sentences of 1 to 9 words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(count)]


@cache
def model(language: str, kind: str = "unigram") -> bytes:
    """A sentencepiece model of one of the two languages. Skips the test where the package is missing."""
    sentencepiece = pytest.importorskip("sentencepiece")
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences(WORDS if language == "en" else FOREIGN)),
        model_writer=made,
        vocab_size=60,
        model_type=kind,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return made.getvalue()


def pieces(language: str, kind: str = "unigram") -> list[tuple[str, float]]:
    """Its pieces with their scores, but for the marks."""
    sentencepiece = pytest.importorskip("sentencepiece")
    read = sentencepiece.SentencePieceProcessor(model_proto=model(language, kind))
    return [(read.id_to_piece(place), read.get_score(place)) for place in range(3, read.get_piece_size())]


def _numbered(*names: str) -> str:
    return json.dumps({name: number for number, name in enumerate(dict.fromkeys(names))})


def marian(*codes: str, separate: bool = False, kind: str = "unigram") -> Any:
    """Two sentencepiece models, with one vocabulary or one for each side; ``codes`` such as ``>>rus<<``."""
    folder = Path(mkdtemp())
    sides = {side: [name for name, _ in pieces(side, kind)] for side in ("en", "de")}
    for side, name in (("en", "source.spm"), ("de", "target.spm")):
        (folder / name).write_bytes(model(side, kind))
    first = ("</s>", "<unk>")
    both = sides["en"] if separate else [*sides["en"], *sides["de"]]
    (folder / "vocab.json").write_text(_numbered(*first, *both, *codes, "<pad>"))
    (folder / "target.json").write_text(_numbered(*first, *sides["de"], "<pad>"))
    how = {"target_vocab_file": str(folder / "target.json"), "separate_vocabs": True} if separate else {}
    files = (folder / name for name in ("source.spm", "target.spm", "vocab.json"))
    return MarianTokenizer(*map(str, files), **how)


def m2m(**settings: Any) -> Any:
    """The languages of M2M100, numbered behind the pieces."""
    folder = Path(mkdtemp())
    (folder / "vocab.json").write_text(_numbered(*MARKS, *(name for name, _ in pieces("en"))))
    (folder / "pieces.spm").write_bytes(model("en"))
    return M2M100Tokenizer(str(folder / "vocab.json"), str(folder / "pieces.spm"), **settings)


def nllb(**settings: Any) -> Any:
    """Pairs of letters behind the marks, as in NLLB's file; in front the code of a language."""
    names = dict.fromkeys([*MARKS, "▁", *(letter for word in WORDS for letter in word)])
    return NllbTokenizer(vocab={name: number for number, name in enumerate(names)}, merges=[], **settings)


def mbart(**settings: Any) -> Any:
    return MBartTokenizer(vocab=[(mark, 0.0) for mark in MARKS] + pieces("en"), **settings)


def mbart50(**settings: Any) -> Any:
    return MBart50Tokenizer(vocab=[("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *pieces("en")], **settings)


def t5() -> Any:
    return T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces("en")], extra_ids=5)


CODED = {"m2m_100": m2m, "nllb": nllb, "mbart": mbart, "mbart50": mbart50}
PLAIN = {
    "marian": marian,
    "marian of pairs": lambda: marian(kind="bpe"),
    "marian, separate": lambda: marian(separate=True),
    "t5": t5,
} | {
    f"{pieces_of}, {around}": lambda pieces_of=pieces_of, around=around: tokenizer(pieces_of, around)
    for pieces_of, around in KINDS
    if around in ("end", "both")
}
LANGUAGES = {  # as a task may write them: source, target, and the codes that these are
    "m2m_100": ("en", "de", "en", "de"),
    "nllb": ("eng", "deu_Latn", "eng_Latn", "deu_Latn"),
    "mbart": ("en", "de_DE", "en_XX", "de_DE"),
    "mbart50": ("en_XX", "de", "en_XX", "de_DE"),
}


def size(reader: Any) -> int:
    """One more than the highest number of its tokens: M2M100 numbers languages that its length leaves out."""
    numbers = [len(reader) - 1, *(getattr(reader, "lang_code_to_id", None) or {}).values()]
    return max(numbers) + 1
