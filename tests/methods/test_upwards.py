"""A model taken from below, a block at a time: what a site sees there is what it sees in the whole model."""

from contextlib import ExitStack

import pytest
import torch
from methods_helpers import context, heads_of

from headroom.api import Grain
from headroom.attention import FAMILY_NAMES, anatomy


def hooks_of(model):
    return [(name, id(module), len(module._forward_hooks)) for name, module in model.named_modules()]


def one_head_of_each(ctx):
    found = {}
    for unit in heads_of(ctx.model):
        found.setdefault(unit.site, unit)
    return found


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_what_a_site_sees_is_what_it_sees_in_the_whole_model_without_what_went_below(family):
    _, ctx = context(family, "wanda-head")
    lost, seen, order = one_head_of_each(ctx), {}, []
    with ExitStack() as gone:
        for site, passes in ctx.upwards(ctx.batches, ctx.units.sites):
            order.append(site)
            with ctx.heads() as heads:
                seen[site] = [heads.at(site) for _ in passes]
            gone.enter_context(ctx.silenced([lost[site]]))
    assert set(order) == set(ctx.units.sites)
    for at, site in enumerate(order):
        with ctx.silenced([lost[below] for below in order[:at]]), ctx.heads() as heads:
            for batch, made in zip(ctx.batches, seen[site], strict=True):
                ctx.logits(batch)
                assert torch.equal(heads.at(site), made), site


def test_sites_come_in_the_order_in_which_the_model_runs_them():
    _, ctx = context("marian", "finercut")
    order = [str(site) for site, _ in ctx.upwards([], sorted(ctx.units.sites, reverse=True))]
    assert order == [
        *(f"encoder.{kind}.{layer}" for layer in range(3) for kind in ("self", "mlp")),
        *(f"decoder.{kind}.{layer}" for layer in range(3) for kind in ("self", "cross", "mlp")),
    ]


def test_the_stream_can_be_watched_too():
    _, ctx = context("llama", "layer-similarity", remove="block")
    wanted = {}
    with ctx.stream() as stream:
        ctx.logits(ctx.batches[0])
        wanted = {site: stream.around(site) for site in ctx.units.sites}
        for site, passes in ctx.upwards(ctx.batches[:1], ctx.units.sites):
            for _ in passes:
                before, after = stream.around(site)
                assert torch.equal(before, wanted[site][0]) and torch.equal(after, wanted[site][1])


@pytest.mark.parametrize("family", ["bert", "marian"])
def test_blocks_that_ran_are_counted_in_passes_of_the_whole_model(family):
    _, ctx = context(family, "wanda-head")
    examples, blocks = 6, len(anatomy(ctx.model).units([Grain.BLOCK]))
    for _, passes in ctx.upwards(ctx.batches, ctx.units.sites):
        list(passes)
    # each site's block once, and all blocks but the last once more to carry the batches up
    assert ctx.deeds.forward == -(-examples * (len(ctx.units.sites) + blocks - 1) // blocks)


def test_nothing_runs_where_no_site_is_asked_for_and_no_pass_where_none_is_taken():
    _, ctx = context("bert", "wanda-head")
    assert list(ctx.upwards(ctx.batches, [])) == [] and ctx.deeds.forward == 0
    top = max(ctx.units.sites)
    assert [site for site, _ in ctx.upwards(ctx.batches, [top])] == [top]
    assert ctx.deeds.forward == 6 * 2 / 3, "two of three blocks, to get there"


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_who_stops_on_the_way_leaves_the_model_as_it_was(taken):
    _, ctx = context("t5", "wanda-head")
    before = hooks_of(ctx.model)
    for site, passes in ctx.upwards(ctx.batches, ctx.units.sites):
        for _ in range(taken):
            next(passes)
        if site.stack == "decoder":
            break
    assert hooks_of(ctx.model) == before


def test_an_error_on_the_way_is_not_swallowed_and_leaves_the_model_as_it_was():
    _, ctx = context("bert", "wanda-head")
    before, wrong = hooks_of(ctx.model), [{**ctx.batches[0], "input_ids": torch.full((3, 11), 10_000)}]
    for _, passes in ctx.upwards(wrong, ctx.units.sites):
        with pytest.raises(IndexError):
            next(passes)
        break
    assert hooks_of(ctx.model) == before
