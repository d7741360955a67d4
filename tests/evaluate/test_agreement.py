"""The masked and the removed model agree, and a model without its heads gone does not."""

import copy

import pytest
import torch

from headroom.api import Grain, Unit
from headroom.attention import anatomy, count, remove, toy, toy_batch, without
from headroom.evaluate import NotFinite, agreement, batching, logit_difference


@pytest.mark.parametrize("family", ["bert", "vit", "llama", "marian"])
def test_masked_and_removed_agree_and_dense_does_not(family):
    dense = toy(family)
    grain = Grain.KV_GROUP if family == "llama" else Grain.HEAD
    units = [Unit(site, grain, 1) for site in list(anatomy(dense).info.sites)[:2]]
    removed = copy.deepcopy(dense)
    remove(removed, units)
    assert logit_difference(dense, removed, units, toy_batch(family)) < 1e-4
    assert logit_difference(dense, dense, units, toy_batch(family)) > 1e-3


def test_padded_positions_do_not_count():
    dense, batch = toy("llama"), toy_batch("llama")
    padded = batch["attention_mask"] == 0
    assert padded.any()
    other = copy.deepcopy(dense)

    def spoil(module, inputs, output):
        output.logits[padded] += 9.0

    other.register_forward_hook(spoil)
    assert logit_difference(dense, other, [], batch) == 0.0


def test_nan_raises():
    dense = toy("bert")
    removed = copy.deepcopy(dense)
    with torch.no_grad():
        removed.classifier.bias.fill_(float("nan"))
    with pytest.raises(NotFinite):
        logit_difference(dense, removed, [], toy_batch("bert"))


@pytest.mark.parametrize("family", ["llama", "marian", "vit"])
def test_rows_that_are_compared_a_few_at_a_time_have_the_difference_of_all(family, monkeypatch):
    dense, batch = toy(family), toy_batch(family)
    units = [Unit(next(iter(anatomy(dense).info.sites)), Grain.HEAD, 1)]
    if family == "llama":
        units = anatomy(dense).units((Grain.KV_GROUP,))[:1]
    whole = logit_difference(dense, dense, units, batch)
    monkeypatch.setattr(batching, "LARGEST", 1)
    assert [len(next(iter(part.values()))) for part in agreement.parts(dense, batch)] == [1] * len(batch["labels"])
    assert logit_difference(dense, dense, units, batch) == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("family", ["bert", "llama", "marian", "t5", "vit"])
def test_a_row_has_the_share_of_multiply_accumulates_of_its_batch(family):
    dense, batch = toy(family), toy_batch(family)
    removed = without(dense, anatomy(dense).units((Grain.ATTENTION,))[:1])
    row = {name: value[:1] for name, value in batch.items()}
    one, other = ([count(model, part).macs for model in (removed, dense)] for part in (row, batch))
    assert one[0] / one[1] == other[0] / other[1]
