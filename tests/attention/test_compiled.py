"""Compiled models: hooks act on them as on others, they are compiled again after it, and removal leaves nothing old."""

import functools

import pytest
import torch
from attention_helpers import logits, removed

from headroom.api import Grain, Site
from headroom.attention import (
    Climb,
    Replay,
    anatomy,
    count,
    gate,
    heads,
    load_removed,
    mask,
    remove,
    save_removed,
    toy,
    toy_batch,
    watch,
)
from headroom.errors import UserError

FAMILIES = ["llama", "bert", "t5", "gpt2", "marian"]
compiler = functools.partial(torch.compile, backend="eager")


@pytest.fixture(autouse=True)
def forgotten():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def whole(model):
    model.compile(backend="eager")
    return model


def blocks(model):
    for stack in anatomy(model).stacks:
        for block in anatomy(model).blocks(stack):
            block.compile(backend="eager")
    return model


def wrapped_blocks(model):
    for stack in anatomy(model).stacks:
        there = anatomy(model).blocks(stack)
        for place, block in enumerate(there):
            there[place] = compiler(block)
    return model


def wrapped_parts(model):
    for place in anatomy(model).places.values():
        if place.heads:
            owner, _, name = place.made.home.rpartition(".")
            setattr(place.block.get_submodule(owner), name, compiler(place.home))
    return model


def forward(model):
    model.forward = compiler(model.forward)
    return model


def around(model):
    return compiler(model)


def function(model):
    return compiler(lambda **batch: model(**batch))


WAYS = [whole, blocks, wrapped_blocks, wrapped_parts, forward, around, function]


def some(model, grain=Grain.HEAD):
    return anatomy(model).units((grain,))[1:3]


def slow(values, but):
    """Compiling takes seconds, so what is not among these few is only run by `make slow`."""
    marked = [pytest.param(*value, marks=pytest.mark.slow) for value in values if value not in but]
    return [*but, *marked]


# every way on one family, and every family in one way
CASES = [(way, "llama") for way in WAYS] + [(whole, family) for family in FAMILIES[1:]]


@pytest.mark.parametrize(("way", "family"), slow(CASES, [(whole, "bert"), (wrapped_parts, "llama")]))
def test_a_mask_acts_on_a_compiled_model_and_is_gone_afterwards(way, family):
    plain, model, batch = toy(family), toy(family), toy_batch(family)
    dense = logits(plain, batch)
    call = way(model)
    logits(call, batch)
    for grain in (Grain.HEAD, Grain.MLP, Grain.BLOCK):
        with mask(plain, some(plain, grain)):
            masked = logits(plain, batch)
        with mask(model, some(model, grain)):
            assert torch.equal(logits(call, batch), masked)
        assert torch.equal(logits(call, batch), dense)


@pytest.mark.parametrize(("way",), slow([(way,) for way in WAYS], [(wrapped_parts,)]))
def test_what_is_first_called_inside_the_block_is_dense_after_it(way):
    model, batch = toy("llama"), toy_batch("llama")
    dense = logits(model, batch)
    call = way(model)
    with mask(model, some(model)):
        assert not torch.equal(logits(call, batch), dense)
    assert torch.equal(logits(call, batch), dense)


@pytest.mark.parametrize(("family",), slow([("llama",), ("marian",)], [("bert",)]))
def test_gates_watches_and_heads_see_a_compiled_model_as_it_is(family):
    batch, plain, model = toy_batch(family), toy(family), whole(toy(family))
    logits(model, batch)
    site = anatomy(plain).places and sorted(anatomy(plain).info.sites)[-1]
    slopes, streams, contexts = [], [], []
    for subject in (plain, model):
        with gate(subject) as gates:
            slopes.append(gates.slopes(subject(**batch).logits.square().sum())[site])
        with watch(subject) as stream:
            logits(subject, batch)
            streams.append(stream.around(site)[1])
        with heads(subject) as seen:
            logits(subject, batch)
            contexts.append(seen.at(site))
    assert all(torch.equal(*pair) for pair in (slopes, streams, contexts))


