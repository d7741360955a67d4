"""Methods that try each sublayer in turn: FinerCut and NOSE."""

from math import acos

import numpy as np
import pytest
import torch
from methods_helpers import ToyContext, context, kill_sublayers, method, order, part, plans, units_of
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax

from headroom.api import Grain, Site
from headroom.attention import FAMILY_NAMES, anatomy, mask, toy, watch

ONE, OTHER = [2.0, 0.0, -1.0], [0.0, 1.0, 1.0]  # dense logits, and those without a sublayer
MIDDLE = (softmax(ONE) + softmax(OTHER)) / 2


@pytest.mark.parametrize(
    ("distance", "wanted"),
    [
        ("js", jensenshannon(softmax(ONE), softmax(OTHER)) ** 2),
        ("released", (rel_entr(MIDDLE, softmax(ONE)).sum() + rel_entr(MIDDLE, softmax(OTHER)).sum()) / 2),
        ("kl", rel_entr(softmax(ONE), softmax(OTHER)).sum()),
        ("norm", 3.0),  # of (2, -1, -2)
        ("angular", acos(0)),  # the cosine is below zero and clamped
    ],
)
def test_distances_of_finercut_by_hand(distance, wanted):
    DISTANCES = part("finercut", "DISTANCES")

    assert DISTANCES[distance](torch.tensor([ONE]), torch.tensor([OTHER])).item() == pytest.approx(wanted, rel=1e-5)


def test_the_angle_of_finercut_is_an_angle():
    DISTANCES = part("finercut", "DISTANCES")

    assert DISTANCES["angular"](torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])).item() == pytest.approx(
        np.pi / 4
    )


def answers(ctx, gone):
    found = []
    for batch in ctx.batches:
        with mask(ctx.model, list(gone)), torch.no_grad():
            logits = ctx.model(**batch).logits
        labels = batch["labels"]
        found.append((logits if labels.dim() == 1 else logits[labels != -100]).double().numpy())
    return np.concatenate(found)


@pytest.mark.parametrize("family", ["bert", "marian", "gpt2"])
def test_finercut_agrees_with_a_search_by_whole_passes(family):
    _, ctx = context(family, "finercut")
    dense, gone = softmax(answers(ctx, ()), -1), []
    for _ in range(3):
        left = [unit for unit in ctx.units if unit not in gone]
        far = {u: (jensenshannon(dense, softmax(answers(ctx, [*gone, u]), -1), axis=-1) ** 2).mean() for u in left}
        gone.append(min(left, key=far.get))
    assert list(plans(family, "finercut", [3 / len(ctx.units)])[0].drop - set(gone)) == []


@pytest.mark.parametrize("family", ["vit", "llama", "m2m_100"])
@pytest.mark.parametrize("name", ["finercut", "nose-posthoc"])
def test_greedy_search_removes_the_dead_first(family, name):
    model = toy(family)
    dead = set(units_of(model, Grain.ATTENTION)[1::2])
    kill_sublayers(model, dead)
    assert set(order(family, name, model)[: len(dead)]) == dead


def twins():
    """A GPT-2 without words of its own: attention 1 and 2 add the same vector each, attention 0 adds another.

    The last norm sees directions only, so either twin alone says what both say; without both it is lost.
    """
    model = toy("gpt2")
    with torch.no_grad():
        for unit in units_of(model, Grain.ATTENTION, Grain.MLP):
            kill_sublayers(model, [unit])
        model.transformer.wte.weight.mul_(1.0)
        v, w = torch.zeros(32), torch.zeros(32)
        v[:16], w[:16] = torch.tensor([1.0, -1.0]).repeat(8), torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4)
        for layer, vector in enumerate((w, v, v)):
            anatomy(model).places[Site("decoder", "self", layer)].out.bias.copy_(100 * vector)
    return model


@pytest.mark.parametrize("distance", ["js", "angular"])
def test_finercut_takes_one_of_two_twins_before_the_vital_and_leaves_the_other_to_the_last(distance):
    layers = [u.site.layer for u in order("gpt2", "finercut", twins(), remove="attention", distance=distance)]
    assert layers[0] in (1, 2) and layers[-1] in (1, 2)


def test_early_blocks_are_spared_until_their_share_has_gone():
    """L = 10, S = 20, x = 0.4: blocks 0 to 4 take no part until 9 sublayers have gone."""
    found = method("finercut", early=0.4)
    ctx = ToyContext("bert", found, toy("bert", num_hidden_layers=10))
    assert {unit.site.layer for unit in found.candidates(ctx, [])} == set(range(5, 10)) - {4}
    late = [unit for unit in ctx.units if unit.site.layer > 4]
    assert {unit.site.layer for unit in found.candidates(ctx, late[:8])} <= set(range(5, 10))
    assert {unit.site.layer for unit in found.candidates(ctx, late[:9])} >= {0, 1, 2, 3, 4}


def test_what_the_released_code_calls_js_has_no_bound():
    """All of p on one word, all of q on another: the Jensen-Shannon divergence ends at log 2."""
    DISTANCES, far = part("finercut", "DISTANCES"), torch.tensor([[60.0, 0.0]])
    assert DISTANCES["js"](far, far.flip(1)).item() == pytest.approx(np.log(2))
    assert DISTANCES["released"](far, far.flip(1)).item() > 20


def test_the_two_forms_of_js_choose_differently_somewhere():
    first = [order("llama", "finercut", toy("llama", seed), distance="js") for seed in range(4)]
    assert first != [order("llama", "finercut", toy("llama", seed), distance="released") for seed in range(4)]


