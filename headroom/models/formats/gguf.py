"""A language model in one file of GGUF, as llama.cpp reads it: dequantised, and called that ever after."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

from headroom.config.model_spec import WEIGHTS
from headroom.data.words import said, silent
from headroom.errors import UserError
from headroom.models.formats.format import Format, only

PLAIN = ("F32", "F16", "BF16", "F64")  # types of numbers that were never quantised
UNKNOWN = 10**9  # a tokenizer that states no longest input states a number above


def convert(files: Path, out: Path) -> None:
    """Write model and tokenizer. Raises ``UserError`` without the package ``gguf``, or for what cannot be read."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = only(files, "*.gguf")
    quantised, splits = facts(file)
    try:
        with silent():
            tokenizer = AutoTokenizer.from_pretrained(files, gguf_file=file.name)
            found = AutoModelForCausalLM.from_pretrained(files, gguf_file=file.name, dtype=torch.float32)
    except Exception as error:  # of a file, read by the code of many
        raise UserError(f"{file.name} cannot be read: {said(error)}") from None
    mend(tokenizer, splits, file.name)
    model = fresh(found, quantised)
    if tokenizer.model_max_length > UNKNOWN:
        tokenizer.model_max_length = model.config.max_position_embeddings
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def facts(file: Path) -> tuple[str, str]:
    """How the weights are stored, most of them first (``Q4_1 and Q8_0``), and how texts are split before merging."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise UserError(
            f"{file.name}: reading GGUF takes the package gguf, which is not installed. "
            "Run `pip install 'headroom[packages]'`."
        ) from None
    try:
        reader = GGUFReader(file)
    except Exception as error:  # numbers that make no file
        raise UserError(f"{file.name} cannot be read as GGUF: {said(error)}") from None
    sizes: Counter[str] = Counter()
    for tensor in reader.tensors:
        sizes[tensor.tensor_type.name] += int(tensor.n_elements)
    quantised = [kind for kind, _ in sizes.most_common() if kind not in PLAIN]
    splits = reader.fields.get("tokenizer.ggml.pre")
    return " and ".join(quantised), str(splits.contents()) if splits else ""


def mend(tokenizer: Any, splits: str, where: str) -> None:
    """Split texts as the model was trained. The library splits all of them as GPT-2 does, whatever the file says."""
    from tokenizers import pre_tokenizers

    if splits in ("", "default", "gpt-2"):
        return
    if splits != "smollm":
        raise UserError(
            f"{where}: its tokenizer splits texts as {splits[:40]!r} (tokenizer.ggml.pre), and only smollm and gpt-2 "
            "are known here. Save model and tokenizer with save_pretrained and name them as source.folder."
        )
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def fresh(found: Any, quantised: str) -> Any:
    """A model of the same weights that nobody takes for a quantised one, for such a one would not be saved."""
    config = copy.deepcopy(found.config)
    for key in ("quantization_config", "_name_or_path"):
        config.__dict__.pop(key, None)
    if quantised:
        setattr(config, WEIGHTS, f"dequantised {quantised}")
    model = type(found)(config)
    model.load_state_dict(found.state_dict())
    model.tie_weights()
    model.generation_config = found.generation_config
    return model


FORMAT = Format("a GGUF file (*.gguf)", needs=("*.gguf",), convert=convert)
