"""What feeds a model: its own tokenizer or image processor, or a processor made for it."""

from __future__ import annotations

from typing import Any

from headroom.config.model_spec import ImageSpec, ModelSpec
from headroom.data.processors import processor_for, read_processor
from headroom.errors import UserError
from headroom.models.sources import Source


def readers(
    spec: ModelSpec, purpose: str, config: Any, where: str, source: Source | None = None, needed: bool = True
) -> tuple[Any, Any]:
    """The tokenizer and the image processor of a model, of which one is None.

    ``where`` is its entry in params.yaml. Without ``source`` the model is made here, and so will be its tokenizer.
    Raises ``UserError`` for files that cannot be read, and, where one is ``needed``, for a model that has neither.
    """
    if purpose != "image-classification":
        return (tokenizer_of(source, purpose, needed) if source else None), None
    if source is None:
        return None, processor_for(spec.image, config, f"{where}.image")
    place = (source.reads, source.revision, source.trust_remote_code)
    if not needed and spec.image == ImageSpec():
        return None, read_processor(*place)
    return None, processor_for(spec.image, config, f"{where}.image", *place)


def tokenizer_of(source: Source, purpose: str, needed: bool = True) -> Any:
    """The tokenizer of a model of texts. Raises ``UserError`` where its folder has none, though a task needs one."""
    if source.tokenizer is None and needed:
        raise UserError(
            f"{source}: holds no tokenizer_config.json, and a task for {purpose} is made of texts. Save the tokenizer "
            "that the model was trained with beside it."
        )
    return source.tokenizer
