"""The form of NVIDIA's pruned Llamas: what it can say is read as vLLM reads it, what it cannot is refused."""

from __future__ import annotations

import json

import pytest
import torch
import transformers

from headroom import attention
from headroom.api import Unit
from headroom.errors import UserError
from headroom.shipping import deci, opened, probing, ship
from headroom.shipping.inspecting import inspect

GONE = ("attention:decoder.self.1", "mlp:decoder.mlp.3", "block:decoder.block.2")


@pytest.fixture
def cached(monkeypatch, tmp_path):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))


def pruned(*units, **changes):
    toy = attention.toy("llama", **{"intermediate_size": 256} | changes)
    return attention.without(toy, [Unit.parse(unit) for unit in units])


def test_its_config_and_weights_are_those_that_its_readers_build_layers_from(tmp_path, cached):
    folder, model = tmp_path / "small", pruned(*GONE)
    shipped = ship(model, folder, "deci")
    assert shipped.kind == "deci" and shipped.loaded[0].equal
    assert [str(one) for one in shipped.loaded[1:]] == [
        "vLLM: unchecked (it is not tried here)",
        "llama.cpp: unchecked (it forgets the attention of a layer whose MLP is gone: "
        "--format gguf writes what it computes right)",
    ]
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True)
    blocks = config.block_configs
    assert [(block.attention.no_op, block.ffn.no_op) for block in blocks] == [(0, 0), (1, 0), (0, 1)]
    assert config.num_attention_heads // blocks[0].attention.n_heads_in_group == config.num_key_value_heads
    wide = int(2 * blocks[0].ffn.ffn_mult * config.hidden_size / 3)
    assert wide + -wide % 256 == config.intermediate_size
    from safetensors import safe_open

    with safe_open(folder / deci.WEIGHTS, "pt") as weights:
        names = set(weights.keys())
    for layer, block in enumerate(blocks):
        has = {name.split(".")[3] for name in names if name.startswith(f"model.layers.{layer}.")}
        attends = set() if block.attention.no_op else {"self_attn", "input_layernorm"}
        assert has == attends | (set() if block.ffn.no_op else {"mlp", "post_attention_layernorm"})


def test_stock_loaders_refuse_it_and_headroom_reads_and_tells_it(tmp_path, cached):
    folder, model = tmp_path / "small", pruned(*GONE)
    ship(model, folder, "deci")
    for loader in (transformers.AutoModelForCausalLM, transformers.LlamaForCausalLM):
        with pytest.raises((OSError, ValueError)):
            loader.from_pretrained(folder, trust_remote_code=False)
    said = [probing.said(one, probing.inputs_of(model))["logits"] for one in (opened(folder), model)]
    assert torch.equal(*said)
    found = inspect(folder)
    assert found.kind == "deci" and not found.troubles and found.gone == "1 of 4 blocks, 1 of 4 attentions, 1 of 4 MLPs"
    (folder / deci.WEIGHTS).unlink()
    assert any("is no whole DeciLMForCausalLM" in trouble for trouble in inspect(folder).troubles)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: pruned("attention:decoder.self.0"), "the first layer has to attend in it"),
        (lambda: pruned("head:decoder.self.1.0"), "heads are gone from decoder.self.1"),
        (lambda: pruned("mlp:decoder.mlp.1", intermediate_size=48), "multiples of 256 wide, and these are 48"),
        (lambda: attention.toy("qwen3"), "is for LlamaForCausalLM, and this is a Qwen3ForCausalLM"),
    ],
)
def test_its_limits_are_refused_in_a_sentence(model, why, tmp_path):
    with pytest.raises(UserError, match="--format deci: ") as refused:
        ship(model(), tmp_path / "small", "deci")
    assert why in str(refused.value) and not (tmp_path / "small").exists()


def test_a_damaged_config_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": deci.MODEL_TYPE}))
    with pytest.raises(UserError, match=r"is no whole DeciLMForCausalLM: KeyError"):
        opened(tmp_path)
