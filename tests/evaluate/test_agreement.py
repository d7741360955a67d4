"""The masked and the removed model agree, and a model without its heads gone does not."""

import copy

import pytest
import torch

from headroom.api import Grain, Unit
from headroom.attention import anatomy, remove, toy, toy_batch
from headroom.evaluate import NotFinite, logit_difference


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
