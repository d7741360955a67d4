"""`headroom fetch` and `headroom pin`: all of a profile brought here, and its branches made commits."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from test_data_of_hub import write as write_rows

from headroom.cli import main
from headroom.config.params import load
from headroom.config.pins import loose
from headroom.pipeline import inputs
from headroom.pipeline.prepare import prepare
from headroom.terminal.printing import PlainConsole

sys.path.append(str(Path(__file__).parents[1] / "models"))
from model_folders import edit, save_folder

TASK = """name: reviews # for tests
version: 1
summary: For tests.
evaluator: classification
data: {hub: owner/words, config: short, revision: main}   # the branch
splits: {calibrate: train, evaluate: "test[:4]"}
columns: {text: sentence}
classes: [negative, positive]
metric: {name: accuracy, better: higher, unit: "%", chance: majority}
licence: none
cite: nobody
"""
PARAMS = """# A profile with comments,   spaces and "quotes".
profile: test
results: results/test
work: work/test
site: results/test/site
run: {threads: 1, targets: [0.5, 1.0]}
speed: {targets: [0.5], works: {classification: [{kind: encode, batch: 2, length: 8}]}}
methods: {dense: {}}
models:
  one:   # in two lines
    source:
      hub: owner/bert
      revision:   v1 # a tag
    tasks: [reviews]
  two:
    source: {hub: owner/bert, revision: 'main'}
    tasks: [reviews]
recover: {}
"""


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    return save_folder("bert", tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def world(hub, bert, tmp_path, monkeypatch):
    """A project whose models and data are on the hub."""
    shutil.copytree(Path(__file__).parents[2] / "methods", tmp_path / "methods")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "reviews.yaml").write_text(TASK)
    (tmp_path / "params.yaml").write_text(PARAMS)
    for module in ("config.tasks", "config.pins", "models.sources"):
        monkeypatch.setattr(f"headroom.{module}.tasks_folder", lambda: tmp_path / "tasks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADROOM_DATA", raising=False)
    folder = shutil.copytree(bert, tmp_path / "bert")
    hub.put("owner/bert", folder, ref="v1")
    edit(folder, layer_norm_eps=1e-6)
    hub.put("owner/bert", folder)
    hub.put("owner/words", write_rows(tmp_path / "rows", "some"), "datasets")
    return tmp_path


@pytest.fixture
def call(world, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["headroom", *words])
        monkeypatch.setattr("headroom.cli.out", PlainConsole())
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, " ".join((said.out + said.err).split())

    return call


def test_a_profile_is_fetched_and_runs_without_a_network_then(call, world, hub, monkeypatch):
    code, said = call("fetch")
    assert code == 0 and "3 of 3 are here." in said
    commits = hub.repositories["models", "owner/bert"].refs
    assert f"1/3 models.one owner/bert at {commits['v1']}, 0.00 GB." in said
    words = hub.repositories["datasets", "owner/words"].refs["main"]
    assert f"3/3 tasks/reviews.yaml owner/words at {words}, 6 examples of train, 6 examples of test." in said
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    hub.asked.clear()
    params = load(world / "params.yaml")
    inputs.note(params)
    for name in params.models:
        prepare(name, params.spec(name), params.model_folder(name), threads=1)
    assert not hub.asked


def test_what_can_be_had_is_kept_and_all_that_cannot_is_said_at_the_end(call, world, hub):
    shut = hub.put("owner/shut", world / "bert", gated=True)
    text = (world / "params.yaml").read_text()
    text = text.replace("hub: owner/bert\n", "hub: owner/shut\n").replace("{hub: owner/bert", "{hub: owner/nosuch")
    (world / "params.yaml").write_text(text.replace("revision:   v1", "revision:   main"))
    code, said = call("fetch")
    assert code == 2
    end = said.partition("1 of 3 are here and kept; these are not:")[2]
    assert f"models.one: owner/shut at {shut}: the Hub gives it to those who have asked" in end
    assert "models.two: owner/nosuch at main: the Hub has no such model" in end and "reviews" not in end


def test_a_model_that_was_renamed_is_fetched_and_its_new_name_said(call, world, hub):
    hub.rename("owner/bert", "owner/ernie")
    try:
        code, said = call("fetch")
    finally:
        hub.rename("owner/ernie", "owner/bert")
        hub.renamed.clear()
    assert code == 0 and "The Hub calls it owner/ernie now: say so in the file." in said


def test_branches_become_commits_and_every_other_letter_stays(call, world, hub):
    before = {name: (world / name).read_text() for name in ("params.yaml", "tasks/reviews.yaml")}
    code, said = call("pin")
    assert code == 0 and said.count(" is ") == 3
    models, data = hub.repositories["models", "owner/bert"].refs, hub.repositories["datasets", "owner/words"].refs
    wanted = before["params.yaml"].replace("v1 #", f"{models['v1']} #").replace("'main'", models["main"])
    assert (world / "params.yaml").read_text() == wanted
    wanted = before["tasks/reviews.yaml"].replace("revision: main", f"revision: {data['main']}")
    assert (world / "tasks/reviews.yaml").read_text() == wanted
    assert call("pin") == (0, "params.yaml: all 3 revisions are commits.")


def test_a_model_that_is_pinned_is_the_one_that_was_prepared(call, world):
    params = load(world / "params.yaml")
    facts = prepare("two", params.spec("two"), params.model_folder("two"), threads=1)
    call("pin")
    params = load(world / "params.yaml")
    assert prepare("two", params.spec("two"), params.model_folder("two"), threads=1) == facts


def test_what_cannot_be_asked_stays_as_it_is_and_the_rest_is_pinned(call, world):
    text = (world / "params.yaml").read_text().replace("{hub: owner/bert", "{hub: owner/nosuch")
    (world / "params.yaml").write_text(text)
    code, said = call("pin")
    assert code == 2 and "models.two.source.revision: owner/nosuch at main: the Hub has no such model" in said
    assert "revision: 'main'" in (world / "params.yaml").read_text()
    assert len(loose(load(world / "params.yaml"), world / "params.yaml")) == 1


def test_a_commit_of_digits_alone_stays_a_text(call, world, monkeypatch):
    monkeypatch.setattr("headroom.data.hub.commit_of", lambda *_: "1234567890" * 4)
    assert call("pin")[0] == 0
    assert load(world / "params.yaml").models["two"].source.revision == "1234567890" * 4


def test_check_params_says_what_is_not_pinned(call, world):
    code, said = call("check", "params")
    assert code == 0 and "in order." in said, said
    assert (
        "params.yaml: models.one.source.revision is 'v1', which may move: `headroom pin --params params.yaml`" in said
    )
    assert "reviews.yaml: data.revision is 'main', which may move" in said
    assert call("check", "params", "--strict")[0] == 1
    call("pin")
    code, said = call("check", "params", "--strict")
    assert code == 0 and "may move" not in said


def test_a_branch_that_moved_is_seen_by_dvc(call, world, hub):
    params = load(world / "params.yaml")
    inputs.note(params)
    before = (params.work / "inputs" / "two.json").read_text()
    edit(world / "bert", layer_norm_eps=1e-5)
    commit = hub.put("owner/bert", world / "bert")
    inputs.note(params)
    assert commit in (params.work / "inputs" / "two.json").read_text() != before
