"""Every kind of work runs on the models it is for, with ideals that follow from what was removed."""

import copy

import pytest
import torch

from headroom.api import Grain, Unit
from headroom.attention import anatomy, count, remove, toy
from headroom.config.speed import Speed, Work
from headroom.errors import UserError
from headroom.measure.clock import Lap
from headroom.measure.machine import machine
from headroom.measure.speed import Side, speed_points
from headroom.measure.work import DECODED, task
from headroom.pipeline.timing import chosen
from headroom.results.records import CellRecord, Point
from headroom.results.speed_records import Ceilings

KINDS = [
    ("bert", "encode"),
    ("marian", "encode"),
    ("vit", "images"),
    ("llama", "prefill"),
    ("gpt2", "prefill"),
    ("llama", "decode"),
    ("mistral", "decode"),
    ("gemma3", "decode"),
    ("marian", "generate"),
    ("t5", "generate"),
    ("llama", "generate"),
]
SETTINGS = Speed(pairs=15, works={})
EVEN = {name: Ceilings(macs_per_second=1.0, bytes_per_second=4.0) for name in ("float32", "bfloat16")}
HERE = machine(1).model_copy(update={"ceilings": EVEN})


class CountingClock:
    """Runs the call and says that it took a second."""

    def time(self, call):
        call()
        return Lap(1.0, 1.0)


def work(kind, batch=2, length=8, **more):
    return Work(kind=kind, batch=batch, length=0 if kind == "images" else length, **more)


def without_attention(model):
    """A copy of the model without its first self-attention."""
    removed = copy.deepcopy(model)
    remove(removed, [Unit(next(iter(anatomy(model).info.sites)), Grain.ATTENTION)])
    return removed


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_work_runs_and_its_ideal_follows_the_removal(family, kind):
    dense = toy(family)
    removed = [(0.0, 0, "", "aa", copy.deepcopy(dense)), (0.5, 1, "floor", "bb", without_attention(dense))]
    threads, length = torch.get_num_threads(), 0 if kind == "images" else 8
    same, less = speed_points(dense, removed, [work(kind)], SETTINGS, CountingClock(), HERE)
    assert torch.get_num_threads() == threads
    assert (same.target, same.seed, same.plan_hash, less.label, less.plan_hash) == (0.0, 0, "aa", "floor", "bb")
    assert (less.work, less.batch, less.length, less.dtype, less.pairs) == (kind, 2, length, "float32", 15)
    assert same.ideal == 1.0 < less.ideal < 3
    assert (same.speedup, same.wall_speedup, same.noisy) == (1.0, 1.0, False)
    assert same.samples == [1.0] * same.pairs
    assert same.per_second == {"encode": 2, "images": 2, "prefill": 16, "decode": 2 * DECODED, "generate": 16}[kind]


def test_decoding_finds_the_same_cache_before_every_call():
    model = toy("llama")
    lengths = []
    model.model.layers[0].register_forward_pre_hook(
        lambda module, inputs, kwargs: lengths.append(kwargs["past_key_values"].get_seq_length()), with_kwargs=True
    )
    with torch.inference_mode():
        one = task(model, work("decode", 1, 8))
        lengths.clear()
        one.call()
        one.call()
    assert lengths == list(range(8, 8 + DECODED)) * 2


def test_bytes_of_decoding_are_weights_and_cache_at_every_step():
    model = toy("llama")
    products = sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "embed_tokens" not in name)
    cache = 2 * 4 * 2 * 8 * 4  # key and value, float32, 2 KV heads of 8, 4 layers
    cost, cached = side(model, work("decode", 3, 10)).counted
    assert cost.bytes == DECODED * (4 * products + 3 * 10 * cache)
    assert cached.per_token == cache
    half = side(toy("llama").to(torch.bfloat16), work("decode", 3, 10))
    assert half.counted[0].bytes == cost.bytes / 2


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3"])
def test_bytes_per_token_in_the_cache_are_those_of_the_quality_record(family):
    for model in (toy(family), without_attention(toy(family))):
        predicted = count(model, {"input_ids": torch.ones(1, 2, dtype=torch.long)}).kv_bytes_per_token
        assert {side(model, work(kind)).counted[1].per_token for kind in ("prefill", "decode")} == {predicted}


