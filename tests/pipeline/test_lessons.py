"""Weights that methods train: kept under a name that their values determine, and gone from the model afterwards."""

from __future__ import annotations

import pytest
import torch

from headroom.attention import toy
from headroom.training.lessons import keep, weights_back


def test_equal_weights_have_one_name_however_the_file_names_tied_ones(tmp_path):
    model = toy("m2m_100")
    assert len({keep(model, tmp_path).name for _ in range(6)}) == 1
    with torch.no_grad():
        next(model.parameters()).add_(1)
    keep(model, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2, "other weights, another name, and no draft left"


def test_weights_mode_and_what_trains_come_back_when_a_training_breaks_off():
    model = toy("bert").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="broke off"), weights_back(model):
        model.train().requires_grad_(False)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        raise RuntimeError("broke off")
    assert not model.training and all(parameter.requires_grad for parameter in model.parameters())
    assert all((tensor == before[name]).all() for name, tensor in model.state_dict().items())
