"""A twin shares its tensors: what is removed from it stands beside a dense model that stays whole, to the bit."""

from __future__ import annotations

import copy
import hashlib

import pytest
import torch

from headroom.api import Grain
from headroom.attention import FAMILY_NAMES, anatomy, remove, toy, toy_batch, twin, without


def bits(model):
    whole = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        whole.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


def plans(model):
    """Half the units of each grain, and the other half: by place, or by layer where whole blocks go."""
    plan = anatomy(model)
    for grain in plan.info.grains:
        units = plan.units((grain,))
        for half in (0, 1):
            yield [
                unit for at, unit in enumerate(units) if (unit.site.layer if grain is Grain.BLOCK else at) % 2 == half
            ]


def logits(model, batch):
    with torch.inference_mode():
        return model(**batch).logits


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_removal_from_a_twin_equals_removal_from_a_copy_and_leaves_the_dense_model_whole(family):
    dense, batch = toy(family), toy_batch(family)
    before, answers = bits(dense), logits(dense, batch)
    for units in plans(dense):
        copied = copy.deepcopy(dense)
        remove(copied, units)
        assert torch.equal(logits(without(dense, units), batch), logits(copied, batch))
    assert bits(dense) == before
    assert torch.equal(logits(dense, batch), answers)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_twin_takes_no_memory_for_what_stays(family):
    dense = toy(family)
    theirs = {tensor.data_ptr() for tensor in dense.parameters()}
    assert {tensor.data_ptr() for tensor in twin(dense).parameters()} == theirs
    layer = anatomy(dense).units((Grain.ATTENTION,))[:1]
    assert {tensor.data_ptr() for tensor in without(dense, layer).parameters()} <= theirs


def test_a_twin_has_a_config_and_hooks_of_its_own():
    dense = toy("bert")
    other = twin(dense)
    other.config.num_hidden_layers = 7
    other.register_forward_hook(lambda *_: None)
    assert dense.config.num_hidden_layers != 7
    assert not dense._forward_hooks
