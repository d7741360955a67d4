"""What is shipped is loaded by its own loader equal to the bit, and by a stock loader equal or not at all."""

from __future__ import annotations

import random

import pytest
import torch
import transformers

from headroom import attention
from headroom.api import Grain, Unit
from headroom.attention.families import supported_class
from headroom.errors import UserError
from headroom.shipping import Loaded, code, probing, ship

SINGLE = ("llama", "qwen3", "gemma3", "bert", "vit", "distilbert", "gpt2", "gpt_neox")  # one stack: transformers' words
FAMILIES = (*SINGLE, "mistral", "t5", "bart", "m2m_100", "marian_ssru")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """Folders are loaded again in this process, and their code is cached where the test ends."""

    def load(folder, loader, probe, **options):
        again = getattr(transformers, loader).from_pretrained(folder, **options).eval()
        kept = load_file(probe)
        said = probing.said(again, {name: value for name, value in kept.items() if not name.startswith("said.")})
        words = torch.equal(said["words"], kept["said.words"]) if "words" in said else None
        return Loaded(loader, float((said["logits"] - kept["said.logits"]).abs().max()), words)

    from safetensors.torch import load_file

    monkeypatch.setattr("headroom.shipping.forms.load_again", load)
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))


def pruned(family, *units):
    return attention.without(attention.toy(family), [Unit.parse(unit) for unit in units])


def logits(model):
    return probing.said(model, probing.inputs_of(model))["logits"]


def every(family, grain, index):
    plan = attention.anatomy(attention.toy(family))
    return [str(unit) for unit in plan.units((grain,)) if unit.index in index]


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 6), marks=pytest.mark.slow)], ids=["few", "more"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_stock_loader_gives_what_was_pruned_or_refuses_random_plans(family, seeds, tmp_path):
    for seed in seeds:
        draw = random.Random(f"{family}{seed}")
        plan = attention.anatomy(attention.toy(family))
        grains = draw.sample(plan.info.grains, k=draw.choice((1, 1, 2)))
        units = [unit for unit in plan.units(grains) if draw.random() < 0.4 and unit.site.layer > 0] or plan.units(
            grains
        )[:1]
        model, folder = attention.without(attention.toy(family), units), tmp_path / f"{family}-{seed}"
        shipped = ship(model, folder)
        assert all(one.equal for one in shipped.loaded), shipped
        for loader in {code.auto_class(model), supported_class(type(model))} & set(dir(transformers)):
            try:
                again = getattr(transformers, loader).from_pretrained(folder, trust_remote_code=False).eval()
            except (OSError, ValueError):
                assert shipped.kind != "stock", units
                continue
            assert shipped.kind == "stock", units
            assert torch.equal(logits(again), logits(model)), units
        if shipped.kind != "stock":
            assert torch.equal(logits(attention.load_removed(folder)), logits(model)), units


@pytest.mark.parametrize(
    ("family", "units", "says"),
    [
        ("llama", ["block:decoder.block.0", "block:decoder.block.2"], "2 blocks fewer"),
        ("gemma3", ["attention:decoder.self.2", "mlp:decoder.mlp.2"], "1 blocks fewer"),
        ("m2m_100", ["block:encoder.block.1", "block:decoder.block.0"], "2 blocks fewer"),
        ("t5", ["block:decoder.block.0"], "1 blocks fewer"),
        ("llama", every("llama", Grain.KV_GROUP, {0}), "4 query and 1 KV heads in every layer"),
        ("qwen3", every("qwen3", Grain.HEAD, {0, 3, 4, 5}), "4 query and 2 KV heads in every layer"),
        ("vit", every("vit", Grain.HEAD, {1}), "3 query and 3 KV heads in every layer"),
    ],
)
def test_what_a_stock_config_can_say_is_a_stock_folder(family, units, says, tmp_path):
    shipped = ship(pruned(family, *units), tmp_path / "small")
    assert shipped.kind == "stock" and says in shipped.sentence
    assert shipped.difference == 0
    assert not (tmp_path / "small" / "headroom_plan.json").exists()


def test_lists_of_the_config_lose_the_layers_that_went(tmp_path):
    ship(pruned("gemma3", "attention:decoder.self.2", "mlp:decoder.mlp.2"), tmp_path / "small")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "small")
    assert config.num_hidden_layers == 3 and config.layer_types == ["sliding_attention"] * 3


@pytest.mark.parametrize(
    ("family", "units", "why"),
    [
        ("llama", ["attention:decoder.self.1"], "decoder.self.1 is gone while the block stays"),
        ("llama", ["head:decoder.self.1.0"], "heads differ from layer to layer (decoder.self.1 lost some)"),
        ("llama", every("llama", Grain.HEAD, {0}), "read by different numbers of query heads"),
        ("vit", every("vit", Grain.HEAD, {0, 1, 2, 3}), "every head is gone"),
        ("bert", every("bert", Grain.HEAD, {0}), "the width of a bert head follows from the number of heads"),
        ("t5", ["block:encoder.block.1"], "the decoder has more blocks than the encoder"),
        ("marian_ssru", ["block:encoder.block.1"], "no class for a decoder with a recurrence"),
    ],
)
def test_a_stock_folder_that_would_lie_is_refused(family, units, why, tmp_path):
    with pytest.raises(UserError, match="--format stock: ") as refused:
        ship(pruned(family, *units), tmp_path / "small", "stock")
    assert why in str(refused.value) and not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("family", "unit", "why"),
    [
        ("t5", "head:decoder.self.1.0", "a t5 hands the position bias of its first layer on"),
        ("marian_ssru", "block:decoder.block.1", "blocks of the decoder are gone with a recurrence"),
    ],
)
def test_what_no_form_can_say_is_a_headroom_folder_with_the_reasons(family, unit, why, tmp_path):
    model = pruned(family, unit)
    shipped = ship(model, tmp_path / "small")
    assert shipped.kind == "headroom" and why in shipped.sentence
    assert torch.equal(logits(attention.load_removed(tmp_path / "small")), logits(model))
    with pytest.raises(UserError, match="--format code: "):
        ship(model, tmp_path / "other", "code")


