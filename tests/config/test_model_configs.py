"""A config is checked by building its model without weights: what is right is never refused."""

from __future__ import annotations

import pytest

from headroom import attention
from headroom.attention.toys import FAMILY_NAMES, toy
from headroom.errors import UserError
from headroom.models.checking import check_config

LEFT_OUT = ("model_type", "transformers_version", "dtype", "id2label", "label2id", "decoder_start_token_id")


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_config_of_every_family_is_in_order(family):
    model = toy(family)
    keys = {key: value for key, value in model.config.to_diff_dict().items() if key not in LEFT_OUT}
    keys["architectures"] = [type(model).__name__]  # the library asks for it where a family has two classes: DeiT
    purpose = attention.anatomy(model).info.purpose
    assert check_config({"family": model.config.model_type, **keys}, purpose, "here", length=12).model_type


@pytest.mark.parametrize(
    ("keys", "purpose", "message"),
    [
        (
            {"family": "llama", "num_attention_heads": 4, "num_key_value_heads": 3, "hidden_size": 32},
            "language",
            "cannot read",
        ),
        ({"family": "vit", "image_size": 8, "patch_size": 16}, "image-classification", "cannot read an image"),
        ({"family": "bert", "num_hidden_layers": -1}, "classification", "a model without layers"),
        (
            {"family": "bert", "num_attention_heads": 0},
            "classification",
            "makes no model for classification: ZeroDivision",
        ),
        ({"family": "vit", "image_size": 8}, "language", "makes no model for language"),
    ],
)
def test_values_that_make_no_model_are_said(keys, purpose, message):
    with pytest.raises(UserError) as caught:
        check_config(keys, purpose, "here", length=12)
    said = str(caught.value)
    assert said.startswith("here: ") and message in said and len(said) < 300
