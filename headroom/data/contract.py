"""What a model wants of its input, read in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headroom.data.batches import Collator
from headroom.data.images import ImageCollator
from headroom.data.language import LanguageCollator
from headroom.data.text import ClassificationCollator, TranslationCollator


def make_collator(purpose: str, model: Any, tokenizer: Any, processor: Any, length: int) -> Collator:
    """The collator for a purpose; ``processor`` is the model's image processor, for images alone."""
    if purpose == "image-classification":
        return ImageCollator(processor, model.config)
    kinds: dict[str, Callable[..., Collator]] = {
        "translation": TranslationCollator,
        "classification": ClassificationCollator,
        "language": LanguageCollator,
    }
    return kinds[purpose](tokenizer, length)
