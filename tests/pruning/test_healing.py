"""`--heal`: what was found learns again, and before and after are said; what cannot be done is said before a search."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import pytest
import torch
from small_models import LABELLED, PAIRS, TEXTS, pair_of

from headroom import attention
from headroom.cli import main
from headroom.config.tasks import load_task
from headroom.data.apart import check_disjoint
from headroom.data.loading import load_splits
from headroom.errors import UserError
from headroom.pruning import healing
from headroom.pruning.examples import examples_to_learn
from headroom.pruning.heal import SMALL, Heal
from headroom.pruning.live_subject import data_of, subject_of_live
from headroom.pruning.shrinking import shrunk
from headroom.pruning.subject import Request
from headroom.pruning.trials import Timing
from headroom.pruning.watching import Watch
from headroom.shipping import Loaded
from headroom.training.fit import TrainingError

DATA = {"bert": ("classification", LABELLED), "llama": ("language", TEXTS), "m2m_100": ("translation", PAIRS)}


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path_factory):
    """Nothing is timed, and folders are not loaded by others again: both are tested elsewhere."""
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: Timing(1.1, 1.0, 1.2, 2.0, 1.8))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(value, two[name]) for name, value in one.items())


def healed(family="bert", method="magnitude-heads", watch=None, **heal):
    """A toy without half of its heads, healed: what came of it."""
    purpose, rows = DATA[family]
    model, tokenizer = pair_of(family)
    task, splits = data_of(rows, purpose, None)
    request = Request("toy", method, 0.5, threads=1, heal=Heal(**{"steps": 3, "rate": 1e-3} | heal))
    subject = subject_of_live(model.eval(), task, splits, tokenizer, None)
    return shrunk(subject, request, watch or Watch())


@pytest.mark.parametrize(
    ("family", "kind"), [("llama", "lora"), ("llama", "distil"), ("m2m_100", "distil"), ("bert", "auto")]
)
def test_what_was_found_is_healed_and_neither_it_nor_the_dense_model_changes(family, kind):
    dense = weights(pair_of(family)[0])
    found = healed(family, kind=kind)
    assert same(weights(found.bench.subject.model), dense)
    after, before = weights(found.model), weights(found.bench.smaller(found.step))
    assert after.keys() == before.keys() and not same(after, before)
    assert found.healed.before == found.bench.score(found.step) and found.healed.after != found.healed.before
    assert found.healed.recipe.kind == ("full" if kind == "auto" else kind) and found.healed.split == "calibrate"


@pytest.fixture
def prune(tmp_path, monkeypatch, capsys):
    """``headroom prune`` on a toy classifier and 60 labelled lines: exit code and what it printed, as one line."""
    model, tokenizer = pair_of("bert")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    lines = (json.dumps({"text": text, "label": label % 2}) for text, label in LABELLED)
    (tmp_path / "lines.jsonl").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)

    def call(**options):
        given = {"model": "model", "method": "magnitude-heads", "target": 0.5, "out": "small", "threads": 1}
        given |= {"data": "lines.jsonl", "kind": "classification"} | options
        words = [w for name, value in given.items() if value is not None for w in (f"--{name}", str(value))]
        monkeypatch.setattr("sys.argv", ["headroom", "prune", *(word.replace("_", "-") for word in words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, " ".join((said.out + said.err).split())

    return call


def test_the_folder_holds_the_healed_model_and_the_report_both_qualities(prune, tmp_path):
    code, said = prune(heal=4, heal_rate=0.001, heal_batch=4)
    assert code == 0 and "healed for 4 of 4 steps: full (all weights)" in said, said
    assert "quality kept, of the dense" in said and "4 a step, rate 0.001" in said, said
    report = json.loads((tmp_path / "small" / "headroom.json").read_text())
    told = report["healing"]
    assert (told["kept"], told["steps"], told["recipe"]["kind"], told["recipe"]["warmup"]) == (True, 4, "full", 0)
    assert told["before"] == report["found"]["quality"] and told["after"]["examples"] == told["before"]["examples"]
    assert told["learned_on"] == {"split": "calibrate", "examples": report["examples"]["calibrate"]}
    assert told["loss"]["first"] != told["loss"]["last"] and told["seconds"] > 0 and told["peak_memory"] > 0
    assert report["logit_difference"] < 1e-4, "masked against removed, before anything was learned"
    assert prune(out="other")[0] == 0
    one, other = (weights(attention.load_removed(tmp_path / name)) for name in ("small", "other"))
    assert one.keys() == other.keys() and not same(one, other)
    assert json.loads((tmp_path / "other" / "headroom.json").read_text())["healing"] is None


class Interrupting(Watch):
    """Presses Ctrl-C after every step, so many times."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def step(self, steps=1):
        if self.what.startswith("healing") and self.times:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
            self.times = 0


