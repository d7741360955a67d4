"""Modules that are not the library's in its places: hooks act on them, or it is said that they did not."""

import copy
import functools

import pytest
import torch
from attention_helpers import logits
from torch import nn

from headroom.api import Grain, Site
from headroom.attention import Climb, Replay, anatomy, count, gate, heads, mask, remove, toy, toy_batch, troubles, watch
from headroom.errors import UserError


class Around(nn.Module):
    """Somebody's wrapper: calls what it holds."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        return super().__getattr__(name) if name in ("inner",) else getattr(super().__getattr__("inner"), name)

    def forward(self, *args, **kwargs):
        return self.inner(*args, **kwargs)


class Fused(nn.Linear):
    """A module that is used for its weight, never called."""


class FusedOutput(nn.Module):
    """BERT's output module with its projection computed beside it."""

    def __init__(self, output):
        super().__init__()
        self.dense, self.LayerNorm = output.dense, output.LayerNorm

    def forward(self, hidden_states, input_tensor):
        return self.LayerNorm(nn.functional.linear(hidden_states, self.dense.weight, self.dense.bias) + input_tensor)


class OwnMlp(nn.Module):
    def forward(self, hidden_states):
        return hidden_states * 0.5


def traced_output(model):
    layer = model.bert.encoder.layer[1].attention
    x = torch.randn(3, 11, 32)
    layer.output = torch.jit.trace(layer.output, (x, x))


def fused_output(model):
    layer = model.bert.encoder.layer[1].attention
    layer.output = FusedOutput(layer.output)


