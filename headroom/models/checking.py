"""Whether a config gives a model at all, found out without its weights."""

from __future__ import annotations

from typing import Any

from headroom.data.processor_facts import channels_of, size_of
from headroom.data.words import said, silent
from headroom.errors import UnsupportedModel, UserError
from headroom.models.configs import auto, config_of

LAYERS = ("num_hidden_layers", "encoder_layers", "decoder_layers", "num_layers", "num_decoder_layers")
DEEPEST = 2000


def check_config(keys: dict[str, Any], purpose: str, where: str, length: int = 0) -> Any:
    """Build the model of a config where no tensor takes memory, and call it once; the library's own config of it.

    Raises ``UserError`` below ``where`` for an unknown family or key, for values that make no model, and for a model
    that Headroom removes nothing from. ``length`` is that of the longest input in tokens; with 0 the model is not
    called. Milliseconds, once torch is there.
    """
    config = config_of(keys, where)
    if "classification" in purpose and config.num_labels < 1:
        raise UserError(f"{where}.num_labels is {config.num_labels}; a classifier tells apart two classes or more.")
    model = skeleton(config, purpose, where)
    check_layers(model, where)
    if length:
        check_call(model, purpose, length, where)
    return config


def skeleton(config: Any, purpose: str, where: str, trust_remote_code: bool = False) -> Any:
    """The model of a config in eval mode, on the meta device. Raises ``UserError`` for a config that makes none."""
    import torch

    for key in LAYERS:
        count = getattr(config, key, None)
        if isinstance(count, int) and count > DEEPEST:  # made one by one, they would take days
            raise UserError(f"{where}: {key} is {count}; {DEEPEST} layers are the most here.")
    code = {"trust_remote_code": True} if trust_remote_code else {}
    try:
        with torch.device("meta"), silent():
            return auto(purpose).from_config(config, **code).eval()
    except Exception as error:  # the library's, of many kinds
        raise UserError(f"{where}: makes no model for {purpose}: {said(error)}") from None


def check_layers(model: Any, where: str) -> None:
    """Raises ``UserError`` for a model that Headroom removes nothing from: of another class, or without layers."""
    from headroom.attention import anatomy

    try:
        if not anatomy(model).places:
            raise UserError(f"{where}: makes a model without layers, so there is nothing to remove.")
    except UnsupportedModel as error:
        raise UserError(f"{where}: {error}") from None


def check_call(model: Any, purpose: str, length: int, where: str) -> None:
    """Raises ``UserError`` for a model whose parts do not fit each other, or an input of so many tokens."""
    import torch

    with torch.device("meta"), torch.inference_mode(), silent():
        if purpose == "image-classification":
            height, width = size_of(model.config) or (32, 32)
            inputs = {"pixel_values": torch.zeros(1, channels_of(model.config), height, width)}
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
