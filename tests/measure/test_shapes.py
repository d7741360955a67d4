"""Real shapes with random weights: built, pruned by equal shares, timed on one dense series, told apart from papers."""

import pytest
import torch

from headroom.api import Grain
from headroom.attention import anatomy, without
from headroom.config.project import root
from headroom.errors import UserError
from headroom.measure.machine import note
from headroom.models.configs import config_of
from headroom.models.shapes import built, dense, plan, spread
from headroom.results.files import read, write
from headroom.results.speed_records import Ceilings, Machine, SpeedPoint, SpeedRecord
from headroom.shapes.params import ShapesParams, load
from headroom.shapes.tables import collect, verdict
from headroom.shapes.timing import run

SMALL = {"family": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "vocab_size": 99}
SMALL |= {"num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": 64}
EVEN = {name: Ceilings(macs_per_second=1.0, bytes_per_second=4.0) for name in ("float32", "bfloat16")}
WORK = {"kind": "decode", "batch": 1, "length": 8}


def small(**changes):
    shape = {"config": SMALL, "purpose": "language", "grains": ["kv_group", "attention"], "works": {"cpu": [WORK]}}
    claim = {"paper": "a", "where": "b", "on": "c", "grain": "attention", "target": 0.5, "speedup": 50.0}
    return ShapesParams.model_validate(
        {
            "profile": "shapes",
            "results": "results/shapes",
            "work": "work",
            "run": {"threads": 1, "targets": [0.5]},
            "speed": {"most_pairs": 15},
            "shapes": {"tiny": shape | changes, "elsewhere": shape | {"works": {"cuda": [WORK]}}},
            "published": [claim | {"shape": "tiny"}, claim | {"shape": "elsewhere"}],
        }
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder in which the machine is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("headroom.measure.ceilings.measured", lambda device, dtype: EVEN[dtype])
    machine = note(tmp_path / "results/shapes", 1)
    # the workloads of a CPU are tested on any machine
    for path in (tmp_path / "results/shapes").rglob("*.json"):
        write(path, machine.model_copy(update={"accelerator": ""}))
    return tmp_path


@pytest.mark.parametrize("name", list(load(root() / "profiles/shapes/params.yaml").shapes))
def test_every_shape_of_the_profile_has_the_grains_it_lists(name):
    shape = load(root() / "profiles/shapes/params.yaml").shapes[name]
    with torch.device("meta"):
        import transformers

        from headroom.models.shapes import CLASSES

        model = getattr(transformers, CLASSES[shape.purpose]).from_config(config_of(shape.config, name))
    assert set(shape.grains) <= set(anatomy(model).info.grains)
    assert all(len(plan(model, grain, 0.5)) > 0 for grain in shape.grains)


@pytest.mark.parametrize(("grain", "left"), [(Grain.KV_GROUP, 1), (Grain.ATTENTION, 2), (Grain.BLOCK, 2)])
def test_plans_take_the_same_share_everywhere(grain, left):
    model = dense(SMALL, "language", "float32", "cpu")
    units = plan(model, grain, 0.5)
    removed = anatomy(without(model, units)).info
    if grain is Grain.KV_GROUP:
        assert set(removed.groups.values()) == {left}
    else:
        assert len(removed.sites) == left
    assert plan(model, grain, 0.5) == units


def test_layers_are_spread_evenly():
    assert spread(12, 6) == [1, 3, 5, 7, 9, 11]
    assert spread(4, 1) == [2] and spread(4, 3) == [0, 2, 3]


def test_removed_models_share_what_stays_and_leave_the_dense_one_alone():
    model = dense(SMALL, "language", "float32", "cpu")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    removed = without(model, plan(model, Grain.KV_GROUP, 0.5))
    assert removed.model.layers[0].mlp.up_proj.weight is model.model.layers[0].mlp.up_proj.weight
    assert removed.model.layers[0].self_attn.q_proj.weight.shape[0] == 16
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_random_weights_give_finite_logits_in_bfloat16():
    source = {"config": SMALL, "purpose": "language", "dtype": "bfloat16", "device": "cpu", "units": []}
    model = built(source)
    assert model.dtype == torch.bfloat16
    assert torch.isfinite(model(torch.arange(8)[None]).logits).all()


def test_a_misspelt_key_of_a_config_is_named():
    with pytest.raises(UserError, match=r"config\.hiden_size.*hidden_size"):
        dense(SMALL | {"hiden_size": 3}, "language", "float32", "cpu")


def test_a_shape_becomes_records_and_tables(here):
    params = small()
    for name in params.shapes:
        run(params, "params.yaml", name)
    collect(params)
    record = read(params.work / "speed" / "tiny" / "kv_group.json", SpeedRecord)
    assert [point.target for point in record.points] == [0.5]
    assert record.points[0].ideal > 1 and record.points[0].dense_kv_bytes_per_token == 2 * 4 * 2 * 4 * 4
    throughput = (here / "results/shapes/throughput.csv").read_text().splitlines()
    assert len(throughput) == 1 + 4
    assert sum(",unsupported," in row for row in throughput) == 2
    published = (here / "results/shapes/published.csv").read_text().splitlines()
    assert "ours is lower" in published[1] and "not timed" in published[2]


def test_a_stack_is_scaled_by_its_layers_and_says_so(here):
    whole = small()
    part = small(purpose="stack", stack={"layers": 4, "of": 80})
    run(whole, "params.yaml", "tiny")
    as_is = read(whole.work / "speed" / "tiny" / "attention.json", SpeedRecord).points[0]
    run(part, "params.yaml", "tiny")
    scaled = read(part.work / "speed" / "tiny" / "attention.json", SpeedRecord).points[0]
    assert scaled.note.startswith("measured on 4 of 80 layers")
    assert scaled.dense_kv_bytes_per_token == 20 * as_is.dense_kv_bytes_per_token
    assert scaled.dense_macs < 20 * as_is.dense_macs, "the output layer is not part of the stack"


def test_long_workloads_wait_to_be_asked_for():
    params = small(works={"cpu": [WORK, WORK | {"long": True}]})
    assert len(params.timed("tiny", "cpu")) == 1
    asked = params.model_copy(update={"run": params.run.model_copy(update={"long": True})})
    assert len(asked.timed("tiny", "cpu")) == 2


@pytest.mark.parametrize(
    ("published", "said"), [(1.2, "holds"), (1.3, "holds"), (1.5, "ours is lower"), (1.02, "ours is higher")]
)
def test_a_published_figure_holds_unless_five_per_cent_beyond_our_interval(published, said):
    point = SpeedPoint.model_construct(speedup=1.2, speedup_low=1.15, speedup_high=1.25, noisy=False)
    assert verdict(published, point) == said
    noisy = point.model_copy(update={"noisy": True})
    assert verdict(published, noisy) == ("too noisy to tell" if said == "holds" else said)


def test_a_claim_about_no_shape_is_refused():
    with pytest.raises(ValueError, match=r"is 'tony'; no such shape. Did you mean 'tiny'"):
        content = small().model_dump(mode="json")
        content["published"][0]["shape"] = "tony"
        ShapesParams.model_validate(content)


def test_the_machine_record_is_of_this_machine(here):
    assert read(here / "results/shapes/machine.json", Machine).ceilings == EVEN
