"""Tokenizers trained in the pipeline. The same text gives the same tokenizer on every platform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from headroom.config.model_spec import TokenizerSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, START, END, UNKNOWN = SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")  # in the order of their ids, from 0


def train_tokenizer(
    spec: TokenizerSpec, texts: Iterable[str], ends: bool = True, segments: bool = False
) -> PreTrainedTokenizerFast:
    """A fast tokenizer of at most ``spec.size`` pieces.

    ``ends`` puts the end mark behind every text (translation) and, for ``wordpiece``, the start mark in front. Without
    it, one mark between texts is both their end and their start, as in GPT-2, so that whatever asks for either gets
    the one that a language model has seen. ``segments`` tells the second part of a pair from the first, as
    ``token_type_ids`` of 1, for a model that has embeddings of them.
    """
    tokenizer = {"word": _word, "bpe": _bpe, "wordpiece": _wordpiece}[spec.kind](spec.size, list(texts))
    if ends:
        front = f"{START} " if spec.kind == "wordpiece" else ""
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{front}$A {END}",
            pair=f"{front}$A {END} $B:1 {END}:1" if segments else f"{front}$A {END} $B {END}",
            special_tokens=[(START, SPECIAL.index(START)), (END, SPECIAL.index(END))],
        )
    return _fast(tokenizer, START if ends else END, segments)


def _fast(tokenizer: Tokenizer, start: str, segments: bool) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=start,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        **({"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]} if segments else {}),
    )


def _word(size: int, texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _bpe(size: int, texts: list[str]) -> Tokenizer:
    """Byte-level pieces: every text can be written and read back exactly, so bits per byte mean something."""
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _wordpiece(size: int, texts: list[str]) -> Tokenizer:
    """Lower-case pieces of words.

    The trainer numbers inner letters in the order of a hash table, another one in every process, and breaks ties by
    these numbers. Naming them beforehand, in order, makes the pieces the same every time.
    """
    scratch = _empty_wordpiece({})
    letters = sorted({letter for text in texts for letter in scratch.normalizer.normalize_str(text)} - {" "})
    inner = [f"##{letter}" for letter in letters]
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=[*SPECIAL, *inner], show_progress=False)
    scratch.train_from_iterator(texts, trainer)
    return _empty_wordpiece(scratch.get_vocab())


def _empty_wordpiece(pieces: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer
