"""Methods that read slopes and attention maps: Michel et al., confidence, importance joined with entropy."""

from contextlib import contextmanager
from math import log
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from methods_helpers import ToyContext, context, heads_of, kill_heads, method, order, plans

from headroom.api import Grain, Site
from headroom.attention import FAMILY_NAMES, anatomy, mask, toy
from headroom.data.batches import per_example_loss, shifted

# --- Michel


def taylor(ctx, absolute, gone=()):
    """| <ctx, dL/dctx> | of every head from the gradient at the projection's input: site -> (heads,)."""
    score = {site: np.zeros(len(units)) for site, units in ctx.units.sites.items()}
    plan = anatomy(ctx.model)
    seen = {}

    def keep(site):
        def hook(_, args):
            seen[site] = args[0]
            args[0].retain_grad()

        return hook

    for batch in ctx.batches:
        handles = [plan.places[site].out.register_forward_pre_hook(keep(site)) for site in score]
        with mask(ctx.model, list(gone)):
            per_example_loss(ctx.model, batch).sum().backward()
        for handle in handles:
            handle.remove()
        for site in score:
            slope = (seen[site] * seen[site].grad).double().detach().unflatten(-1, (len(score[site]), -1)).sum(-1)
            axes = {"token": (), "example": (1,), "batch": (0, 1)}[absolute]
            slope = slope.sum(axes) if axes else slope
            score[site] += slope.abs().reshape(-1, len(score[site])).sum(0).numpy()
    return score


@pytest.mark.parametrize("absolute", ["token", "example", "batch"])
@pytest.mark.parametrize("family", ["bert", "vit", "marian", "llama"])
def test_michel_is_the_absolute_product_of_context_and_gradient(family, absolute):
    found, ctx = context(family, "michel-greedy", absolute=absolute)
    score, wanted = found.importance(ctx), taylor(ctx, absolute)
    for site in ctx.units.sites:
        assert np.allclose(score[site].numpy(), wanted[site] / np.linalg.norm(wanted[site]), rtol=1e-3, atol=1e-6)


def test_michel_without_normalisation_keeps_the_scale_of_a_site():
    found, ctx = context("bert", "michel-greedy", normalise=False, divisors="none")
    score, wanted = found.importance(ctx), taylor(ctx, "token")
    for site in ctx.units.sites:
        assert np.allclose(score[site].numpy(), wanted[site], rtol=1e-3)
    assert order("bert", "michel-greedy", normalise=False, divisors="none") != order("bert", "michel-greedy")


def tokens_of(ctx, site):
    """Real tokens that a site sees; an image is 16 patches and the first token."""
    if ctx.info.family == "vit":
        return sum(17 * len(batch["labels"]) for batch in ctx.batches)
    if site.stack == "encoder" or ctx.info.family == "llama":
        return sum(int(batch["attention_mask"].sum()) for batch in ctx.batches)
    fed = [shifted(batch["labels"], ctx.model) for batch in ctx.batches]  # the start mark is the padding word
    return sum(len(ids) + int((ids[:, 1:] != 0).sum()) for ids in fed)


@pytest.mark.parametrize("family", ["bert", "vit", "marian", "llama"])
def test_michel_without_normalisation_divides_as_released(family):
    """Classifiers: layers by their tokens, but the last by the examples. Others: every module by its own tokens."""
    found, ctx = context(family, "michel-greedy", normalise=False)
    score, wanted = found.importance(ctx), taylor(ctx, "token")
    for site in ctx.units.sites:
        last_of_classifier = family in ("bert", "vit") and site.layer == 2
        divisor = 6 if last_of_classifier else tokens_of(ctx, site)
        assert np.allclose(score[site].numpy(), wanted[site] / divisor, rtol=1e-3), site


@pytest.mark.parametrize("family", ["bert", "vit", "marian"])
def test_the_divisors_change_the_order_where_nothing_is_normalised(family):
    released, raw = (order(family, "michel-greedy", normalise=False, divisors=d) for d in ("released", "none"))
    assert released != raw
    normalised = [order(family, "michel-greedy", divisors=divisors) for divisors in ("released", "none")]
    assert normalised[0] == normalised[1], "a constant of a site is divided out again"


def test_per_batch_is_one_gradient_a_batch_and_no_running_total():
    """What HF's script sums is | g1 | + | g1 + g2 |: it never clears the gradient of its mask."""
    found, ctx = context("marian", "michel-greedy", absolute="batch", normalise=False, divisors="none")
    score, signed = found.importance(ctx), []
    for batch in ctx.batches:
        with ctx.gates() as gates:
            signed.append(gates.slopes(ctx.loss(batch)))
    for site in ctx.units.sites:
        first, second = (slopes[site] for slopes in signed)
        assert torch.allclose(score[site], first.abs() + second.abs(), rtol=1e-4)
    running = {site: signed[0][site].abs() + (signed[0][site] + signed[1][site]).abs() for site in score}
    assert ctx.units.order(running) != ctx.units.order(score)


def test_michel_exact_scores_the_heads_that_are_left_in_the_model_without_the_others():
    _, ctx = context("marian", "michel-greedy")
    exact = [plan.drop for plan in plans("marian", "michel-greedy", [0.25, 0.5, 0.75], exact=True)]
    for gone, drop in zip(([], *exact), exact, strict=False):
        wanted = taylor(ctx, "token", gone)
        value = {unit: wanted[unit.site][unit.index] / np.linalg.norm(wanted[unit.site]) for unit in ctx.units}
        left = sorted((unit for unit in ctx.units if unit not in gone), key=value.get)
        assert drop == set(gone) | set(left[: len(drop) - len(gone)])
    assert exact != [plan.drop for plan in plans("marian", "michel-greedy", [0.25, 0.5, 0.75])]


def test_michel_scores_once_for_all_targets_and_once_per_target_when_exact():
    for exact, passes in [(False, 1), (True, 3)]:
        found, ctx = context("bert", "michel-greedy", exact=exact)
        list(found.plans(ctx, [0.25, 0.5, 0.75]))
        assert ctx.deeds.forward == ctx.deeds.backward == passes * 6


@pytest.mark.parametrize("kind", ["encoder.self", "decoder.self", "decoder.cross"])
def test_one_kind_of_attention_is_a_list_of_its_own_and_targets_are_shares_of_it(kind):
    pooled = order("bart", "michel-greedy")
    alone = plans("bart", "michel-greedy", [0.5, 1.0], kinds=(kind,))
    mine = [unit for unit in pooled if f"{unit.site.stack}.{unit.site.kind}" == kind]
    assert alone[0].drop == set(mine[:6]) and alone[1].drop == set(mine)


def test_michel_exact_chooses_among_the_units_on_offer_alone():
    exact = plans("bart", "michel-greedy", [0.5, 1.0], exact=True, kinds=("encoder.self",))
    assert [len(plan.drop) for plan in exact] == [6, 12] and exact[0].drop < exact[1].drop
    assert {f"{unit.site.stack}.{unit.site.kind}" for unit in exact[1].drop} == {"encoder.self"}


# --- maps by hand


class FakeMaps:
    """A context with one site of one example: attention maps (heads, queries, keys) and slopes are given."""

    def __init__(self, maps, slopes=None, ids=None, eos=None, real=None, kind="self", pair=False):
        self.site = Site("decoder" if pair else "encoder", kind, 0)
        self.maps = torch.tensor(maps)[None]
        self.batch = {} if ids is None else {"input_ids": torch.tensor([ids])}
        self.is_real = torch.tensor([real if real else [True] * self.maps.shape[2]])
        self.slopes = slopes
        self.model = SimpleNamespace(config=SimpleNamespace(eos_token_id=eos, is_encoder_decoder=pair))
        self.units = SimpleNamespace(
            sites={self.site: list(range(self.maps.shape[1]))},
            zeros=lambda: {self.site: torch.zeros(self.maps.shape[1])},
        )

    def calibration(self, examples, batch_size=32):
        return iter([self.batch])

    def logits(self, batch):
        return None

    loss = logits

    @contextmanager
    def heads(self, made):
        shown = self.maps * self.is_real[:, None, :, None]
        yield SimpleNamespace(at=lambda site: shown, real=lambda site: self.is_real)

    @contextmanager
    def gates(self, per):
        yield SimpleNamespace(slopes=lambda loss: {self.site: torch.tensor(self.slopes)})


SHARP, FLAT = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]


def confidence(fake):
    return method("attention-confidence").confidence(fake)[fake.site].tolist()


def test_confidence_is_the_mean_maximum_over_queries():
    assert confidence(FakeMaps([SHARP, FLAT, [[0.9, 0.1], [0.3, 0.7]]])) == pytest.approx([1.0, 0.5, 0.8])


def test_the_end_of_the_sentence_is_no_target():
    maps = [[[0.1, 0.9], [0.2, 0.8]]]
    assert confidence(FakeMaps(maps, ids=[5, 2], eos=2)) == pytest.approx([0.15])
    assert confidence(FakeMaps(maps, ids=[5, 2], eos=[2, 9])) == pytest.approx([0.15]), "a config may name several"
    assert confidence(FakeMaps(maps, ids=[5, 2], eos=None)) == pytest.approx([0.85])
    assert confidence(FakeMaps(maps, ids=[5, 2], eos=2, pair=True, kind="cross")) == pytest.approx([0.15])
    assert confidence(FakeMaps(maps, ids=[5, 2], eos=2, pair=True)) == pytest.approx([0.85]), "its keys are no input"


