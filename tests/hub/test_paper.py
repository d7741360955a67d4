"""The profiles `paper` and `paper-mini`, whole, against a hub with lookalikes of their models and data sets."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from lookalikes import MODELS
from loopback import Hub
from ruamel.yaml import YAML
from tiny_data import serve

from headroom.cli import main
from headroom.config.params import load
from headroom.config.pins import pins
from headroom.config.tasks import Task, load_task
from headroom.measure.machine import note
from headroom.pipeline import collect, measure, timing
from headroom.pipeline.fetching import wanted
from headroom.pipeline.prepare import prepare
from headroom.results.places import read_cell

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
PROFILES = ("paper-mini", "paper")
GATED = ("meta-llama/Llama-2-13b-hf", "meta-llama/Meta-Llama-3-8B")


def tiny(path: Path, folder: Path) -> Path:
    """The profile with its models, tasks and methods, and less of everything that costs time."""
    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    for key in ("results", "work", "site"):
        content[key] = f"{content['profile']}/{key}"
    content["run"] |= {"threads": 1, "draws": 1, "targets": [0.5, 1.0], "plan_seconds": 600, "resamples": 100}
    works = {kind: [short(one) for one in asked[:1]] for kind, asked in content["speed"]["works"].items()}
    content["speed"] |= {"targets": [0.5], "works": works}
    for model in content["models"].values():
        model.pop("device_map", None)
        model["calibrate"] = {"examples": 8}
        model["evaluate"] = {"batch": 16, "length": 384, "max_new_tokens": 4}  # gsm8k answers in 256
        if "train" in model:
            model["train"] |= {"steps": 4, "batch": 4, "warmup": 0, "length": 32}
            model["evaluate"]["length"] = 32
    for recipe in content["recover"].values():
        recipe |= {"steps": 2, "batch": 4, "warmup": 0, "targets": [0.5]}
    for method in ("michel-greedy", "layer-similarity"):
        content["methods"][method] = {"examples": 8}
    written = folder / f"{content['profile']}.yaml"
    with written.open("w") as file:
        YAML().dump(content, file)
    return written


def short(work: dict) -> dict:
    return work | {"batch": 2} | ({"length": 16} if "length" in work else {}) | ({"new": 2} if "new" in work else {})


@pytest.fixture(scope="module")
def world(hub: Hub, place: Path, tmp_path_factory) -> Path:
    """A project beside the hub; its worker processes find what was fetched through the environment."""
    folder = tmp_path_factory.mktemp("project")
    made = tmp_path_factory.mktemp("lookalikes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_HUB_CACHE", str(place / "hub"))
        patch.setenv("HF_DATASETS_CACHE", str(place / "datasets"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.delenv("HEADROOM_DATA", raising=False)
        serve(hub, made / "data", load_task("mnli").data.revision)
        for name in PROFILES:
            params = load(tiny(ROOT / "profiles" / name / "params.yaml", folder))
            for spec in params.models.values():
                key = ("models", spec.source.hub)
                if key not in hub.repositories or spec.source.revision not in hub.repositories[key].refs:
                    saved = MODELS[spec.source.hub](made / spec.source.hub / spec.source.revision)
                    hub.put(spec.source.hub, saved, ref=spec.source.revision, gated=spec.source.hub in GATED)
        yield folder


def test_the_lookalikes_are_those_of_the_profiles():
    profiles = [(load(ROOT / f"profiles/{name}/params.yaml"), Path(name)) for name in PROFILES]
    named = {pin.name for profile in profiles for pin in pins(*profile) if pin.kind == "model"}
    assert named == set(MODELS)


def test_what_is_gated_missing_renamed_or_of_another_kind_is_said_and_the_rest_fetched(world, hub, monkeypatch, capsys):
    repositories = hub.repositories
    whole = dict(repositories)
    del repositories["models", "Qwen/Qwen3-8B-Base"]
    hub.rename("mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B")
    old = world / "old"
    shutil.copytree(MODELS["Helsinki-NLP/opus-mt-en-de"](world / "opus"), old)
    (old / "model.safetensors").rename(old / "pytorch_model.bin")
    hub.put("Helsinki-NLP/opus-mt-en-de", MODELS["Helsinki-NLP/opus-mt-en-de"](world / "opus"), ref="refs/pr/8")
    hub.put("Helsinki-NLP/opus-mt-en-de", old)
    monkeypatch.setattr("sys.argv", ["headroom", "fetch", "--params", "paper.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    said = " ".join((shown.out + shown.err).split())
    print(said)
    assert ended.value.code == 2
    assert "The Hub calls it mistralai/Mistral-7B now" in said
    end = said.partition("are here and kept; these are not:")[2]
    assert "models.llama-2-13b: meta-llama/Llama-2-13b-hf" in end and "models.llama-3-8b" in end
    assert "gives it to those who have asked" in end and "hf auth login" in end
    assert "models.qwen3-8b: Qwen/Qwen3-8B-Base at main: the Hub has no such model" in end
    assert "models.opus-mt-en-de" in end and "`revision: refs/pr/8`" in end
    assert "tasks/imagenet-1k.yaml: ILSVRC/imagenet-1k" in end
    assert "models.llama-2-7b" not in end and "tasks/lm-eval-mmlu.yaml" not in end
    hub.renamed.clear()
    repositories.clear()
    repositories.update(whole)
    repositories["models", "mistralai/Mistral-7B-v0.1"].name = "mistralai/Mistral-7B-v0.1"
    hub.put("Helsinki-NLP/opus-mt-en-de", world / "opus")


@pytest.fixture(scope="module")
def opened(world: Path, hub: Hub) -> Path:
    """The same hub for one who has asked for all that is gated."""
    for repository in hub.repositories.values():
        repository.gated = False
    return world


def below_random_weights(task: Task, *_: object) -> float:
    """A level without skill that random weights are better than: else every cell would rightly say that it has none."""
    return 100.0 if task.metric.better == "lower" else -1.0


@pytest.mark.parametrize("profile", PROFILES)
def test_the_whole_profile_runs_without_a_network_once_fetched(profile, opened, hub, monkeypatch):
    """Every model is prepared, measured by every method, timed and collected; cells are ok or say why not."""
    params = load(opened / f"{profile}.yaml")
    for one in wanted(params):
        one.fetch()
    monkeypatch.setattr("headroom.pipeline.prepare.chance", below_random_weights)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    note(params.results, 1)
    hub.asked.clear()
    failed, start = {}, time.monotonic()
    for name, spec in params.models.items():
        prepare(name, spec, params.model_folder(name), threads=1)
        for record in measure.run(params, f"{profile}.yaml", name, 1):
            if record.status == "failed":
                failed[name, record.method] = record.reason
        timing.run(params, f"{profile}.yaml", name, lambda: None)
    assert not hub.asked
    collect.run(params)
    cells = len(params.models) * len(params.methods)
    print(f"{profile}: {cells} cells, {len(failed)} failed, {time.monotonic() - start:.0f} s", failed)
    assert not failed
    first = next(iter(params.models))
    record = read_cell(params.quality_record(first, "dense"), params.profile, first, "dense")
    told = next(iter(record.tasks.values())).contract
    assert told["model"].startswith(f"{params.models[first].source.hub} at ") and "of the Hub at" in told["data"]
