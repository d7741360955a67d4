"""A translator of the Bergamot project, as browsers ship it: Marian's binary file of eight-bit numbers.

The file: a version and the number of tensors; for each the length of its name, its type, its number of dimensions and
its bytes, all of 64 bits; the names; the shapes, of 32 bits; a gap, its length before it; the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headroom.config.model_spec import WEIGHTS
from headroom.errors import UserError
from headroom.models.formats.format import Format, only

VERSION, FLOAT32, INT8 = 1, 0x404, 0x4101
MOST = 10_000  # tensors, names' letters; more is no such file
POSITIONS = 512  # Marian computes them as it needs them; a sentence has fewer tokens
NEVER = -1e9  # logit of the padding, which the file has no word for

Weights = dict[str, Any]  # tensors by Marian's names


def convert(files: Path, out: Path) -> None:
    """Write model and tokenizer. Raises ``UserError`` for a file that is no such translator."""
    file = only(files, "*.bin")
    weights = read(file)
    try:
        model = model_of(weights)
    except (KeyError, RuntimeError, StopIteration) as error:
        what = " ".join(str(error).split())[:200]
        raise UserError(
            f"{file.name}: is no translator of Bergamot's students (encoder, SSRU decoder): {what}."
        ) from None
    model.save_pretrained(out)
    tokenizer_of(files / "tokenizer.json", model.config).save_pretrained(out)


def read(file: Path) -> Weights:
    """Every tensor in float32, matrices as (out, in). Raises ``UserError`` for another kind of file, or half of one."""
    content = file.read_bytes()
    try:
        return dict(_tensors(content))
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{file.name}: cannot be read as Marian's binary file, version {VERSION}: {error}.") from None


@dataclass
class Cursor:
    """A place in the file."""

    content: bytes
    at: int = 0

    def numbers(self, kind: str) -> tuple[Any, ...]:
        """Little-endian numbers of a kind of ``struct``."""
        found = struct.unpack_from(f"<{kind}", self.content, self.at)
        self.at += struct.calcsize(f"<{kind}")
        return found

    def bytes(self, count: int) -> bytes:
        """As many bytes, all there."""
        found = self.content[self.at : self.at + count]
        if len(found) < count:
            raise ValueError("it ends in the middle of a tensor")
        self.at += count
        return found


def _tensors(content: bytes) -> Iterator[tuple[str, Any]]:
    cursor = Cursor(content)
    version, count = cursor.numbers("QQ")
    if version != VERSION or count > MOST:
        raise ValueError(f"it says version {version} and {count} tensors")
    headers = [cursor.numbers("QQQQ") for _ in range(count)]
    if any(length > MOST or dimensions > 8 for length, _, dimensions, _ in headers):
        raise ValueError("its names or shapes are too long")
    names = [cursor.bytes(header[0]).rstrip(b"\0").decode() for header in headers]
    shapes = [cursor.numbers(f"{header[2]}i") for header in headers]
    cursor.bytes(cursor.numbers("Q")[0])
    for name, (_, kind, _, size), shape in zip(names, headers, shapes, strict=True):
        data = cursor.bytes(size)
        if kind == FLOAT32:
            yield name, _floats(data, shape)
        elif kind == INT8 and not name.endswith("QuantMultA"):  # how inputs were quantised, which they no longer are
            yield name, _dequantised(data, shape, lies=name != "Wemb")
        elif kind not in (FLOAT32, INT8) and not name.startswith("special:"):
            raise ValueError(f"{name} is of type {kind:#x}, and known are {FLOAT32:#x} and {INT8:#x}")


def _floats(data: bytes, shape: tuple[int, ...]) -> Any:
    import numpy
    import torch

    count = int(numpy.prod(shape))
    return torch.tensor(numpy.frombuffer(data, "<f4", count).reshape(shape))


def _dequantised(data: bytes, shape: tuple[int, ...], lies: bool) -> Any:
    """Whole numbers over the one scale behind them; all but the embedding ``lie`` transposed, as is wanted."""
    import numpy
    import torch

    count = int(numpy.prod(shape))
    (scale,) = struct.unpack_from("<f", data, count)
    values = numpy.frombuffer(data, "i1", count).astype("f4") / numpy.float32(scale)
    return torch.tensor(values.reshape(shape[::-1] if lies else shape))


def model_of(weights: Weights) -> Any:
    """The translator of these tensors. Raises ``KeyError`` or ``RuntimeError`` where some are missing or do not fit."""
    from headroom.attention.own import class_named

    config = config_of(weights)
    model = class_named("MarianSSRUMTModel")(config)
    state = dict(_state(weights, config))
    made = {name for name in model.state_dict() if "embed_positions" in name}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if wrong := [*sorted({*missing} - made), *unexpected]:
        raise KeyError(wrong[0])
    model.tie_weights()
    return model.eval()


def config_of(weights: Weights) -> Any:
    """Marian's config, as far as the shapes tell; heads are 8 in every student. The padding comes behind the words."""
    from headroom.attention.own import class_named

    words, width = weights["Wemb"].shape
    inner = weights["encoder_l1_ffn_W1"].shape[0]
    return class_named("MarianSSRUConfig")(
        **{"vocab_size": words + 1, "decoder_vocab_size": words + 1, "d_model": width},
        **{"encoder_layers": _layers(weights, "encoder"), "decoder_layers": _layers(weights, "decoder")},
        **{"encoder_attention_heads": 8, "decoder_attention_heads": 8},
        **{"encoder_ffn_dim": inner, "decoder_ffn_dim": weights["decoder_l1_ffn_W1"].shape[0]},
        **{"activation_function": "relu", "scale_embedding": True, "max_position_embeddings": POSITIONS},
        **{"pad_token_id": words, "decoder_start_token_id": words, "eos_token_id": 0, "forced_eos_token_id": 0},
        **{"dropout": 0.1, WEIGHTS: "dequantised int8"},
    )