def test_padded_queries_have_no_say():
    assert confidence(FakeMaps([[[0.9, 0.1], [0.5, 0.5]]], real=[True, False])) == pytest.approx([0.9])


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_family_hands_out_its_maps(family):
    found, ctx = context(family, "attention-confidence")
    assert all((s > 0).all() and (s <= 1 + 1e-5).all() for s in found.confidence(ctx).values())


def uniform_heads(model, units):
    """Zero the queries of some heads: all keys are alike to them."""
    for unit in units:
        anatomy(model).weights(unit)["query"].data.zero_()
    for site, index in {(unit.site, unit.index) for unit in units}:
        home = anatomy(model).places[site].home
        for name in ("query", "q_proj"):
            bias = getattr(getattr(home, name, None), "bias", None)
            if bias is not None:
                bias.data[index * 8 : index * 8 + 8] = 0
    return model


@pytest.mark.parametrize("family", ["bert", "vit", "marian", "t5"])
def test_heads_that_attend_to_nothing_in_particular_go_first(family):
    model = toy(family)
    for name, parameter in model.named_parameters():
        if "relative_attention_bias" in name:
            parameter.data.zero_()
    dead = {unit for unit in heads_of(model) if unit.index == 2}
    found = order(family, "attention-confidence", uniform_heads(model, dead))
    stacks = {unit.site.stack for unit in dead}
    for stack in stacks:  # the fewest keys give the least bad maximum, so kinds are compared each with itself
        for kind in ("self", "cross"):
            mine = [unit for unit in found if (unit.site.stack, unit.site.kind) == (stack, kind)]
            assert {unit.index for unit in mine[:3]} <= {2}


# --- importance and entropy


def test_entropy_is_that_of_the_rows_and_importance_is_divided_by_its_norm():
    fake = FakeMaps([SHARP, FLAT], slopes=[[3.0, -4.0]])
    importance, entropy = method("entropy-importance").measured(fake)
    assert entropy[fake.site].tolist() == pytest.approx([0.0, log(2)])
    assert importance[fake.site].tolist() == pytest.approx([0.6, 0.8])


def test_padded_queries_have_no_entropy():
    fake = FakeMaps([[[0.5, 0.5], [0.9, 0.1]]], slopes=[[1.0]], real=[True, False])
    assert method("entropy-importance").measured(fake)[1][fake.site].tolist() == pytest.approx([log(2)])


@pytest.mark.parametrize(("spread", "first"), [("drop", 1), ("keep", 0)])
def test_a_head_goes_when_the_loss_does_not_need_it_and_it_looks_everywhere(spread, first):
    """Equal importance: the flat head goes first, and the sharp one where spread-out heads are to be kept."""
    fake = FakeMaps([SHARP, FLAT], slopes=[[1.0, 1.0]])
    seen = {}
    fake.units.lowest = lambda score, target: seen.update(score) or frozenset()
    list(method("entropy-importance", spread=spread).plans(fake, [0.5]))
    assert int(seen[fake.site].argmin()) == first


def test_the_two_terms_are_scaled_and_weighed():
    fake = FakeMaps([SHARP, FLAT, [[0.9, 0.1], [0.9, 0.1]]], slopes=[[2.0, 6.0, 4.0]])
    seen = {}
    fake.units.lowest = lambda score, target: seen.update(score) or frozenset()
    list(method("entropy-importance", alpha=0.25).plans(fake, [0.5]))
    middle = -(0.9 * log(0.9) + 0.1 * log(0.1)) / log(2)
    assert seen[fake.site].tolist() == pytest.approx([0.75, 0.25, 0.25 * 0.5 + 0.75 * (1 - middle)], abs=1e-6)


def test_with_alpha_one_it_is_michel_per_example():
    one = order("marian", "entropy-importance", alpha=1.0)
    assert one == order("marian", "michel-greedy", absolute="example")


@pytest.mark.parametrize("family", ["bert", "vit"])
def test_dead_and_unfocused_heads_go_first(family):
    model = toy(family)
    dead = {unit for unit in heads_of(model) if unit.index == 1}
    kill_heads(uniform_heads(model, dead), dead)
    assert set(order(family, "entropy-importance", model)[:3]) == dead


def test_maps_of_a_group_are_the_mean_of_its_heads():
    found, ctx = context("llama", "attention-confidence")
    score = found.confidence(ctx)
    peaks, queries = np.zeros(2), 0
    ctx.model.set_attn_implementation("eager")
    for batch in ctx.batches:
        with torch.no_grad():
            maps = ctx.model(**batch, output_attentions=True).attentions[0].double().numpy()
        real = batch["attention_mask"].bool().numpy()
        group = maps.reshape(3, 2, 4, 11, 11).mean(2).max(-1)
        peaks += (group * real[:, None]).sum((0, 2))
        queries += real.sum()
    assert np.allclose(score[Site("decoder", "self", 0)].numpy(), peaks / queries, atol=1e-5)
    assert {unit.grain for unit in ToyContext("llama", found).units} == {Grain.KV_GROUP}
