"""`--uniform`: what goes is the same number of every layer, in the method's own order, and a stock folder says it."""

from __future__ import annotations

from collections import Counter

import pytest

import headroom
from headroom import attention
from headroom.api import Grain, Plan
from headroom.errors import UserError
from headroom.pruning.trials import Timing
from headroom.pruning.uniform import order
from headroom.shipping import Loaded


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Nothing is timed, and folders are not loaded by others again: both are tested elsewhere."""
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: Timing(1.1, 1.0, 1.2, 2.0, 1.8))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))


@pytest.mark.parametrize(("family", "heads"), [("llama", 4), ("qwen3", 4), ("vit", 2), ("deit", 2)])
def test_half_of_every_layer_is_a_stock_folder(family, heads, tmp_path):
    model = attention.toy(family)
    result = headroom.prune(model, "magnitude-heads", 0.5, uniform=True)
    assert result.save(tmp_path / "small").kind == "stock"
    anatomy = attention.anatomy(result.model)
    left = [len(place.heads) for site, place in anatomy.places.items() if site.kind == "self"]
    assert set(left) == {heads}
    gone = Counter(unit.split(".")[2] for unit in result.report.removed)
    assert len(set(gone.values())) == 1 and len(gone) == model.config.num_hidden_layers
    told = (tmp_path / "small" / "README.md").read_text()
    assert "uniform=True" in told


def test_a_budget_is_searched_over_whole_numbers_of_every_layer():
    model = attention.toy("vit")
    limit = model.num_parameters() - 5000
    report = headroom.prune(model, "magnitude-heads", max_parameters=limit, uniform=True).report
    assert report.smaller.parameters <= limit and len(report.removed) % 3 == 0
    assert {len(trial.step.drop) % 3 for trial in report.tried} == {0}


def test_the_order_is_that_of_the_methods_own_plans():
    units = attention.anatomy(attention.toy("vit")).units((Grain.HEAD,))
    wanted = [*units[7:], *units[:7]]
    given = [Plan(count / len(units), frozenset(wanted[:count])) for count in range(1, len(units))]
    assert order(units, given) == wanted


@pytest.mark.parametrize(
    ("family", "method", "target", "message"),
    [
        ("llama", "by-depth", 0.5, "^uniform: by-depth removes units of the grain .*, of which a layer has one"),
        ("bert", "magnitude-heads", 0.5, "^uniform: the width of a bert head follows from the number of heads"),
        ("vit", "magnitude-heads", 0.2, "^target is 0.2, which of 4 units a layer is none.* With 0.25 and above"),
    ],
)
def test_where_it_means_nothing_or_no_stock_config_could_say_it_a_sentence_does(family, method, target, message):
    with pytest.raises(UserError, match=message):
        headroom.prune(attention.toy(family), method, target, uniform=True)


def test_groups_that_are_read_by_different_numbers_are_refused():
    model = attention.toy("llama", num_key_value_heads=4)
    units = attention.anatomy(model).units((Grain.HEAD,))
    uneven = attention.without(model, [unit for unit in units if unit.site.layer == 0 and unit.index % 2])
    with pytest.raises(UserError, match=r"^uniform: heads differ from layer to layer"):
        headroom.prune(uneven, "magnitude-heads", 0.5, uniform=True)
