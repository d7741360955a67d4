"""Every kind of work runs on the models it is for, with ideals that follow from what was removed."""

import copy
from types import SimpleNamespace

import pytest
import torch

from headroom.api import Grain, Unit
from headroom.attention import anatomy, remove, toy
from headroom.errors import UserError
from headroom.measure import speed_points
from headroom.measure.clock import Lap
from headroom.measure.work import DECODED, step_bytes, task

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
]


class CountingClock:
    """Runs the call and says that it took a second."""

    def time(self, call):
        call()
        return Lap(1.0, 1.0)


def work(kind, batch=2, length=8):
    return SimpleNamespace(kind=kind, batch=batch, length=length)


def without_attention(model):
    """A copy of the model without its first self-attention."""
    removed = copy.deepcopy(model)
    remove(removed, [Unit(next(iter(anatomy(model).info.sites)), Grain.ATTENTION)])
    return removed


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_work_runs_and_its_ideal_follows_the_removal(family, kind):
    dense = toy(family)
    removed = [(0.0, 0, "", "aa", copy.deepcopy(dense)), (0.5, 1, "floor", "bb", without_attention(dense))]
    settings = SimpleNamespace(pairs=15)
    threads = torch.get_num_threads()
    same, less = speed_points(dense, removed, [work(kind)], settings, CountingClock())
    assert torch.get_num_threads() == threads
    assert (same.target, same.seed, same.plan_hash, less.label, less.plan_hash) == (0.0, 0, "aa", "floor", "bb")
    assert (less.work, less.batch, less.length, less.dtype, less.pairs) == (kind, 2, 8, "float32", 15)
    assert same.ideal == 1.0 < less.ideal < 3
    assert (same.speedup, same.wall_speedup, same.noisy) == (1.0, 1.0, False)
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


def test_bytes_of_a_decoding_step_are_weights_and_cache():
    model = toy("llama")
    body = sum(parameter.numel() for name, parameter in model.named_parameters() if "embed_tokens" not in name)
    cache = 2 * 4 * 2 * 8 * 4  # key and value, float32, 2 KV heads of 8, 4 layers
    assert step_bytes(model, 3, 10) == 4 * body + 3 * 10 * cache
    half = toy("llama").to(torch.bfloat16)
    assert step_bytes(half, 3, 10) == (4 * body + 3 * 10 * cache) / 2


def test_models_are_left_as_they_were():
    dense = toy("bert").train()
    removed = without_attention(dense)
    speed_points(dense, [(0.5, 0, "", "", removed)], [work("encode")], SimpleNamespace(pairs=15), CountingClock())
    assert dense.training and removed.training
    assert all(parameter.grad is None for parameter in dense.parameters())


def test_work_that_does_not_fit_the_model_is_named():
    with pytest.raises(UserError, match="decode is for decoders"):
        task(toy("marian"), work("decode"))
    with pytest.raises(UserError, match="Did you mean 'encode'"):
        task(toy("bert"), work("encoder"))
