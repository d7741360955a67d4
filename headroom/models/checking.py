"""Whether a config gives a model at all, found out without its weights."""

from __future__ import annotations

import warnings
from typing import Any

from headroom.config.plain import LONGEST
from headroom.errors import UnsupportedModel, UserError
from headroom.models.configs import auto, config_of


def check_config(keys: dict[str, Any], purpose: str, where: str, length: int = 0) -> Any:
    """Build the model of a config where no tensor takes memory, and call it once; the library's own config of it.

    Raises ``UserError`` below ``where`` for an unknown family or key, for values that make no model, and for a model
    that Headroom removes nothing from. ``length`` is that of the longest input in tokens; with 0 the model is not
    called. Milliseconds, once torch is there.
    """
    import torch

    from headroom.attention import anatomy

    config = config_of(keys, where)
    if "classification" in purpose and config.num_labels < 1:
        raise UserError(f"{where}.num_labels is {config.num_labels}; a classifier tells apart two classes or more.")
    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):
            model = auto(purpose).from_config(config).eval()
    except Exception as error:  # the library's, of many kinds
        raise UserError(f"{where}: makes no model for {purpose}: {said(error)}") from None
    try:
        if not anatomy(model).places:
            raise UserError(f"{where}: makes a model without layers, so there is nothing to remove.")
    except UnsupportedModel as error:
        raise UserError(f"{where}: {error}") from None
    if length:
        check_call(model, purpose, length, where)
    return config


def check_call(model: Any, purpose: str, length: int, where: str) -> None:
    """Raises ``UserError`` for a model whose parts do not fit each other, or an input of so many tokens."""
    import torch

    with torch.device("meta"), torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        if purpose == "image-classification":
            size = model.config.image_size
            inputs = {"pixel_values": torch.zeros(1, model.config.num_channels, size, size)}
        else:
            inputs = {"input_ids": torch.zeros(1, length, dtype=torch.long)}
            if purpose == "translation":
                inputs["decoder_input_ids"] = inputs["input_ids"]
        try:
            model(**inputs)
        except NotImplementedError:
            return  # of a library that looks at values, which are not there: it says nothing about the config
        except Exception as error:
            if "meta" in str(error):
                return
            what = "an image" if purpose == "image-classification" else f"an input of {length} tokens"
            raise UserError(f"{where}: makes a model that cannot read {what}: {said(error)}") from None


def said(error: Exception) -> str:
    """The first line of what the library says, bounded; a KeyError says no more than a word."""
    line = (str(error).strip().splitlines() or [""])[0][: 2 * LONGEST].rstrip(".")
    return f"{type(error).__name__}: {line}."