def graph_output(model):
    class Leaves(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return False

    layer = model.bert.encoder.layer[1].attention
    layer.output = torch.fx.GraphModule(layer.output, Leaves().trace(layer.output))


def own_forward(model):
    layer = model.bert.encoder.layer[1].attention
    output = layer.output
    layer.output.forward = lambda hidden, stream: output.LayerNorm(
        nn.functional.linear(hidden, output.dense.weight, output.dense.bias) + stream
    )


def graphed_block(model):
    """As CUDA graphs do: the forward of a block is a recording."""
    block = model.bert.encoder.layer[1]
    inner = copy.deepcopy(block)
    block.forward = lambda *args, **kwargs: inner(*args, **kwargs)


def graphed_stack(model):
    inner = copy.deepcopy(model.bert.encoder)
    model.bert.encoder.forward = lambda *args, **kwargs: inner(*args, **kwargs)


def graphed_base(model):
    inner = copy.deepcopy(model.bert)
    model.bert.forward = lambda *args, **kwargs: inner(*args, **kwargs)


SILENT = [traced_output, graph_output, fused_output, own_forward, graphed_block, graphed_stack, graphed_base]


@pytest.mark.parametrize("change", SILENT)
def test_a_site_that_no_pass_calls_is_named(change):
    model, batch = toy("bert"), toy_batch("bert")
    dense = logits(model, batch)
    change(model)
    assert torch.allclose(logits(model, batch), dense, atol=1e-6)
    site = Site("encoder", "self", 1)
    units = [unit for unit in anatomy(model).units((Grain.HEAD,)) if unit.site == site]
    for enter in (lambda: mask(model, units), lambda: gate(model, units), lambda: heads(model)):
        with enter(), pytest.raises(UserError, match=r"encoder\.self\.\d: .*never called"):
            logits(model, batch)
    assert torch.allclose(logits(model, batch), dense, atol=1e-6)


@pytest.mark.parametrize("change", [graphed_stack, graphed_base])
def test_replays_and_climbs_past_blocks_that_no_pass_calls_are_refused(change):
    model, batch = toy("bert"), toy_batch("bert")
    change(model)
    replay = Replay(model)
    with replay.recorded():
        logits(model, batch)
    with pytest.raises(UserError, match="made nothing"), replay.above(Site("encoder", "self", 2)):
        pass
    with pytest.raises(UserError, match="made nothing"):
        Climb(model, [batch]).up_to(Site("encoder", "self", 2))


def test_a_stream_that_no_pass_shows_is_named():
    model, batch = toy("bert"), toy_batch("bert")
    graphed_block(model)
    with watch(model, [Site("encoder", "mlp", 1)]), pytest.raises(UserError, match=r"encoder\.mlp\.1"):
        logits(model, batch)


def test_a_module_that_is_swapped_inside_the_block_is_noticed():
    model, batch = toy("llama"), toy_batch("llama")
    with mask(model, anatomy(model).units((Grain.HEAD,))[:1]), pytest.raises(UserError, match=r"decoder\.self\.0"):
        model.model.layers[0].self_attn = copy.deepcopy(model.model.layers[0].self_attn)
        model.model.layers[0].self_attn.o_proj._forward_pre_hooks.clear()
        logits(model, batch)


@pytest.mark.parametrize("family", ["llama", "gpt2", "t5"])
def test_a_wrapper_that_calls_what_it_holds_is_masked_through(family):
    model, batch = toy(family), toy_batch(family)
    units = anatomy(model).units((Grain.HEAD,))[-3:]
    with mask(model, units):
        wanted = logits(model, batch)
    for stack in anatomy(model).stacks:
        there = anatomy(model).blocks(stack)
        there[len(there) - 1] = Around(there[len(there) - 1])
    with mask(model, units):
        assert torch.equal(logits(model, batch), wanted)


def partial_forward(model):
    model.forward = functools.partial(model.forward, use_cache=False)


def hidden_forward(model):
    forward = model.forward
    model.forward = lambda *args, **kwargs: forward(*args, **kwargs)


def accelerate_everywhere(model):
    from accelerate.hooks import ModelHook, add_hook_to_module

    for module in model.modules():
        add_hook_to_module(module, ModelHook())


def partial_parts(model):
    for block in model.model.layers:
        block.self_attn.forward = functools.partial(block.self_attn.forward)
        block.mlp.forward = functools.partial(block.mlp.forward)


@pytest.mark.parametrize("change", [partial_forward, hidden_forward, accelerate_everywhere, partial_parts])
def test_forwards_that_call_the_own_one_change_nothing(change):
    model, batch = toy("llama"), toy_batch("llama")
    units, site = anatomy(model).units((Grain.HEAD,))[3:6], Site("decoder", "self", 1)
    found = []
    for subject in (model, toy("llama")):
        if subject is not model:
            change(subject)
        with mask(subject, units):
            found.append([logits(subject, batch)])
        with watch(subject) as stream, torch.no_grad():
            subject(batch["input_ids"], batch["attention_mask"])
            found[-1].append(stream.around(site)[0])
        remove(subject, units)
        found[-1].append(logits(subject, batch))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_an_attention_mask_that_a_partial_brings_is_seen():
    model, batch = toy("bert"), toy_batch("bert")
    site, ids = Site("encoder", "self", 1), batch["input_ids"]
    with watch(model) as stream, torch.no_grad():
        model(ids, attention_mask=batch["attention_mask"])
        wanted = stream.around(site)[0]
    model.forward = functools.partial(model.forward, attention_mask=batch["attention_mask"])
    with watch(model) as stream, torch.no_grad():
        model(ids)
        assert torch.equal(stream.around(site)[0], wanted)


def test_data_parallel_is_refused_by_the_name_of_what_is_in_it():
    model, batch = toy("bert"), toy_batch("bert")
    wrapped = nn.DataParallel(model)
    for enter in (gate, watch, heads, lambda one: mask(one, [])):
        with pytest.raises(UserError, match=r"model\.module"), enter(wrapped):
            pass
    units = anatomy(model).units((Grain.HEAD,))[:3]
    with mask(model, units):
        assert torch.equal(logits(wrapped, batch), logits(model, batch))


def test_copies_for_a_part_of_the_batch_are_masked_but_not_watched():
    model, batch = toy("bert"), toy_batch("bert")
    units = anatomy(model).units((Grain.HEAD,))[:3]
    with mask(model, units):
        wanted = logits(model, batch)
        assert torch.equal(logits(replica(model), batch), wanted)
    for enter in (gate, watch, heads):
        with enter(model), pytest.raises(UserError, match="DataParallel"):
            logits(replica(model), batch)


def replica(model):
    """What DataParallel makes of a module on each device."""
    copied = {module: module._replicate_for_data_parallel() for module in model.modules()}
    for module, twin in copied.items():
        for name, child in module._modules.items():
            twin._modules[name] = copied.get(child)
            setattr(twin, name, copied.get(child))
        for name, parameter in module._parameters.items():
            twin._parameters[name] = parameter
    return copied[model]


@pytest.mark.parametrize("wrap", [lambda m, b: torch.jit.trace(m, (b["input_ids"],), strict=False)])
def test_torchscript_is_refused(wrap):
    model, batch = toy("bert", return_dict=False), toy_batch("bert")
    scripted = wrap(model, batch)
    for act in (lambda m: remove(m, []), Replay, lambda m: mask(m, []).__enter__(), lambda m: count(m, batch)):
        with pytest.raises(UserError, match="TorchScript"):
            act(scripted)
    assert "TorchScript" in troubles(scripted)[0]


@pytest.mark.parametrize(
    ("family", "path", "module"),
    [
        ("llama", "model.layers.1.self_attn", OwnMlp()),
        ("llama", "model.layers.2", OwnMlp()),
        ("bert", "bert.encoder.layer.0.attention", OwnMlp()),
        ("gpt2", "transformer.h.1.attn.c_attn", OwnMlp()),
    ],
)
def test_a_module_without_the_parts_that_are_looked_for_is_a_sentence(family, path, module):
    model = toy(family)
    owner, _, name = path.rpartition(".")
    setattr(model.get_submodule(owner), name, module)
    for act in (anatomy, lambda m: remove(m, []), lambda m: mask(m, []).__enter__()):
        with pytest.raises(UserError, match=r"in its place|put transformers' own back"):
            act(model)
    assert len(troubles(model)) == 1


@pytest.mark.parametrize("family", ["llama", "bert", "t5"])
def test_a_block_that_serves_two_layers_is_refused(family):
    model = toy(family)
    stack = next(iter(anatomy(model).stacks))
    units = anatomy(model).units((Grain.HEAD,))[:1]
    blocks = anatomy(model).blocks(stack)
    blocks[1] = blocks[0]
    for act in (lambda: remove(model, units), lambda: mask(model, units).__enter__(), lambda: Replay(model)):
        with pytest.raises(UserError, match="both"):
            act()


def test_an_own_mlp_is_masked_and_removed_like_another():
    model, batch = toy("llama"), toy_batch("llama")
    model.model.layers[1].mlp = OwnMlp()
    units = [unit for unit in anatomy(model).units((Grain.MLP,)) if unit.site.layer == 1]
    with mask(model, units):
        masked = logits(model, batch)
    remove(model, units)
    assert torch.equal(logits(model, batch), masked)


@pytest.mark.parametrize("family", ["bart", "t5", "m2m_100"])
def test_stacks_that_do_not_run_are_not_missed(family):
    model, batch = toy(family), toy_batch(family)
    units = anatomy(model).units((Grain.HEAD,))
    with mask(model, units), torch.no_grad():
        given = model.get_encoder()(batch["input_ids"], attention_mask=batch["attention_mask"])
    with mask(model, units), torch.no_grad():
        model(encoder_outputs=given, attention_mask=batch["attention_mask"], labels=batch["labels"])
        prompt = {name: value for name, value in batch.items() if name != "labels"}
        model.generate(**prompt, max_new_tokens=3)


def test_a_cross_attention_without_an_encoder_is_not_missed():
    model, batch = toy("gpt2", add_cross_attention=True), toy_batch("gpt2")
    with mask(model, anatomy(model).units((Grain.HEAD, Grain.ATTENTION))), watch(model):
        logits(model, batch)


@pytest.mark.parametrize("family", ["bart", "opt"])
def test_blocks_that_are_left_out_at_random_are_not_missed(family):
    changes = {"encoder_layerdrop": 0.9, "decoder_layerdrop": 0.9} if family == "bart" else {"layerdrop": 0.9}
    model, batch = toy(family, **changes).train(), toy_batch(family)
    with watch(model):
        for _ in range(3):
            logits(model, batch)


def test_gradient_checkpointing_is_not_missed():
    model, batch = toy("llama").train(), toy_batch("llama")
    model.gradient_checkpointing_enable()
    with mask(model, anatomy(model).units((Grain.HEAD,))[:3]):
        model(**batch).loss.backward()
    assert model.model.embed_tokens.weight.grad is not None
