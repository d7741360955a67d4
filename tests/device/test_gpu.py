"""What only a real GPU can show. `make gpu` runs these; elsewhere each says that there is none."""

import pytest
import torch
from test_card import METHODS, ROWS, TARGETS, plans, scores

from headroom import attention
from headroom.api import Grain, Track
from headroom.attention import anatomy, toy, toy_batch
from headroom.evaluate import logit_difference
from headroom.measure import devices
from headroom.measure.clock import clock_for
from headroom.measure.extras import joules
from headroom.models.placement import Placement
from headroom.models.shapes import dense, plan
from headroom.training.determinism import deterministic
from headroom.training.fit import fit

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that torch can use"),
]
SHAPE = {
    "family": "llama",
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
}


@pytest.fixture(scope="module")
def llama():
    return dense(SHAPE, "language", "bfloat16", "cuda")


def tokens(batch, length):
    return {"input_ids": torch.randint(4, 30000, (batch, length), generator=torch.Generator().manual_seed(0)).cuda()}


def test_auto_is_this_card_and_torch_can_compute_on_it():
    assert devices.resolved("auto") == "cuda"
    devices.check("cuda")


@pytest.mark.parametrize("family", ["bert", "llama", "marian"])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_makes_as_many_plans_of_the_same_size_there(name, family):
    here, track = plans(name, family)
    there, _ = plans(name, family, "cuda")
    assert [len(drop) for drop in there] == [len(drop) for drop in here]
    if track is not Track.TRAINED:  # units whose scores are near to equal may change places
        assert sum(one == other for one, other in zip(here, there, strict=True)) >= len(TARGETS) - 1


@pytest.mark.parametrize("family", ["bert", "llama", "marian", "vit", "t5", "gemma3", "gpt2"])
def test_what_is_removed_answers_as_what_is_masked(family):
    model = toy(family).cuda()
    batch = {name: value.cuda() for name, value in toy_batch(family).items()}
    for grain in anatomy(model).info.grains:
        units = anatomy(model).units((grain,))
        removed = attention.without(attention.twin(model), units[: max(1, len(units) // 3)])
        assert logit_difference(model, removed, units[: max(1, len(units) // 3)], batch) < 1e-4


def test_two_forward_passes_and_two_trainings_are_the_same_to_the_bit():
    def trained():
        torch.manual_seed(0)
        model = toy("bert").cuda()
        curve = fit(model, iter([toy_batch("bert")] * 20), 20, 1e-3, shown=False)
        return curve, [parameter.detach().clone() for parameter in model.parameters()]

    (first, weights), (second, again) = trained(), trained()
    assert first == second
    assert all(torch.equal(one, other) for one, other in zip(weights, again, strict=True))


def test_a_point_says_which_operations_have_no_deterministic_kernel(llama):
    unsure = set()
    with deterministic(llama.device, unsure), torch.inference_mode():
        one, other = (llama(**tokens(2, 256)).logits for _ in range(2))
    assert unsure or torch.equal(one, other)


def test_half_of_the_groups_gone_is_faster_and_takes_less_memory(llama):
    removed = attention.without(attention.twin(llama), plan(llama, Grain.KV_GROUP, 0.5))
    inputs, clock = tokens(8, 1024), clock_for(llama.device)
    with torch.inference_mode():
        laps = {
            name: [clock.time(lambda m=model: m(**inputs)).busy for _ in range(9)][2:]
            for name, model in {"dense": llama, "removed": removed}.items()
        }
    assert sorted(laps["removed"])[3] < sorted(laps["dense"])[3]


def test_energy_of_a_call_is_measured(llama):
    pytest.importorskip("pynvml")
    with torch.inference_mode():
        assert joules(lambda: llama(**tokens(4, 512)), llama.device) > 0


def test_a_pretrained_model_is_put_there_in_sixteen_bits_and_spread_over_the_cards(tmp_path):
    from headroom.models.sources import Source

    toy("llama").save_pretrained(tmp_path)
    for placement in (Placement("cuda", "bfloat16"), Placement("cuda", "bfloat16", spread=True)):
        model = placement.put(Source(tmp_path).model("language", **placement.options))
        assert model.dtype == torch.bfloat16
        assert model.device.type == "cuda"
        units = anatomy(model).units((Grain.HEAD,))[:2]
        removed = attention.without(attention.twin(model), units)
        batch = {name: value.cuda() for name, value in toy_batch("llama").items()}
        assert logit_difference(model, removed, units, batch) < 0.05


@pytest.mark.parametrize("kind", ROWS)
def test_every_evaluator_gives_the_scores_there_that_it_gives_on_the_cpu(kind):
    model, stats = scores(kind)
    here = stats(model)
    assert stats(model.cuda()) == pytest.approx(here, rel=1e-3)