@pytest.mark.parametrize("family", SINGLE)
def test_a_folder_with_code_says_what_is_gone_and_saves_again(family, tmp_path):
    stack = next(iter(attention.anatomy(attention.toy(family)).stacks))
    heads = [unit for unit in every(family, Grain.HEAD, range(8)) if ".self.0." in unit]
    model = pruned(family, f"block:{stack}.block.1", f"attention:{stack}.self.2", heads[0], heads[-1])
    shipped = ship(model, tmp_path / "small")
    assert shipped.kind == "code"
    auto = getattr(transformers, code.auto_class(model))
    again = auto.from_pretrained(tmp_path / "small", trust_remote_code=True).eval()
    said = again.config.to_dict()["per_layer_config"]
    assert {layer: one.get("skip", []) for layer, one in said.items()} == {
        "0": [],
        "1": ["attention", "mlp"],
        "2": ["attention"],
    }
    assert said["0"]["num_attention_heads"] == len(heads) - 2
    again.save_pretrained(tmp_path / "twice")
    twice = auto.from_pretrained(tmp_path / "twice", trust_remote_code=True).eval()
    assert torch.equal(logits(twice), logits(model))


@pytest.mark.parametrize("family", ["m2m_100", "marian_ssru"])
def test_a_folder_with_code_of_two_stacks_says_what_is_gone_from_each(family, tmp_path):
    cross, mlp = ("head:decoder.cross.1.0", "attention:decoder.cross.2"), "mlp:decoder.mlp.2"
    model = pruned(family, "head:encoder.self.0.1", *cross, mlp)
    assert ship(model, tmp_path / "small").kind == "code"
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "small", trust_remote_code=True).eval()
    assert again.config.pruned_layers == {
        "encoder.0": {"num_attention_heads": 3},
        "decoder.1": {"cross_attention_heads": 3},
        "decoder.2": {"skip": ["cross_attention", "mlp"]},
    }
    assert (
        "import headroom" not in (text := (tmp_path / "small" / code.FILE).read_text()) and "from headroom" not in text
    )
    if family == "m2m_100":  # the library computes Marian's positions anew, and a toy's are drawn
        again.save_pretrained(tmp_path / "twice")
        twice = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "twice", trust_remote_code=True).eval()
        assert torch.equal(logits(twice), logits(model))


def test_a_dense_model_and_another_number_format_are_shipped_too(tmp_path):
    assert ship(attention.toy("llama"), tmp_path / "dense").kind == "stock"
    half = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "dense", dtype=torch.bfloat16).eval()
    attention.remove(half, [Unit.parse("head:decoder.self.1.0")])
    shipped = ship(half, tmp_path / "half")
    assert shipped.difference == 0, shipped
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "half", trust_remote_code=True)
    assert again.dtype == torch.bfloat16


def test_a_form_whose_loader_gives_other_numbers_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.5))
    shipped = ship(pruned("llama", "block:decoder.block.1"), tmp_path / "small")
    assert shipped.kind == "headroom" and "largest logit difference 0.5" in shipped.sentence
    with pytest.raises(UserError, match="loaded again it is not what was written"):
        ship(pruned("llama", "block:decoder.block.1"), tmp_path / "other", "stock")


def test_an_unknown_format_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(UserError, match=r"--format is 'stok'. Did you mean 'stock'\?"):
        ship(attention.toy("llama"), tmp_path / "small", "stok")


def test_nothing_of_another_form_stays_in_a_folder_that_is_written_again(tmp_path):
    folder = tmp_path / "small"
    ship(attention.toy("llama"), folder)
    (folder / "README.md").write_text("mine")
    ship(pruned("llama", "attention:decoder.self.1"), folder)
    assert not (folder / "model.safetensors").exists() and (folder / "README.md").exists()
    with pytest.raises(OSError, match=r"no file named model.safetensors"):
        transformers.LlamaForCausalLM.from_pretrained(folder)
    ship(pruned("llama", "block:decoder.block.1"), folder)
    assert not list(folder.glob("*.py")) and not (folder / "headroom_plan.json").exists()


def test_weights_without_values_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="have no values, they are on the meta device"):
        ship(attention.toy("llama").to("meta"), tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_other_attention_kernels_are_served_or_refused_by_the_folders_own_code(tmp_path):
    even, uneven = pruned("llama", "kv_group:decoder.self.1.0"), pruned("llama", "head:decoder.self.1.0")
    for model, name in ((even, "even"), (uneven, "uneven")):
        assert ship(model, tmp_path / name).kind == "code"
    how = {"trust_remote_code": True, "attn_implementation": "eager"}
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "even", **how).eval()
    torch.testing.assert_close(logits(again), logits(even))
    with pytest.raises(ValueError, match="this model needs attn_implementation='sdpa', not 'eager'"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "uneven", **how)
