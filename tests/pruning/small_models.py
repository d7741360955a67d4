"""Toys with what feeds them, and examples of their kinds: made in a moment, and scored in another."""

from __future__ import annotations

from headroom import attention
from headroom.config.model_spec import TokenizerSpec
from headroom.data.tokenize import train_tokenizer

COLOURS, THINGS = ("red", "green", "blue", "old", "new"), ("cat", "dog", "house", "tree", "bird", "fish")
TEXTS = [f"the {colour} {thing} sees {n} birds" for n in range(4) for colour in COLOURS for thing in THINGS]
LABELLED = [(text, len(text) % 3) for text in TEXTS]
PAIRS = [(text, text.replace("the", "ein")) for text in TEXTS]
KINDS = {"bert": "wordpiece", "llama": "bpe", "m2m_100": "word"}


def tokenizer_of(family):
    """A tokenizer of the kind that such a model comes with."""
    texts = [text for pair in PAIRS for text in pair]
    return train_tokenizer(TokenizerSpec(kind=KINDS[family], size=300), texts, ends=family != "llama")


def pair_of(family, **changes):
    """A toy and its tokenizer, which agree on every mark."""
    tokenizer = tokenizer_of(family)
    marks = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    marks |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if family == "m2m_100":
        marks |= {"decoder_start_token_id": tokenizer.bos_token_id}
    return attention.toy(family, **marks | changes), tokenizer