@pytest.mark.parametrize(("way",), slow([(whole,), (blocks,), (forward,)], [(wrapped_blocks,)]))
def test_replays_and_climbs_are_those_of_the_model_as_written(way):
    model, batch = toy("llama"), toy_batch("llama")
    site, units = Site("decoder", "self", 2), [u for u in anatomy(model).units((Grain.HEAD,)) if u.site.layer == 2][:2]
    with mask(model, units):
        wanted = logits(model, batch)
    way(model)
    logits(model, batch)
    replay = Replay(model)
    with replay.recorded():
        logits(model, batch)
    with mask(model, units), replay.above(site):
        assert torch.equal(logits(model, batch), wanted)
    climb = Climb(model, [batch])
    climb.up_to(site)
    assert [one is batch for one in climb.through(site)] == [True]
    assert climb.runs == pytest.approx(len(batch["labels"]) * 3 / 4)


@pytest.mark.parametrize(("family",), slow([("llama",), ("t5",)], [("bert",)]))
def test_a_compiled_model_counts_as_it_is(family):
    batch, model = toy_batch(family), whole(toy(family))
    logits(model, batch)
    assert count(model, batch) == count(toy(family), batch)


def test_an_exception_leaves_the_model_compiled():
    model, batch = whole(toy("llama")), toy_batch("llama")
    runs = []
    model._compiled_call_impl = torch.compile(
        model._call_impl, backend=lambda graph, _: runs.append(0) or graph.forward
    )
    with pytest.raises(ZeroDivisionError), mask(model, some(model)):
        raise ZeroDivisionError
    logits(model, batch)
    assert runs, "compiled at the call after the block, not before"


@pytest.mark.slow
def test_blocks_that_end_in_another_order_than_they_began_leave_compiling_on():
    one, other, batch = whole(toy("llama")), whole(toy("bert")), toy_batch("llama")
    dense = logits(one, batch)
    first, second = mask(one, some(one)), mask(other, some(other))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.equal(logits(one, batch), dense)
    second.__exit__(None, None, None)
    assert torch._dynamo.eval_frame._stance.stance == "default"


def test_a_wrapped_model_is_refused_by_the_name_of_what_is_in_it():
    model = toy("llama")
    for enter in (gate, watch, heads, lambda wrapped: mask(wrapped, [])):
        with pytest.raises(UserError, match="_orig_mod"), enter(compiler(model)):
            pass
    for act in (lambda m: remove(m, []), Replay, lambda m: Climb(m, []), lambda m: count(m, toy_batch("llama"))):
        with pytest.raises(UserError, match="_orig_mod"):
            act(compiler(model))


def test_a_block_inside_a_compiled_function_is_refused():
    model, batch = toy("llama"), toy_batch("llama")
    dense = logits(model, batch)

    units = some(model)

    @compiler
    def step():
        with mask(model, units):
            return logits(model, batch)

    with pytest.raises(UserError, match="Take the with block out of it"):
        step()
    assert torch.equal(logits(model, batch), dense)


@pytest.mark.parametrize(
    ("way", "family"),
    slow([case for case in CASES if case[0] not in (around, function)], [(whole, "bert"), (wrapped_parts, "llama")]),
)
def test_removal_from_a_compiled_model_is_removal(way, family, tmp_path):
    batch, model, plain = toy_batch(family), toy(family), toy(family)
    way(model)
    logits(model, batch)
    for grain in (Grain.HEAD, Grain.ATTENTION, Grain.MLP, Grain.BLOCK):
        plain = removed(plain, some(plain, grain))
        remove(model, some(model, grain))
    wanted = logits(plain, batch)
    assert torch.equal(logits(model, batch), wanted)
    save_removed(model, tmp_path)
    assert torch.equal(logits(load_removed(tmp_path), batch), wanted)


@pytest.mark.slow
def test_removal_leaves_nothing_compiled_even_where_guards_were_left_out():
    model, batch = toy("llama"), toy_batch("llama")
    wanted = logits(removed(model, some(model)), batch)
    no_guards = {"guard_filter_fn": torch.compiler.skip_guard_on_all_nn_modules_unsafe}
    model.compile(backend="eager", options=no_guards)
    logits(model, batch)
    remove(model, some(model))
    assert torch.equal(logits(model, batch), wanted)
