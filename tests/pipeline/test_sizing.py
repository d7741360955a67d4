"""How many tokens go through a model at once is found by trying, once for a card, and where nothing is stated."""

from dataclasses import replace

import pytest
import torch

from headroom.config.model_spec import EvaluateSpec
from headroom.pipeline.bench import Bench
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.sizing import SIZES, SizeQuestion, sized


class Pool:
    """A pool whose workers say what they are told to, and count how often they were asked."""

    def __init__(self, answer):
        self.reply, self.asked = answer, 0

    def ask(self, questions):
        for question in questions:
            self.asked += 1
            yield question, self.reply


@pytest.fixture
def run(world):
    """The toy model without a stated batch, as if it were measured on a GPU."""
    run = ModelRun(world.loaded, "params.yaml", "bert-toy")
    run.device = "cuda"
    state(run)
    return run


def state(holder, **evaluate):
    """Let the entry of a model say this of how it is scored, and nothing else."""
    holder.spec = holder.spec.model_copy(update={"evaluate": EvaluateSpec(**evaluate)})


@pytest.fixture
def small(prepared):
    """The toy model on a card that holds 300 tokens with their padding."""
    bench = Bench(prepared)
    spec = bench.prepared.spec.model_copy(update={"evaluate": EvaluateSpec()})
    bench.prepared = replace(bench.prepared, spec=spec)

    def hook(module, args, kwargs):
        if kwargs["input_ids"].numel() > 300:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    bench.prepared.model.register_forward_pre_hook(hook, with_kwargs=True)
    return bench


def test_a_size_holds_where_the_longest_examples_go_through_whole(small):
    assert [tokens for tokens in (2048, 1024, 512, 256, 128) if small.holds(tokens)] == [256, 128]


def test_a_batch_that_was_found_too_large_is_still_scored_in_halves(small):
    small.tokens = 2048
    dense = small.answer([])
    assert dense["stats:toy-classification"].shape[0] == len(small.evaluation.evaluators[0].labels)


def test_the_size_is_half_of_what_just_fits(run, monkeypatch):
    held = []
    monkeypatch.setattr(Bench, "holds", lambda self, tokens: held.append(tokens) or tokens <= 8192)
    monkeypatch.setattr(ModelRun, "bench", property(lambda self: object.__new__(Bench)))
    assert SizeQuestion(run).answer() == 4096
    assert held == [size for size in SIZES if size >= 8192]
    monkeypatch.setattr(Bench, "holds", lambda self, tokens: False)
    assert SizeQuestion(run).answer() == SIZES[-1]  # and what does not fit of that goes in halves


def test_it_is_asked_once_and_kept_in_the_journal(run):
    pool = Pool(4096)
    assert [sized(run, pool), sized(run, pool)] == [4096, 4096]
    assert pool.asked == 1


@pytest.mark.parametrize("stated", [{"batch": 8}, {"tokens": 512}, {}])
def test_nothing_is_tried_where_a_size_is_stated_or_on_the_cpu(run, stated):
    state(run, **stated)
    if not stated:
        run.device = "cpu"
    pool = Pool(4096)
    assert sized(run, pool) is None
    assert not pool.asked
