"""What a model wants of its input, read in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headroom.config.model_spec import ImageSpec
from headroom.data.batches import Collator
from headroom.data.images import ImageCollator
from headroom.data.language import LanguageCollator
from headroom.data.text import ClassificationCollator, TranslationCollator


def make_collator(purpose: str, model: Any, tokenizer: Any, image: ImageSpec, length: int) -> Collator:
    """The collator for a purpose."""
    if purpose == "image-classification":
        return ImageCollator(image, model.config.num_channels)
    kinds: dict[str, Callable[..., Collator]] = {
        "translation": TranslationCollator,
        "classification": ClassificationCollator,
        "language": LanguageCollator,
    }
    return kinds[purpose](tokenizer, length)
