"""Tiny tokenizers of every kind, with each kind of mark that tokenizers put around a text."""

from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = ["the cat says no", "a dog says the cat is a dog", "no", "is it a cat? the dog says it is", "it is 0 dogs"] * 3
PAD, BEGIN, END, UNKNOWN = SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]  # ids 0 to 3


def _word_level() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _trained(tokenizer, trainers.WordLevelTrainer)


def _characters() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return _trained(tokenizer, trainers.WordLevelTrainer)


def _word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _trained(tokenizer, trainers.WordPieceTrainer, vocab_size=60)


def _bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return _trained(tokenizer, trainers.BpeTrainer, vocab_size=60)


def _byte_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return _trained(tokenizer, trainers.BpeTrainer, vocab_size=280, initial_alphabet=alphabet)


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return _trained(tokenizer, trainers.UnigramTrainer, vocab_size=60, unk_token=UNKNOWN)


def _trained(tokenizer: Tokenizer, trainer: Any, **settings: Any) -> Tokenizer:
    tokenizer.train_from_iterator(TEXTS, trainer(special_tokens=SPECIAL, show_progress=False, **settings))
    return tokenizer


MODELS = {
    "words": _word_level(),
    "characters": _characters(),
    "word pieces": _word_piece(),
    "pairs": _bpe(),
    "pairs of bytes": _byte_bpe(),
    "unigram": _unigram(),
}
AROUND = {"nothing": "$A", "start": f"{BEGIN} $A", "end": f"$A {END}", "both": f"{BEGIN} $A {END}"}
KINDS = [(model, around) for model in MODELS for around in AROUND]


def tokenizer(model: str, around: str = "nothing", **marks: str | None) -> Any:
    """One of ``MODELS`` that puts one of ``AROUND`` around a text; ``marks`` such as ``bos_token`` are named."""
    whole = Tokenizer.from_str(MODELS[model].to_str())
    if around != "nothing":
        marked = [(mark, SPECIAL.index(mark)) for mark in (BEGIN, END)]
        whole.post_processor = processors.TemplateProcessing(single=AROUND[around], special_tokens=marked)
    named = {"bos_token": BEGIN, "eos_token": END, "pad_token": PAD, "unk_token": UNKNOWN} | marks
    return PreTrainedTokenizerFast(
        tokenizer_object=whole, **{name: mark for name, mark in named.items() if mark is not None}
    )
