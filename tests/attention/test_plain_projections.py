"""Projections that are not plain: refused by site, class and next step before anything is changed."""

import copy
import re

import pytest
import torch
from attention_helpers import logits
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from headroom.api import Grain, Site
from headroom.attention import FAMILY_NAMES, anatomy, count, mask, remove, save_removed, toy, toy_batch, troubles
from headroom.errors import UserError

MERGE = r"Merge the adapter first: model\.merge_and_unload\(\)"


class LoraLinear(nn.Module):
    """What peft puts in the place of a projection."""

    def __init__(self, base_layer, rank=2):
        super().__init__()
        outputs, inputs = base_layer.weight.shape if isinstance(base_layer, nn.Linear) else base_layer.weight.t().shape
        self.base_layer = base_layer
        self.lora_A = nn.ModuleDict({"default": nn.Linear(inputs, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, outputs, bias=False)})
        self.in_features, self.out_features = inputs, outputs

    @property
    def weight(self):
        return self.base_layer.weight

    @property
    def bias(self):
        return self.base_layer.bias

    def forward(self, x):
        return self.base_layer(x) + self.lora_B["default"](self.lora_A["default"](x))


class Packed(nn.Linear):
    """As bitsandbytes does: two weights in a byte, and Linear's name."""

    def __init__(self, linear):
        super().__init__(linear.in_features, linear.out_features, bias=False)
        self.whole = linear.weight.detach()
        self.weight = nn.Parameter(torch.zeros(linear.weight.numel() // 2, 1, dtype=torch.uint8), requires_grad=False)

    def forward(self, x):
        return nn.functional.linear(x, self.whole)


class QuantLinear(nn.Module):
    """As GPTQ and AWQ do: buffers, and no weight."""

    def __init__(self, linear):
        super().__init__()
        self.infeatures, self.outfeatures = linear.in_features, linear.out_features
        self.register_buffer("qweight", torch.zeros(linear.in_features // 8, linear.out_features, dtype=torch.int32))
        self.whole = linear.weight.detach()

    def forward(self, x):
        return nn.functional.linear(x, self.whole)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


class Noisy(nn.Linear):
    def forward(self, x):
        return super().forward(x) * 1.0


class OwnTensor(torch.Tensor):
    pass


def put(path, made):
    def change(model):
        owner, _, name = path.rpartition(".")
        module = model.get_submodule(owner)
        setattr(module, name, made(getattr(module, name)))

    return change


def parametrised(path):
    return lambda model: parametrize.register_parametrization(model.get_submodule(path), "weight", Doubled())


def own_tensor(model):
    module = model.model.layers[1].self_attn.v_proj
    weight = torch.Tensor._make_subclass(OwnTensor, module.weight.detach())
    del module.weight
    module.register_parameter("weight", nn.Parameter(weight))


def noisy(linear):
    made = Noisy(linear.in_features, linear.out_features, bias=False)
    made.weight = linear.weight
    return made


def own_forward(model):
    module = model.model.layers[1].self_attn.q_proj
    module.forward = lambda x: nn.functional.linear(x, module.weight) * 1.0


def own_attention(model):
    attention = model.model.layers[1].self_attn

    class MyAttention(type(attention)):
        def forward(self, *args, **kwargs):
            return super().forward(*args, **kwargs)

    attention.__class__ = MyAttention


def shared(name):
    def change(model):
        first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
        getattr(second, name).weight = getattr(first, name).weight

    return change


def shared_memory(model):
    first, second = model.model.layers[0].self_attn.o_proj, model.model.layers[1].self_attn.o_proj
    second.weight = nn.Parameter(first.weight.data)


def offloaded(model):
    from accelerate import cpu_offload

    cpu_offload(model, execution_device="cpu")


def pruned_by_torch(model):
    prune.l1_unstructured(model.model.layers[1].self_attn.q_proj, "weight", amount=0.5)


def weight_normed(model):
    torch.nn.utils.weight_norm(model.model.layers[1].self_attn.q_proj)


def spectral(model):
    parametrizations.spectral_norm(model.model.layers[1].self_attn.k_proj)


LAYER = "model.layers.1.self_attn"
LLAMA = [
    (put(f"{LAYER}.q_proj", LoraLinear), "LoraLinear around a Linear", MERGE),
    (put(f"{LAYER}.k_proj", LoraLinear), "LoraLinear around a Linear", MERGE),
    (put(f"{LAYER}.o_proj", LoraLinear), "LoraLinear around a Linear", MERGE),
    (put(f"{LAYER}.q_proj", Packed), "Packed.*uint8", "quantise after"),
    (put(f"{LAYER}.v_proj", QuantLinear), "QuantLinear", "quantise after"),
    (put(f"{LAYER}.q_proj", noisy), "Noisy, not torch.nn.Linear", "Put torch.nn.Linear"),
    (parametrised(f"{LAYER}.q_proj"), "ParametrizedLinear.*Doubled", "remove_parametrizations"),
    (parametrised(f"{LAYER}.o_proj"), "ParametrizedLinear.*Doubled", "remove_parametrizations"),
    (spectral, "ParametrizedLinear", "remove_parametrizations"),
    (pruned_by_torch, "computed from weight_orig", r"prune\.remove"),
    (weight_normed, "computed from weight_g", "remove_weight_norm"),
    (own_forward, "Linear, not torch.nn.Linear|Linear", "Put torch.nn.Linear"),
    (own_attention, "MyAttention", "own attention"),
    (own_tensor, "OwnTensor", "shard the model after"),
    (shared("q_proj"), r"q_proj shares its weight with decoder\.self\.0", "Give it a copy"),
    (shared_memory, r"o_proj shares its weight with decoder\.self\.0", "Give it a copy"),
    (offloaded, "accelerate", "without device_map"),
]
OTHERS = [
    ("gpt2", put("transformer.h.2.attn.c_attn", LoraLinear), "LoraLinear around a Conv1D", MERGE, "decoder.self.2"),
    ("bert", put("bert.encoder.layer.2.attention.self.query", LoraLinear), "LoraLinear", MERGE, "encoder.self.2"),
    ("t5", put("encoder.block.1.layer.0.SelfAttention.q", LoraLinear), "LoraLinear", MERGE, "encoder.self.1"),
    ("bart", put("model.decoder.layers.1.encoder_attn.v_proj", LoraLinear), "LoraLinear", MERGE, "decoder.cross.1"),
    ("vit", parametrised("vit.layers.1.attention.k_proj"), "Parametrized", "remove_parametrizations", "encoder.self.1"),
    ("gpt_neox", put("gpt_neox.layers.1.attention.query_key_value", LoraLinear), "LoraLinear", MERGE, "decoder.self.1"),
]
CASES = [
    ("llama", change, what, step, "decoder.self.0" if change is offloaded else "decoder.self.1")
    for change, what, step in LLAMA
] + OTHERS


def contents(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(("family", "change", "what", "step", "site"), CASES)
def test_a_removal_that_is_refused_changes_nothing(family, change, what, step, site):
    model, batch = toy(family), toy_batch(family)
    units = [unit for unit in anatomy(model).units((Grain.HEAD,)) if unit.index == 0]
    change(model)
    before, dense = contents(model), logits(model, batch)
    with pytest.raises(UserError, match=f"{re.escape(site)}: .*(?:{what}).*{step}"):
        remove(model, units)
    after = contents(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before if not before[name].is_meta)
    assert torch.equal(logits(model, batch), dense)


@pytest.mark.parametrize(("family", "change", "what", "step", "site"), CASES)
def test_troubles_name_site_class_and_next_step(family, change, what, step, site):
    model = toy(family)
    change(model)
    found = troubles(model)
    assert any(re.search(f"{re.escape(site)}: .*(?:{what}).*{step}", text) for text in found), found
    assert all(text.endswith(".") for text in found)
    assert len(found) == 1 or change is offloaded


@pytest.mark.parametrize(("family", "change", "what", "step", "site"), CASES)
def test_masks_act_whatever_the_weights_are(family, change, what, step, site):
    model, batch = toy(family), toy_batch(family)
    change(model)
    dense = logits(model, batch)
    units = [unit for unit in anatomy(model).units((Grain.HEAD,)) if str(unit.site) == site]
    with mask(model, units):
        assert not torch.equal(logits(model, batch), dense)
    assert torch.equal(logits(model, batch), dense)


@pytest.mark.parametrize(
    ("family", "change", "what", "step", "site"), [case for case in CASES if "share" not in case[2]]
)
def test_weights_and_counts_of_units_are_refused_at_that_site_only(family, change, what, step, site):
    model = toy(family)
    change(model)
    plan = anatomy(model)
    for unit in plan.units((Grain.HEAD, Grain.ATTENTION, Grain.BLOCK)):
        hit = unit.site.layer == Site.parse(site).layer and str(unit.site) in (site, site.replace("self", "block"))
        if hit or change is offloaded:
            for ask in (plan.weights, plan.parameters):
                with pytest.raises(UserError, match=step):
                    ask(unit)
        elif unit.grain is Grain.HEAD:
            plan.weights(unit), plan.parameters(unit)


@pytest.mark.parametrize("change", [shared("q_proj"), shared_memory])
def test_shared_weights_can_be_read_but_not_counted_as_freed(change):
    model = toy("llama")
    wanted = {unit: anatomy(model).parameters(unit) for unit in anatomy(model).units((Grain.HEAD,))}
    change(model)
    plan = anatomy(model)
    for unit, count_ in wanted.items():
        assert plan.weights(unit)["query"].shape == (8, 32)
        if unit.site.layer < 2:
            with pytest.raises(UserError, match="shares its weight"):
                plan.parameters(unit)
        else:
            assert plan.parameters(unit) == count_


def test_a_shape_is_found_through_an_adapter_and_through_packed_weights():
    info = anatomy(toy("llama")).info
    for made in (LoraLinear, Packed, QuantLinear):
        model = toy("llama")
        for name in ("q_proj", "k_proj", "v_proj"):
            put(f"{LAYER}.{name}", made)(model)
        assert anatomy(model).info == info


def test_packed_weights_are_not_counted():
    model, batch = toy("llama"), toy_batch("llama")
    put("lm_head", Packed)(model)
    with pytest.raises(UserError, match=r"lm_head .*uint8"):
        count(model, batch)


def test_other_sites_lose_their_heads_beside_an_adapter():
    model, batch = toy("llama"), toy_batch("llama")
    put(f"{LAYER}.q_proj", LoraLinear)(model)
    units = [unit for unit in anatomy(model).units((Grain.HEAD,)) if unit.site.layer == 0][:3]
    with mask(model, units):
        masked = logits(model, batch)
    remove(model, units)
    assert torch.allclose(logits(model, batch), masked, atol=1e-5)


@pytest.mark.parametrize(("family", "change", "what", "step", "site"), CASES)
def test_a_model_that_could_not_be_read_back_is_not_written(family, change, what, step, site, tmp_path):
    model, batch = toy(family), toy_batch(family)
    change(model)
    try:
        save_removed(model, tmp_path / "out")
    except UserError as error:
        assert re.search(step, str(error)) or "meta" in str(error)
        assert not list(tmp_path.iterdir())
    else:
        from headroom.attention import load_removed

        assert torch.allclose(logits(load_removed(tmp_path / "out"), batch), logits(model, batch), atol=1e-6)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_plain_models_have_no_trouble(family):
    model = toy(family)
    assert troubles(model) == []
    remove(model, anatomy(model).units((Grain.HEAD,))[:3] + anatomy(model).units((Grain.MLP,))[:1])
    assert troubles(copy.deepcopy(model)) == []


def test_peft_models_are_refused_by_what_to_do():
    class PeftModelForCausalLM(nn.Module):
        def merge_and_unload(self):
            pass

    with pytest.raises(UserError, match=r"merge the adapter first: model\.merge_and_unload"):
        anatomy(PeftModelForCausalLM())