@pytest.mark.parametrize(("remove", "blocks"), [("joint", 13), ("attention", 7), ("mlp", 7)])
def test_the_released_rule_spares_half_the_share_of_the_sublayers_that_may_go(remove, blocks):
    """-x 0.4 of 32 blocks, int(0.4 S / 2) + 1 with S = 64 or 32."""
    for spared, wanted in (("released", blocks), ("share", 13)):
        found = method("finercut", early=0.4, spared=spared, remove=remove)
        ctx = ToyContext("bert", found, toy("bert", num_hidden_layers=32))
        layers = {unit.site.layer for unit in found.candidates(ctx, [])}
        assert layers == set(range(wanted, 32))


def test_the_released_rule_withholds_block_0_from_the_first_removal_alone():
    found = method("finercut", spared="released")
    ctx = ToyContext("bert", found)
    assert {unit.site.layer for unit in found.candidates(ctx, [])} == {1, 2}
    assert {unit.site.layer for unit in found.candidates(ctx, [ctx.units.all[-1]])} == {0, 1, 2}
    ours = method("finercut")
    assert ours.candidates(ctx, []) == list(ctx.units)


def test_finercut_with_early_blocks_spared_removes_late_ones_first():
    first = order("llama", "finercut", early=0.5)[:3]
    assert all(unit.site.layer > 2 - 1 for unit in first)


def test_finercut_counts_its_passes():
    found, ctx = context("vit", "finercut", remove="attention")
    list(found.plans(ctx, [2 / 3]))
    # dense once; then per round the dense pass of the replay and one per candidate: 1 + (1 + 3) + (1 + 2)
    assert ctx.deeds.forward == 8 * 6


# --- NOSE


def handed_to_the_head(ctx, batch):
    """Rows after the final norm: CLS tokens of an encoder, real tokens of a decoder."""
    made = ctx.model(**batch, output_hidden_states=True)
    if ctx.info.family == "vit":
        return ctx.model.vit.layernorm(made.hidden_states[-1])[:, 0]
    if ctx.info.family == "bert":
        return made.hidden_states[-1][:, 0]
    states = made.decoder_hidden_states if ctx.info.family == "marian" else made.hidden_states
    return states[-1][batch["labels"] != -100]  # of decoders the last of them is behind the norm


def last_of_the_stream(ctx, batch):
    stack, last = max((s.stack == "decoder", s.layer) for s in ctx.info.sites)
    with watch(ctx.model) as stream:
        ctx.model(**batch)
    return stream.around(Site("decoder" if stack else "encoder", "block", last))[1]


def at_the_head(ctx, batch):
    logits, labels = ctx.model(**batch).logits, batch["labels"]
    return logits if labels.dim() == 1 else logits[labels != -100]


READ = {"cls": handed_to_the_head, "stream": last_of_the_stream, "logits": at_the_head}


def entropy(ctx, gone, representation):
    with mask(ctx.model, list(gone)), torch.no_grad():
        rows = np.concatenate([READ[representation](ctx, batch).double().numpy() for batch in ctx.batches])
    # as the two measures of the released code: log of numpy's deviation, log2 of torch's
    return np.log2(rows.std(0, ddof=1)).sum() if representation == "logits" else np.log(rows.std(0)).sum()


@pytest.mark.parametrize("representation", READ)
@pytest.mark.parametrize("family", ["vit", "bert", "marian", "opt"])
def test_nose_agrees_with_a_search_by_whole_passes(family, representation):
    _, ctx = context(family, "nose-posthoc")
    dense, gone = entropy(ctx, (), representation), []
    for _ in range(2):
        left = [unit for unit in ctx.units if unit not in gone]
        gone.append(min(left, key=lambda unit: abs(dense - entropy(ctx, [*gone, unit], representation))))
    assert order(family, "nose-posthoc", representation=representation)[:2] == gone


def test_nose_reads_the_first_token_behind_the_norm_unless_told_otherwise():
    found, ctx = context("vit", "nose-posthoc")
    dense = found.entropy_of_all(ctx, ctx.batches)
    assert dense == pytest.approx(entropy(ctx, (), "cls"), abs=1e-3)
    assert all(abs(dense - entropy(ctx, (), other)) > 1 for other in ("stream", "logits"))
    assert len({tuple(order("vit", "nose-posthoc", model=tall(), representation=r)) for r in READ}) > 1


def tall():
    return toy("vit", num_hidden_layers=6)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_family_hands_its_final_representation_out(family):
    found, ctx = context(family, "nose-posthoc")
    with found.final(ctx) as final, torch.no_grad():
        logits = ctx.logits(ctx.batches[0])
        rows = final(ctx.batches[0], logits)
        head = ctx.model.get_output_embeddings()
        if head is not None:  # what is read is what the head turns into logits, but for T5's scale and Gemma's cap
            told = final(ctx.batches[0], logits) @ head.weight.T
            answers = logits[ctx.batches[0]["labels"] != -100]
            assert (told.argmax(-1) == answers.argmax(-1)).float().mean() > 0.9
    assert rows.shape[-1] == 32 and (len(rows) == 3) == (head is None)


def test_entropy_is_the_sum_of_log_standard_deviations():
    Spread = part("nose-posthoc", "Spread")

    spread = Spread()
    spread.add(torch.tensor([[1.0, 10.0], [3.0, 10.0]]))
    spread.add(torch.tensor([[5.0, 40.0]]))
    assert spread.entropy == pytest.approx(np.log(np.std([1, 3, 5])) + np.log(np.std([10, 10, 40])))


def test_a_feature_that_never_changes_gives_no_nan():
    Spread = part("nose-posthoc", "Spread")

    spread = Spread()
    spread.add(torch.ones(4, 2))
    assert np.isfinite(spread.entropy)
