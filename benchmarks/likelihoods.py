"""Log likelihoods of choices behind contexts, beside lm-eval's own loop, with a vocabulary as wide as SmolLM2's.

The model has next to no layers: what is measured is what becomes of its logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from random import Random
from statistics import median
from typing import Any

from benchmarks.figures import Figure
from headroom.measure.clock import Stopwatch
from headroom.models.shapes import dense

SHAPE = {
    "family": "llama",
    "vocab_size": 49_152,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
REQUESTS, CONTEXT, CHOICE = 120, 60, 12  # choices, and tokens: HellaSwag's, about
BATCH = 40  # rows: about as many tokens as go through a CPU at once
TURNS = 3


def likelihoods() -> Iterator[Figure]:
    """Seconds of ours, and its share of lm-eval's."""
    from lm_eval.models.huggingface import HFLM

    from headroom.evaluate.answering import AnsweringModel

    draw = Random(0)
    asked = [(None, tokens(draw, CONTEXT), tokens(draw, CHOICE)) for _ in range(REQUESTS)]
    ours, theirs = (live(kind) for kind in (AnsweringModel, HFLM))
    both = [(seconds(ours, asked), seconds(theirs, asked)) for _ in range(TURNS)]
    yield Figure("likelihoods_s", median(one for one, _ in both), "s", "lower")
    yield Figure("likelihoods_over_lm_eval", median(one / other for one, other in both), "ratio", "lower", 0.5)


def tokens(draw: Random, count: int) -> list[int]:
    return [draw.randrange(SHAPE["vocab_size"]) for _ in range(count)]  # type: ignore[call-overload]


def live(kind: Any) -> Any:
    """The model behind lm-eval's interface; its tokenizer is asked nothing."""
    from headroom.config.model_spec import TokenizerSpec
    from headroom.data.tokenize import train_tokenizer

    reader = train_tokenizer(TokenizerSpec(kind="bpe", size=300), ["no text is read"], ends=False)
    model = dense(SHAPE, "language", "float32", "cpu")
    return kind(pretrained=model, tokenizer=reader, batch_size=BATCH, max_length=128)


def seconds(model: Any, asked: list) -> float:
    with redirect_stderr(StringIO()), Stopwatch() as watch:
        model._loglikelihood_tokens(asked, disable_tqdm=True)
    return watch.seconds
