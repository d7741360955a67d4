"""On a card that is pretended, all that is needed lies on the card: methods, removal, training and scores."""

import pytest
import torch
from evaluation_helpers import fitting, task
from pretended import card

from headroom import attention
from headroom.api import Track
from headroom.attention import anatomy, toy, toy_batch
from headroom.checks.toy_bench import EXAMPLES, ToyBench
from headroom.config.model_spec import TokenizerSpec
from headroom.config.registry import load_method, method_files
from headroom.data.contract import Contract
from headroom.data.tokenize import train_tokenizer
from headroom.evaluate import Evaluation, Settings, logit_difference
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.reach import refusal

TARGETS = (0.25, 0.5, 1.0)
METHODS = sorted(method_files())
TRAINED = [name for name in METHODS if load_method(name, None, "methods").track is Track.TRAINED]
SLOW = {(name, family) for name in METHODS for family in ("llama", "marian")} | {(name, "bert") for name in TRAINED}


def plans(name, family, device="cpu"):
    """The drops of a method's plans on the toy of a family that lies on a device."""
    bench = ToyBench(toy(family), toy_batch(family, EXAMPLES), lambda: toy(family, seed=1))
    method = load_method(name, None, "methods")
    if refusal(method, anatomy(bench.model).info):
        pytest.skip(f"{name} cannot do a {family}")
    lessons = bench.few_lessons if method.track is Track.TRAINED else None
    args = (method.removes(), bench.calibration, bench.collator, method.params, 0)
    ctx = HarnessContext(bench.model.to(device), *args, lessons=lessons, weights_folder=bench.weights_folder)
    return [plan.drop for plan in method.plans(ctx, TARGETS)], method.track


@pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, marks=[pytest.mark.slow] if (name, family) in SLOW else [])
        for name in METHODS
        for family in ("bert", "llama", "marian")
    ],
)
def test_a_method_makes_the_plans_there_that_it_makes_on_the_cpu(name, family):
    here, track = plans(name, family)
    with card() as device:
        there, _ = plans(name, family, device)
    if track is Track.TRAINED:  # another kernel of the optimiser: the same number goes, and which may differ
        here, there = [len(drop) for drop in here], [len(drop) for drop in there]
    assert there == here


@pytest.mark.parametrize("family", ["bert", "llama", "marian", "vit", "t5"])
def test_what_is_removed_there_answers_as_what_is_masked_there(family):
    with card() as device:
        model = toy(family).to(device)
        batch = {name: value.to(device) for name, value in toy_batch(family).items()}
        for grain in anatomy(model).info.grains:
            units = anatomy(model).units((grain,))
            units = units[: max(1, len(units) // 3)]
            removed = attention.without(attention.twin(model), units)
            assert {tensor.device for tensor in (*removed.parameters(), *removed.buffers())} == {device}
            assert logit_difference(model, removed, units, batch) < 1e-4
            assert attention.count(removed, batch).macs > 0


WORDS = [f"w{number} w{number % 7} w{number % 3}" for number in range(12)]
ROWS = {
    "classification": ("bert", [{"text": text, "label": place % 3} for place, text in enumerate(WORDS)]),
    "translation": ("m2m_100", [{"source": text, "target": text} for text in WORDS]),
    "bits-per-byte": ("llama", [{"text": text} for text in WORDS]),
    "multiple-choice": ("llama", [{"context": f"{text} ", "choices": ["w1", "w2"], "gold": 0} for text in WORDS]),
}


def scores(kind):
    """A toy for an evaluator, and what gives the statistics of a model on its rows."""
    family, rows = ROWS[kind]
    reader = train_tokenizer(TokenizerSpec(kind="word", size=64), WORDS, ends=True)
    settings = Settings(None, 16, max_new_tokens=6, tokens=64)

    def stats(model):
        evaluation = Evaluation([(task(kind), rows)], Contract.of(model, reader, length=16), settings)
        return evaluation.score(model)["made"].stats

    return fitting(family, reader), stats


@pytest.mark.parametrize("kind", ROWS)
def test_every_evaluator_gives_the_scores_there_that_it_gives_on_the_cpu(kind):
    model, stats = scores(kind)
    here = stats(model)
    with card() as device:
        there = stats(model.to(device))
    assert there == pytest.approx(here, rel=1e-4)


def test_the_pretended_card_refuses_to_mix_as_a_card_does():
    with card() as device:
        there, here = torch.ones(3, device=device), torch.ones(3)
        assert (there + 1).sum().item() == 6
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        assert torch.equal(there.cpu(), here)
