"""ONNX: the graph of a pruned model answers as the model does, whatever the batch and length."""

from __future__ import annotations

import pytest
import torch

from headroom import attention
from headroom.api import Unit
from headroom.data.batches import shifted
from headroom.errors import UserError
from headroom.shipping import onnx, opened, ship
from headroom.shipping.inspecting import inspect


def pruned(family, *units):
    return attention.without(attention.toy(family), [Unit.parse(unit) for unit in units])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "unit", "says"),
    [
        ("llama", "head:decoder.self.1.0", "for onnxruntime, without cache"),
        ("bert", "head:encoder.self.1.0", "for onnxruntime"),
        ("vit", "head:encoder.self.1.0", "for onnxruntime"),
        ("marian", "head:decoder.cross.1.0", "one graph from input_ids, attention_mask and decoder_input_ids"),
    ],
)
def test_a_graph_of_a_pruned_model_is_run_and_read_again(family, unit, says, tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    model = pruned(family, unit)
    shipped = ship(model, tmp_path / "small", "onnx")
    assert shipped.kind == "onnx" and says in shipped.sentence and 0 < shipped.difference < 1e-4
    batch = attention.toy_batch(family)
    again, labels = opened(tmp_path / "small"), batch.pop("labels")
    if model.config.is_encoder_decoder:
        batch["decoder_input_ids"] = shifted(labels, model)
    with torch.no_grad():
        dense = model(**batch).logits
    given = batch if not model.config.is_encoder_decoder else batch | {"labels": labels}
    apart = (again(**given).logits - dense).abs()
    real = batch["attention_mask"].bool() if family == "llama" else slice(None)
    assert apart[real].max() < 1e-4
    if family == "llama":  # no mask is one of ones
        ids = batch["input_ids"][1:]
        assert torch.equal(again(input_ids=ids).logits, again(input_ids=ids, attention_mask=ids * 0 + 1).logits)
    found = inspect(tmp_path / "small")
    assert found.kind == "onnx" and not found.troubles and found.gone.startswith("1 of ")
    (tmp_path / "small" / onnx.FILE).write_bytes(b"no graph")
    assert {trouble.split()[1] for trouble in inspect(tmp_path / "small").troubles} >= {"is"}


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: attention.toy("marian_ssru"), "a recurrence is unrolled"),
        (lambda: attention.toy("bert").bfloat16(), "onnxruntime computes float32 on a CPU, and these are bfloat16"),
    ],
)
def test_what_cannot_be_a_graph_is_refused_in_a_sentence(model, why, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "NEEDED", ())
    with pytest.raises(UserError, match="--format onnx: ") as refused:
        ship(model(), tmp_path / "small", "onnx")
    assert why in str(refused.value) and not (tmp_path / "small").exists()


def test_what_is_not_installed_is_named_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UserError, match=r"onnxscript is not installed. Run `pip install 'headroom\[onnx\]'`"):
        ship(attention.toy("vit"), tmp_path / "small", "onnx")
