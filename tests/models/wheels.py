"""Wheels of toy size, with weights of every format that packages bring."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from headroom.attention import toy
from headroom.config.model_spec import PackageSource


def wheel(folder: Path, files: Mapping[str, bytes | str], tag: str = "py3-none-any", name: str = "toy_weights") -> Path:
    """A wheel with these files below ``toy/``, as pip reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-{tag}.whl"
    info = f"{name}-1.0.dist-info"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: {tag}\n",
        "RECORD": "",
    }
    with ZipFile(path, "w") as archive:
        archive.writestr("toy/__init__.py", "raise RuntimeError('nothing of a package is imported')\n")
        for inside, content in files.items():
            archive.writestr(f"toy/{inside}", content)
        for inside, text in about.items():
            archive.writestr(f"{info}/{inside}", text)
    return path


def source(path: Path, file: str, **changed: Any) -> PackageSource:
    """The entry of params.yaml for a wheel."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = {"name": "toy-weights", "version": "1.0", "sha256": digest, "file": file} | changed
    return PackageSource.model_validate(entry)


def files_of(folder: Path, below: str = "model") -> dict[str, bytes]:
    """The files of a folder, to be put into a wheel."""
    return {f"{below}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def translator(words: int = 32) -> tuple[Any, dict[str, numpy.ndarray]]:
    """A toy of Bergamot's make, and its tensors by Marian's names, matrices as (in, out)."""
    model = toy(
        "marian_ssru",
        **{"vocab_size": words + 1, "decoder_vocab_size": words + 1, "pad_token_id": words, "eos_token_id": 0},
        **{"decoder_start_token_id": words, "scale_embedding": True, "activation_function": "relu"},
        **{"encoder_attention_heads": 8, "decoder_attention_heads": 8, "max_position_embeddings": 512},
    )
    for stack in (model.model.encoder, model.model.decoder):
        stack.embed_positions.weight.data.copy_(stack.embed_positions.create_weight())
    with torch.no_grad():
        model.model.shared.weight[words] = 0
    found = {"Wemb": model.model.shared.weight[:words], "decoder_ff_logit_out_b": torch.linspace(-1, 1, words)[None]}
    model.final_logits_bias.copy_(torch.cat([found["decoder_ff_logit_out_b"], torch.full((1, 1), -1e9)], 1))
    for stack, short in ((model.model.encoder, "encoder"), (model.model.decoder, "decoder")):
        for number, layer in enumerate(stack.layers, 1):
            found |= _layer(layer, f"{short}_l{number}", short == "encoder")
    return model, {name: tensor.detach().numpy() for name, tensor in found.items()}


def _layer(layer: Any, name: str, encoder: bool) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}

    def norm(theirs: str, module: Any) -> None:
        found[f"{theirs}_scale"], found[f"{theirs}_bias"] = module.weight[None], module.bias[None]

    def attention(theirs: str, module: Any, behind: Any) -> None:
        for letter, part in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"), ("o", "out_proj")):
            one = getattr(module, part)
            found[f"{theirs}_W{letter}"], found[f"{theirs}_b{letter}"] = one.weight.T, one.bias[None]
        norm(f"{theirs}_Wo_ln", behind)

    if encoder:
        attention(f"{name}_self", layer.self_attn, layer.self_attn_layer_norm)
    else:
        found[f"{name}_rnn_W"] = layer.self_attn.input.weight.T
        found[f"{name}_rnn_Wf"] = layer.self_attn.forget.weight.T
        found[f"{name}_rnn_bf"] = layer.self_attn.forget.bias[None]
        norm(f"{name}_rnn_ffn_ln", layer.self_attn_layer_norm)
        attention(f"{name}_context", layer.encoder_attn, layer.encoder_attn_layer_norm)
    for part, one in ((1, layer.fc1), (2, layer.fc2)):
        found[f"{name}_ffn_W{part}"], found[f"{name}_ffn_b{part}"] = one.weight.T, one.bias[None]
    norm(f"{name}_ffn_ffn_ln", layer.final_layer_norm)
    return found


def marian_file(tensors: Mapping[str, numpy.ndarray], version: int = 1) -> bytes:
    """Marian's binary file: matrices in eight bits with their scale, all but the embedding lying; the rest in 32."""
    headers, names, shapes, data = [], b"", b"", b""
    for name, values in tensors.items():
        eight = values.shape[0] > 1
        content = _eight_bits(values, lies=name != "Wemb") if eight else values.astype("<f4").tobytes()
        content += b"\0" * (-len(content) % 256)
        headers.append(struct.pack("<QQQQ", len(name) + 1, 0x4101 if eight else 0x404, values.ndim, len(content)))
        names += name.encode() + b"\0"
        shapes += struct.pack(f"<{values.ndim}i", *values.shape)
        data += content
    gap = 16
    start = struct.pack("<QQ", version, len(headers)) + b"".join(headers) + names + shapes
    return start + struct.pack("<Q", gap) + b"\0" * gap + data


def _eight_bits(values: numpy.ndarray, lies: bool) -> bytes:
    scale = numpy.float32(127 / numpy.abs(values).max())
    whole = numpy.rint((values.T if lies else values) * scale).astype("i1")
    return whole.tobytes() + struct.pack("<f", scale)


def rounded(values: numpy.ndarray) -> numpy.ndarray:
    """What is left of a matrix after eight bits."""
    scale = numpy.float32(127 / numpy.abs(values).max())
    return numpy.rint(values * scale).astype("f4") / scale


def spoken_words(words: int = 32) -> str:
    """The tokenizer beside a toy translator, as tokenizer.json: the end first, and no mark behind a text."""
    pieces = ["</s>", "<unk>", *(f"▁{chr(97 + number)}" for number in range(words - 2))]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(place)) for place, piece in enumerate(pieces)], unk_id=1))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return tokenizer.to_str()


def reactions(folder: Path, classes: int = 3) -> dict[str, bytes | str]:
    """The files of a pickled classifier of reactions, whose config names another number of classes."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "C", "O", "Cl", "(", ")", "=", ".", ">>", "[C@@H]", "1"]
    model = toy("bert", vocab_size=len(words), num_labels=classes)
    weights = model.state_dict() | {"bert.embeddings.position_ids": torch.arange(64)[None]}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(weights, folder / "pytorch_model.bin")
    config = model.config.to_dict() | {"num_labels": 2, "id2label": {0: "a", 1: "b"}}
    return {
        "reactions/pytorch_model.bin": (folder / "pytorch_model.bin").read_bytes(),
        "reactions/config.json": json.dumps(config, default=str),
        "reactions/vocab.txt": "\n".join(words) + "\n",
        "reactions/training_args.bin": b"nobody reads this",
    }
