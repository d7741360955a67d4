"""Models from a config: the library's own, from keys that people wrote, each of them checked."""

from __future__ import annotations

from typing import Any

from headroom.errors import UserError, suggest

CLASSES = {
    "translation": "AutoModelForSeq2SeqLM",
    "classification": "AutoModelForSequenceClassification",
    "image-classification": "AutoModelForImageClassification",
    "language": "AutoModelForCausalLM",
}


def auto(purpose: str) -> Any:
    """The library's class that makes and loads models of a purpose."""
    from headroom.attention.own import class_named

    return class_named(CLASSES[purpose])


def config_of(keys: dict[str, Any], where: str, **filled: Any) -> Any:
    """The library's config for ``keys``, which name a ``family``; ``filled`` come on top and are not checked.

    Raises ``UserError`` below ``where`` for an unknown family or key: the library would swallow a misspelt key.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    from headroom.attention.own import told

    told()
    keys = dict(keys)
    family = str(keys.pop("family"))
    try:
        known = AutoConfig.for_model(family)
    except ValueError:
        from headroom.attention import FAMILY_NAMES

        raise UserError(f"{where}.family is {family!r}. {suggest(family, FAMILY_NAMES)}") from None
    allowed = set(known.to_dict()) | set(known.attribute_map) | {"num_labels", "head_dim", "attn_implementation"}
    for key in keys:
        if key not in allowed:
            raise UserError(f"{where}.{key}: unknown key of {family}. {suggest(key, allowed)}")
    try:
        return AutoConfig.for_model(family, **keys | filled)
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise UserError(f"{where}: {' '.join(str(error).split())[:200].rstrip('.')}.") from None


def of_tokenizer(tokenizer: Any, purpose: str) -> dict[str, Any]:
    """The keys of a config that its tokenizer decides."""
    if tokenizer is None:
        return {}
    keys = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if purpose == "translation":
        keys |= {"decoder_start_token_id": tokenizer.bos_token_id, "forced_eos_token_id": None}
    return keys
