"""Model classes of ours beside those of the library, whose makers and loaders have to be told of them."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def told() -> dict[str, Any]:
    """Our classes by name, once ``AutoConfig`` and the like know them. Cheap from the second call on."""
    from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM

    from headroom.attention.ssru import MarianSSRUConfig, MarianSSRUModel, MarianSSRUMTModel

    AutoConfig.register(MarianSSRUConfig.model_type, MarianSSRUConfig)
    AutoModel.register(MarianSSRUConfig, MarianSSRUModel)
    AutoModelForSeq2SeqLM.register(MarianSSRUConfig, MarianSSRUMTModel)
    return {kind.__name__: kind for kind in (MarianSSRUConfig, MarianSSRUModel, MarianSSRUMTModel)}


def class_named(name: str) -> Any:
    """A class of models or configs, ours or the library's; None where neither has one of that name."""
    import transformers

    return told().get(name) or getattr(transformers, name, None)
