"""Whether a config gives a model at all, found out without its weights."""

from __future__ import annotations

import warnings
from typing import Any

from headroom.config.plain import LONGEST
from headroom.errors import UnsupportedModel, UserError
from headroom.models.loading import config_of
from headroom.models.shapes import CLASSES


def check_config(keys: dict[str, Any], purpose: str, where: str) -> Any:
    """Build the model of a config where no tensor takes memory; the library's own config of it.

    Raises ``UserError`` below ``where`` for an unknown family or key, for values that make no model, and for a model
    that Headroom removes nothing from. Milliseconds, once torch is there.
    """
    import torch
    import transformers

    from headroom.attention import anatomy

    config = config_of(keys, where)
    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):
            model = getattr(transformers, CLASSES[purpose]).from_config(config)
    except Exception as error:  # the library's, of many kinds
        raise UserError(f"{where}: makes no model for {purpose}: {said(error)}") from None
    try:
        anatomy(model)
    except UnsupportedModel as error:
        raise UserError(f"{where}: {error}") from None
    return config


def said(error: Exception) -> str:
    """The first line of what the library says, bounded; a KeyError says no more than a word."""
    line = (str(error).strip().splitlines() or [""])[0][: 2 * LONGEST].rstrip(".")
    return f"{type(error).__name__}: {line}."