def test_ctrl_c_keeps_the_model_as_healed_so_far_and_a_second_one_as_it_was():
    found = healed(watch=Interrupting(1), steps=5)
    assert (found.healed.steps, found.stopped) == (1, True) and found.model is found.healed.model
    found = healed(watch=Interrupting(2), steps=5)
    assert found.stopped and found.model is found.bench.smaller(found.step)
    assert found.healed.why == "Healing was broken off. The model is as it was before."


def test_ctrl_c_while_it_heals_is_said(prune, monkeypatch, tmp_path):
    step = Watch.step

    def interrupted(self, steps=1):
        step(self, steps)
        if self.what.startswith("healing") and self.done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Watch, "step", interrupted)
    code, said = prune(heal=5)
    assert code == 130 and "Stopped: the model has been healed for 2 of 5 steps." in said, said
    assert json.loads((tmp_path / "small" / "headroom.json").read_text())["healing"]["steps"] == 2


def test_a_healed_model_that_breaks_the_budget_is_not_taken(monkeypatch):
    monkeypatch.setattr(healing, "lossy", lambda budget, trial: "loses 40.0% of the quality, and 1.0% may go")
    found = healed()
    assert found.model is found.bench.smaller(found.step) and found.healed.after is not None
    assert found.healed.why.startswith("The healed model loses 40.0% of the quality, and 1.0% may go.")


def test_a_loss_that_is_no_number_names_the_rate(monkeypatch):
    def diverges(*_, **__):
        raise TrainingError("the loss is nan at step 2; lower the learning rate or raise the warm-up")

    monkeypatch.setattr(healing, "recovered", diverges)
    with pytest.raises(UserError, match=r"--heal-rate 0.001: the loss is nan at step 2; lower the learning rate"):
        healed()


def test_the_train_split_teaches_where_there_is_one_and_never_what_is_scored():
    task = load_task("toy-classification")
    splits = load_splits(task, train=False)
    split, rows = examples_to_learn(Request("m", "dense", task=task.name), SimpleNamespace(task=task, splits=splits))
    assert split == "train" and len(rows)
    check_disjoint({"train": rows, "evaluate": splits["evaluate"]}, task)


def test_large_models_learn_by_adapters_unless_it_is_said_otherwise():
    small, large = Heal(40).recipe(SMALL), Heal(40).recipe(SMALL + 1)
    assert (small.kind, small.adapters, small.learning_rate, small.warmup) == ("full", None, 5e-5, 4)
    assert (large.kind, large.adapters, large.learning_rate) == ("lora", 8, 5e-4)
    assert Heal(40, "distil").recipe(SMALL).adapters is None and Heal(40, "distil").recipe(SMALL + 1).adapters == 8
    assert Heal(40, "full").recipe(SMALL + 1).adapters is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heal": 0}, "--heal is 0; wanted the number of update steps, 1 or more."),
        ({"heal_kind": "lora"}, "--heal-kind says how to heal, and --heal, the number of steps, is missing."),
        ({"heal": 5, "heal_kind": "lorra"}, "--heal-kind is 'lorra'. Did you mean 'lora'?"),
        ({"heal": 5, "heal_rate": 0}, "--heal-rate is 0; wanted a learning rate above 0, such as 5e-05."),
        ({"heal": 5, "heal_batch": 0}, "--heal-batch is 0; wanted the examples of a step, 1 or more."),
        ({"heal": 5, "data": None, "kind": None}, "--heal: a model learns from examples. Name a task with --task"),
    ],
)
def test_what_cannot_be_healed_is_said_and_nothing_is_written(prune, tmp_path, options, message):
    code, said = prune(**options)
    assert code == 2 and message in said and not (tmp_path / "small").exists(), said


def test_adapters_want_their_package_before_the_search(monkeypatch):
    monkeypatch.setattr("headroom.config.recovery.find_spec", lambda name: None)
    monkeypatch.setattr("headroom.pruning.shrinking.attempts", lambda *_: pytest.fail("the search began"))
    with pytest.raises(UserError, match=r"--heal-kind lora: .*Run `pip install 'headroom\[heal\]'`"):
        healed(kind="lora")
