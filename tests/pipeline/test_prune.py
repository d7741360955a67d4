"""Shrinking a model of one's own: what is saved loads again and is smaller; what cannot be done is said."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from headroom import attention
from headroom.api import Grain
from headroom.cli import main
from headroom.models.loading import load_prepared
from headroom.shipping import Loaded


@pytest.fixture
def prune(world, monkeypatch, capsys):
    """``headroom prune`` on the toy model: exit code and what it printed, as one line."""

    monkeypatch.setenv("HEADROOM_CACHE", str(world.folder / "cache"))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))

    def call(out="small", model="work/test/models/bert-toy/model", **options):
        given = {"model": model, "method": "michel-greedy", "target": 0.5, "out": out, "threads": 1} | options
        given = {name.replace("_", "-"): value for name, value in given.items() if value is not None}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        monkeypatch.setattr("sys.argv", ["headroom", "prune", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, " ".join((said.out + said.err).split())

    return call


def test_what_is_saved_loads_again_without_half_its_heads(world, prune):
    code, said = prune(task="toy-classification")
    assert code == 0, said
    smaller = attention.load_removed(world.folder / "small")
    assert len(attention.removed_units(smaller)) == 4
    assert "toy-classification, accuracy" in said and "encode, batch 8" in said


def test_a_smaller_model_can_be_shrunk_again(world, prune):
    prune(method="magnitude-heads")
    code, said = prune(out="smaller", model="small", method="magnitude-heads")
    assert code == 0, said
    assert len(attention.removed_units(attention.load_removed(world.folder / "smaller"))) == 6


def test_the_folder_is_of_the_form_that_most_can_load_or_that_was_asked_for(world, prune):
    code, said = prune(method="layer-similarity", out="blocks", task="toy-classification", set="remove=block")
    assert code == 0 and "a stock folder: transformers loads it as it is (1 blocks fewer)" in said, said
    assert not (world.folder / "blocks" / "headroom_plan.json").exists()
    code, said = prune(model="blocks", method="magnitude-heads", out="more")
    assert code == 0 and "modeling_pruned.py" in said and report(world, "more")["format"]["kind"] == "code", said
    code, said = prune(method="magnitude-heads", format="headroom", out="ours")
    assert code == 0 and report(world, "ours")["format"]["kind"] == "headroom", said
    code, said = prune(method="magnitude-heads", format="stock", out="no")
    assert code == 2 and "--format stock: the width of a bert head" in said and not (world.folder / "no").exists()
    code, said = prune(format="pickle", out="no")
    assert code == 2 and "--format is 'pickle'" in said


def test_a_method_is_held_to_the_sites_that_are_named(world, prune):
    attention.toy("m2m_100").save_pretrained(world.folder / "translator")
    code, said = prune(model="translator", method="magnitude-heads", set="kinds=[encoder.self]")
    assert code == 0, said
    gone = attention.removed_units(attention.load_removed(world.folder / "small"))
    every = attention.anatomy(attention.toy("m2m_100")).units((Grain.HEAD,))
    asked = [unit for unit in every if (unit.site.stack, unit.site.kind) == ("encoder", "self")]
    assert set(gone) < set(asked) and len(gone) == len(asked) // 2, "the target is a share of what was named"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 1.0}, "--target is 1; a target is the share of units to remove, above 0 and below 1"),
        ({}, "needs calibration examples. Name a task with --task"),
        ({"method": "michel-greedi"}, "Did you mean 'michel-greedy'?"),
        ({"method": "magnitude-heads", "set": "scop=site"}, "Did you mean 'scope'?"),
        ({"method": "magnitude-heads", "set": "kinds=[encoder.slef]"}, "Did you mean 'encoder.self'?"),
        ({"method": "magnitude-heads", "set": "kinds=[decoder.self]"}, "the model has no such unit at decoder.self"),
        ({"method": "magnitude-heads", "model": "./nosuch"}, "is neither a folder nor a Hub id"),
        ({"method": "magnitude-heads", "model": "owner/name"}, "a Hub id needs --revision"),
        ({"method": "magnitude-heads", "model": "methods"}, "holds no config.json"),
        ({"method": "magnitude-heads", "out": "methods"}, "is there already and not empty"),
        (
            {"method": "magnitude-heads", "target": 0.1},
            "--target is 0.1, which of 8 units is none: the model would stay",
        ),
        ({"method": "magnitude-heads", "target": 0.1}, "With 0.125 and above magnitude-heads removes one or more."),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(world, prune, options, message):
    code, said = prune(**options)
    assert code == 2 and message in said, said
    assert not (world.folder / "small").exists()


def test_a_label_that_the_model_has_no_class_for_is_said(world, prune):
    attention.toy("vit").save_pretrained(world.folder / "few")
    code, said = prune(
        model="few", method="magnitude-heads", task="toy-images", **{"image-mean": 0.5, "image-std": 0.5}
    )
    assert code == 2 and "tasks/toy-images.yaml: splits." in said and "few: num_labels is" in said, said


def test_a_measurement_that_fails_leaves_nothing_in_the_way_of_the_next_try(world, prune, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("headroom.pruning.writing.reported", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prune(method="magnitude-heads")
    assert not list(world.folder.glob("*small*")) and not list(world.folder.glob(".*small*"))
    code, said = prune(method="magnitude-heads")
    assert code == 0, said
    assert not list(world.folder.glob(".*small*"))


def test_a_model_that_cannot_be_pruned_is_one_to_every_command(world, prune, headroom):
    """`check params`, `stage prepare` and `prune` ask the same questions and say the same."""
    shutil.copytree(world.folder / "work/test/models/bert-toy/model", world.folder / "mine")
    config = world.folder / "mine/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"architectures": ["BertModel"], "pad_token_id": 3}))
    said = {"prune": prune(model="mine", task="toy-classification")}
    source = world.params.read_text().partition("    source:\n")[2].partition("    tasks:")[0]
    train = world.params.read_text().partition("    train:")[2].partition("\n")[0]
    world.change(source, f"      folder: {world.folder.name}/mine\n")
    world.change(f"    train:{train}\n", "")
    for words in (("check", "params"), ("stage", "prepare", "bert-toy")):
        said[words[0]] = headroom(*words, HEADROOM_DATA=str(world.folder.parent))
    for code, sentence in said.values():
        assert code == 2 and "names BertModel; a head for classification is needed" in sentence, said
    assert not (world.folder / "small").exists()


def test_a_smaller_model_can_be_the_source_of_a_profile(world, prune, headroom):
    data = world.folder / "local"
    data.mkdir()
    assert prune(method="magnitude-heads", out="local/small")[0] == 0
    assert report(world, "local/small")["format"]["kind"] == "code", "which stock loaders refuse"
    source = world.params.read_text().partition("    source:\n")[2].partition("    tasks:")[0]
    train = world.params.read_text().partition("    train:")[2].partition("\n")[0]
    world.change(source, "      folder: small\n")
    world.change(f"    train:{train}\n", "")
    world.use("magnitude-heads")
    assert headroom("check", "params", HEADROOM_DATA=str(data)) == (0, "params.yaml: in order.")
    code, said = headroom("stage", "prepare", "bert-toy", HEADROOM_DATA=str(data))
    assert code == 0, said
    smaller = load_prepared(world.folder / "work/test/models/bert-toy", data).model
    assert len(attention.removed_units(smaller)) == 4
    records = world.measure()
    assert records["magnitude-heads"].status == "ok", records["magnitude-heads"].reason


def test_a_method_that_trains_is_sent_to_the_pipeline(world, prune):
    world.method("tested", "yield", needs="from headroom.api import Track; track = Track.TRAINED")
    code, said = prune(method="tested")
    assert code == 2 and "trains weights, which `headroom prune` does not" in said


def test_weights_that_come_with_a_plan_are_in_what_is_saved(world, prune):
    world.method(
        "tested",
        """
        gone = ctx.units.first(ctx.units.all, 0.5)
        with ctx.edited():
            for site in ctx.units.sites:
                ctx.out_bias(site).fill_(7.0)
            yield Plan(0.5, gone, weights=ctx.keep())
        """,
        needs="calibrated = False",
    )
    code, said = prune(method="tested")
    assert code == 0, said
    smaller = attention.load_removed(world.folder / "small")
    assert (smaller.bert.encoder.layer[1].attention.output.dense.bias == 7.0).all()


def test_of_a_methods_own_points_the_nearest_is_taken(world, prune):
    world.method(
        "tested",
        "for left in (1, 3, 6): yield Plan(1 - left / 8, frozenset(list(ctx.units)[left:]), natural=f'{left} left')",
        needs="calibrated = False\n    natural = True",
    )
    code, said = prune(method="tested", target=0.6)
    assert code == 0 and "5 units removed" in said, said


def report(world, out="small"):
    """What the folder says of itself to machines."""
    return json.loads((world.folder / out / "headroom.json").read_text())


def test_the_folder_says_what_it_keeps_with_intervals(world, prune):
    assert prune(task="toy-classification")[0] == 0
    found = report(world)["found"]
    quality = found["quality"]
    assert (
        quality["examples"] == 48 and quality["difference_low"] <= quality["difference"] <= quality["difference_high"]
    )
    assert found["units_removed"] == 4 and len(found["removed"]) == 4 and report(world)["method"]["seed"] == 0
    assert found["speed"]["low"] <= found["speed"]["speedup"] <= found["speed"]["high"]
    assert not (world.folder / "small/headroom.svg").exists(), "one share is no frontier"


@pytest.fixture
def scored(monkeypatch):
    """How often a model was really scored."""
    from headroom.evaluate import Evaluation

    real, calls = Evaluation.score, []
    monkeypatch.setattr(Evaluation, "score", lambda self, model: calls.append(1) or real(self, model))
    return calls


def test_the_most_goes_that_keeps_within_the_loss_and_another_budget_goes_on_from_there(world, prune, scored):
    budget = {"method": "magnitude-heads", "task": "toy-classification", "target": None}
    code, said = prune(max_loss="60%", **budget)
    assert code == 0, said
    told, first = report(world), len(scored)
    tried = {one["units_removed"]: one["quality"]["retained_low"] for one in told["tried"]}
    assert first == len(tried) + 1 <= 4, "the dense model and three of seven steps"
    taken = told["found"]["units_removed"]
    assert taken == max(gone for gone, low in tried.items() if low >= 0.4)
    assert all(low < 0.4 for gone, low in tried.items() if gone > taken)
    assert "magnitude-heads: tried, with intervals of 95 %" in said and "taken" in said
    assert "<svg" in (world.folder / "small/headroom.svg").read_text()
    assert prune(out="again", max_loss="60%", max_parameters="1M", confidence="80%", **budget)[0] == 0
    assert len(scored) <= first + 1, "what was measured is kept"


def test_the_least_goes_that_buys_what_is_wanted(world, prune):
    code, said = prune(method="magnitude-heads", target=None, max_parameters="19000")
    assert code == 0, said
    found = report(world)["found"]
    assert found["sizes"]["parameters"] <= 19_000 < found["sizes"]["parameters"] + 1072, "a head more would not do"


def test_when_nothing_meets_the_budget_the_nearest_is_said_and_nothing_is_written(world, prune):
    code, said = prune(task="toy-classification", target=None, max_loss="0%", max_parameters="14500")
    assert code == 1 and "Nothing that michel-greedy gives meets the budget: with" in said, said
    assert "of the quality" in said and "0.0% may go" in said
    code, said = prune(method="magnitude-heads", target=None, max_parameters="1000")
    assert code == 1 and "parameters are more than 1,000" in said, said
    assert not (world.folder / "small").exists()


def test_limits_that_mean_nothing_here_are_said(world, prune):
    code, said = prune(method="magnitude-heads", target=None, max_loss="1%")
    assert code == 2 and "--max-loss: the loss is of a task's quality. Name a task with --task" in said
    code, said = prune(method="magnitude-heads", target=None, max_kv="8KB/token")
    assert code == 2 and "--max-kv: a model for classification keeps no cache" in said
    code, said = prune(method="magnitude-heads", target=None)
    assert code == 2 and "how small the model has to be is not said" in said


def test_ctrl_c_leaves_the_best_so_far(world, prune, monkeypatch):
    from headroom.pruning.judging import Judge

    real = Judge.keeps
    budget = {"method": "magnitude-heads", "task": "toy-classification", "target": None, "max_loss": "95%"}

    def interrupted(self, place):
        if any(trial.score for trial in self.trials.values()):
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, place)

    monkeypatch.setattr(Judge, "keeps", interrupted)
    code, said = prune(**budget)
    assert code == 130 and "Stopped. small holds the best that was found until then." in said, said
    assert report(world)["found"]["units_removed"] == 4
    monkeypatch.setattr(Judge, "keeps", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    code, said = prune(out="none", **budget)
    assert code == 130 and "nothing is written" in said and not (world.folder / "none").exists(), said


def test_fewer_examples_calibrate_and_evaluate(world, prune):
    code, said = prune(task="toy-classification", examples=8)
    assert code == 0 and report(world)["examples"] == {"calibrate": 8, "evaluate": 8}, said
    assert prune(out="no", task="toy-classification", examples=0)[0] == 2


def test_own_examples_calibrate_and_score(world, prune):
    from headroom.config.tasks import load_task
    from headroom.data.loading import load_splits

    rows = load_splits(load_task("toy-classification"))["train"].select(range(60))
    lines = (json.dumps({"words": row["text"], "label": row["label"]}) for row in rows)
    (world.folder / "mine.jsonl").write_text("\n".join(lines))
    code, said = prune(data="mine.jsonl", kind="classification", column="text=words")
    assert code == 0 and "mine, accuracy" in said, said
    assert sum(report(world)["examples"].values()) == 60
    code, said = prune(out="no", data="mine.jsonl", kind="translation")
    assert code == 2 and "--data mine.jsonl: --kind translation wants a column 'source'" in said


def test_auto_tries_two_methods_says_why_and_takes_the_better(world, prune, monkeypatch):
    from dataclasses import replace

    from headroom.pruning.advising import Advice

    names = ("magnitude-heads", "by-depth")

    def asked(request, purpose):
        return Advice(tuple(replace(request, method=one) for one in names), "because", "made", "c0ffee")

    monkeypatch.setattr("headroom.pruning.shrinking.advised", asked)
    code, said = prune(method="auto", task="toy-classification", target=None, max_loss="60%")
    assert code == 0 and "magnitude-heads: tried" in said and "by-depth: tried" in said, said
    told = report(world)
    assert told["method"]["name"] in names and said.count("taken") == 1
    assert told["method"]["asked"] == "auto" and told["method"]["advice"]["profile"] == "made"
    (other,) = told["method"]["advice"]["others"]
    assert {other["name"], told["method"]["name"]} == set(names) and other["tried"] and " units go, " in other["came"]
    card = (world.folder / "small" / "README.md").read_text()
    assert "because (results of commit `c0ffee`)" in card and f"`{other['name']}` was tried too" in card
    assert "headroom prune --model model --method auto --max-loss 0.6 --task toy-classification" in card
    assert str(world.folder) not in card and "[0.8" not in card
    code, said = prune(out="one", method="auto", task="toy-classification")
    assert code == 0 and report(world, "one")["found"]["units_removed"] > 0, said


def test_a_model_is_computed_and_saved_in_the_number_format_that_is_asked_for(world, prune, monkeypatch):
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: None)  # a CPU takes its time with it
    code, said = prune(method="magnitude-heads", dtype="bfloat16", device="cpu")
    assert code == 0, said
    assert str(attention.load_removed(world.folder / "small").dtype) == "torch.bfloat16"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu"}, "--device is 'gpu'; wanted auto, cpu, cuda, cuda:1 or mps."),
        ({"device": "cuda:99"}, "--device is cuda:99"),
        ({"dtype": "int8"}, "dtype is 'int8'"),
    ],
)
def test_a_device_or_format_that_is_not_there_is_said(world, prune, options, message):
    code, said = prune(method="magnitude-heads", **options)
    assert code == 2 and message in said, said


def test_what_the_dense_model_has_already_is_no_wish(world, prune):
    code, said = prune(method="magnitude-heads", target=None, max_parameters="1M")
    assert code == 2 and "the dense model is within this budget already" in said, said
    code, said = prune(
        method="magnitude-heads", task="toy-classification", target=None, max_loss="99%", max_memory="1GB"
    )
    assert code == 0 and report(world)["found"]["units_removed"] == 7, "the most that keeps within the loss"