def test_a_whole_generation_reads_the_decoder_at_every_step():
    model = toy("marian")
    few, many = (side(model, work("generate", new=new)).counted[0].bytes for new in (2, 8))
    assert many > 3 * few * 0.8


def test_work_in_another_number_format_leaves_the_model_in_its_own():
    dense = toy("bert")
    entry = (0.5, 0, "", "", without_attention(dense))
    (point,) = speed_points(dense, [entry], [work("encode", dtype="bfloat16")], SETTINGS, CountingClock(), HERE)
    assert point.dtype == "bfloat16" and dense.dtype == torch.float32


def test_compiling_is_asked_for_by_name_and_its_failure_is_a_sentence(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", broken)
    dense = toy("bert")
    entry = (0.5, 0, "", "", without_attention(dense))
    asked, not_asked = speed_points(
        dense, [entry], [work("encode", compiled=True), work("encode")], SETTINGS, CountingClock(), HERE
    )
    assert (asked.compiled_speedup, asked.compiled_note) == (None, "does not compile: RuntimeError")
    assert not_asked.compiled_note == ""
    assert asked.speedup == 1.0, "the eager figure stands"


def test_memory_is_measured_at_the_middle_target_alone():
    dense = toy("bert")
    entries = [(target, 0, "", "", without_attention(dense)) for target in (0.25, 0.5)]
    asked = []

    def footprint(model, _):
        asked.append(model)
        return 100.0 + len(asked)

    works = [work("encode", memory=True)]
    first, middle = speed_points(dense, entries, works, SETTINGS, CountingClock(), HERE, footprint)
    assert (first.memory_mb, middle.memory_mb, middle.dense_memory_mb) == (None, 102.0, 101.0)
    assert asked == [dense, entries[1][-1]]


def side(model, one):
    with torch.inference_mode():
        found = Side(model, one, task(model, one))
        assert found.counted
    return found


def point(target, **more):
    return Point.model_construct(target=target, seed=0, status="ok", units=8, **more)


def record(*points):
    return CellRecord.model_construct(points=list(points))


def test_points_at_the_targets_and_the_dense_one_are_timed():
    points = [point(target, units_removed=8 * target) for target in (0.0, 0.25, 0.375, 0.5, 1.0)]
    assert [one.target for one in chosen(record(*points), (0.25, 0.5, 0.75))] == [0.0, 0.25, 0.5]
    other_seed = point(0.5).model_copy(update={"seed": 1})
    floor = point(0.5).model_copy(update={"label": "floor:encoder.self"})
    assert chosen(record(point(0.5), other_seed, floor), (0.5,)) == [point(0.5)]


def test_a_plan_scored_as_is_and_recovered_is_timed_once():
    as_is, again = point(0.5), point(0.5, setting="recovered")
    assert chosen(record(as_is, again), (0.5,)) == [as_is]


def test_points_of_a_methods_own_are_timed_where_they_come_near_the_targets():
    points = [point(0.0, natural=f"lambda={removed}", units_removed=removed) for removed in (1, 3, 5, 8)]
    assert [one.natural for one in chosen(record(*points), (0.25, 0.5))] == ["lambda=1", "lambda=3"]


def test_models_are_left_as_they_were():
    dense = toy("bert").train()
    removed = without_attention(dense)
    speed_points(dense, [(0.5, 0, "", "", removed)], [work("encode")], SETTINGS, CountingClock(), HERE)
    assert dense.training and removed.training
    assert all(parameter.grad is None for parameter in dense.parameters())


def test_work_that_does_not_fit_the_model_is_named():
    with pytest.raises(UserError, match="decode is for decoders"):
        task(toy("marian"), work("decode"))
    with pytest.raises(UserError, match="Did you mean 'encode'"):
        task(toy("bert"), work("encode").model_copy(update={"kind": "encoder"}))