def _layers(weights: Weights, stack: str) -> int:
    return next(count for count in range(MOST) if f"{stack}_l{count + 1}_ffn_W1" not in weights)


def _state(weights: Weights, config: Any) -> Iterator[tuple[str, Any]]:
    """The library's names. Norms and biases are rows of one in the file."""
    import torch

    embedding = torch.cat([weights["Wemb"], torch.zeros(1, config.d_model)])
    for name in ("model.shared", "model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"):
        yield f"{name}.weight", embedding
    yield "final_logits_bias", torch.cat([weights["decoder_ff_logit_out_b"], torch.full((1, 1), NEVER)], 1)
    for stack, number in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        for layer in range(number):
            ours, theirs = f"model.{stack}.layers.{layer}", f"{stack}_l{layer + 1}"
            if stack == "encoder":
                yield from _attention(weights, f"{ours}.self_attn", f"{theirs}_self")
            else:
                yield f"{ours}.self_attn.input.weight", weights[f"{theirs}_rnn_W"]
                yield f"{ours}.self_attn.forget.weight", weights[f"{theirs}_rnn_Wf"]
                yield f"{ours}.self_attn.forget.bias", weights[f"{theirs}_rnn_bf"][0]
                yield from _norm(weights, f"{ours}.self_attn_layer_norm", f"{theirs}_rnn_ffn_ln")
                yield from _attention(weights, f"{ours}.encoder_attn", f"{theirs}_context")
            for part in (1, 2):
                yield f"{ours}.fc{part}.weight", weights[f"{theirs}_ffn_W{part}"]
                yield f"{ours}.fc{part}.bias", weights[f"{theirs}_ffn_b{part}"][0]
            yield from _norm(weights, f"{ours}.final_layer_norm", f"{theirs}_ffn_ffn_ln")


def _attention(weights: Weights, ours: str, theirs: str) -> Iterator[tuple[str, Any]]:
    for part, letter in (("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("out_proj", "o")):
        yield f"{ours}.{part}.weight", weights[f"{theirs}_W{letter}"]
        yield f"{ours}.{part}.bias", weights[f"{theirs}_b{letter}"][0]
    yield from _norm(weights, f"{ours}_layer_norm", f"{theirs}_Wo_ln")


def _norm(weights: Weights, ours: str, theirs: str) -> Iterator[tuple[str, Any]]:
    yield f"{ours}.weight", weights[f"{theirs}_scale"][0]
    yield f"{ours}.bias", weights[f"{theirs}_bias"][0]


def tokenizer_of(file: Path, config: Any) -> Any:
    """The tokenizer beside the model, which ends every text as the model was trained. Raises ``UserError``."""
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    try:
        inner = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing more exact
        raise UserError(f"{file.name} cannot be read: {str(error)[:200]}.") from None
    end, known = inner.id_to_token(config.eos_token_id), inner.get_vocab_size()
    if end != "</s>" or known != config.pad_token_id:
        raise UserError(
            f"{file.name}: its word 0 is {end!r} of {known}; the model has {config.pad_token_id}, and word 0 is '</s>'."
        )
    inner.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A $B {end}", special_tokens=[(end, config.eos_token_id)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=end, unk_token="<unk>", pad_token="<pad>", model_max_length=POSITIONS
    )


FORMAT = Format(
    "a translator of Bergamot (*.alphas.bin with tokenizer.json beside it)",
    needs=("*.alphas.bin", "tokenizer.json"),
    convert=convert,
)
