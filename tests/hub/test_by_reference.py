"""A model of the Hub stays in the Hub's cache: named by its commit, known by the hashes of its files, never copied."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from loopback import Hub

from headroom.errors import UserError
from headroom.models.loading import load_prepared
from headroom.models.sources import Source
from headroom.pipeline.model_run import changes, noted
from headroom.pipeline.prepare import prepare

sys.path.append(str(Path(__file__).parents[1] / "models"))
from model_folders import edit, save_folder

NAME = "owner/llama"


def entry(revision: str, name: str = NAME) -> dict:
    return {"source": {"hub": name, "revision": revision}, "tasks": ["toy-language"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_folder("llama", tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def commit(hub: Hub, folder: Path) -> str:
    return hub.put(NAME, folder)


@pytest.fixture
def prepared(commit, tmp_path) -> Path:
    prepare("m", entry(commit), tmp_path / "m", threads=1)
    return tmp_path / "m"


def test_nothing_of_it_is_copied_and_its_commit_and_files_are_noted(prepared, commit, folder):
    facts = noted(prepared)
    assert not list(prepared.rglob("*.safetensors"))
    assert facts["source"]["commit"] == facts["spec"]["source"]["revision"] == commit
    assert set(facts["source"]["files"]) == {path.name for path in folder.iterdir()}


def test_it_is_loaded_from_the_cache_and_nobody_is_asked(prepared, hub):
    hub.asked.clear()
    found = load_prepared(prepared)
    assert not hub.asked and changes(prepared, found.facts) == ""
    assert found.facts["parameters"] == found.model.num_parameters()
    assert found.contract.where.startswith(f"{NAME} at ")


def test_its_weights_have_the_hash_that_a_copy_would_have(prepared, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HEADROOM_DATA", str(folder.parent))
    local = prepare("m", {"source": {"folder": "llama"}, "tasks": ["toy-language"]}, tmp_path / "local", threads=1)
    assert noted(prepared)["weight_hash"] == local["weight_hash"]
    assert noted(prepared)["source"]["files"] == local["source"]["files"]
    assert not list((tmp_path / "local").rglob("*.safetensors"))


def test_a_local_folder_that_changed_is_named_and_one_that_has_gone_says_what_to_set(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "mine")
    monkeypatch.setenv("HEADROOM_DATA", str(tmp_path))
    prepare("m", {"source": {"folder": "mine"}, "tasks": ["toy-language"]}, tmp_path / "m", threads=1)
    edit(tmp_path / "mine", rms_norm_eps=0.5)
    assert changes(tmp_path / "m", noted(tmp_path / "m")).endswith("mine: config.json has changed")
    shutil.rmtree(tmp_path / "mine")
    with pytest.raises(UserError, match=r"source.folder is 'mine', which is not in .* Set HEADROOM_DATA"):
        load_prepared(tmp_path / "m")


def test_files_that_were_seen_are_not_read_again_and_touched_ones_are(prepared, monkeypatch):
    read = []

    def stop(file, _):
        read.append(file.name)
        raise ZeroDivisionError

    monkeypatch.setattr(
        "headroom.models.snapshots.hashlib.file_digest", lambda file, _: read.append(file.name) or 1 / 0
    )
    facts, weights = noted(prepared), None
    monkeypatch.setattr("headroom.pipeline.model_run.contents", lambda _: facts["files"])
    assert changes(prepared, facts) == "" and not read
    weights = load_prepared(prepared).where and Source(NAME, facts["source"]["commit"]).kept().folder / "config.json"
    os.utime(weights.resolve())
    with pytest.raises(ZeroDivisionError):
        changes(prepared, facts)
    assert read == [str(weights)]


def test_a_snapshot_that_was_changed_is_refused_and_one_that_has_gone_says_how_to_fetch_it(hub, tmp_path, folder):
    shutil.copytree(folder, tmp_path / "other")
    edit(tmp_path / "other", rms_norm_eps=0.25)
    commit = hub.put("owner/other", tmp_path / "other")
    prepare("m", entry(commit, "owner/other"), tmp_path / "m", threads=1)
    kept = Source("owner/other", commit).kept().folder
    file = kept / "config.json"
    before = file.read_text()
    file.resolve().write_text(before.replace("0.25", "0.75"))
    with pytest.raises(
        UserError, match=r"config.json: does not hold what the Hub gave.* Delete .*blobs.*headroom fetch"
    ):
        changes(tmp_path / "m", noted(tmp_path / "m"))
    file.resolve().write_text(before)
    assert changes(tmp_path / "m", noted(tmp_path / "m")) == ""
    (kept / "generation_config.json").unlink()
    assert changes(tmp_path / "m", noted(tmp_path / "m")).endswith("generation_config.json has gone")
    shutil.rmtree(kept)
    with pytest.raises(UserError, match=rf"owner/other at {commit} is not in the Hub's cache .*`headroom fetch"):
        load_prepared(tmp_path / "m")


def test_a_branch_is_its_commit_from_then_on_and_where_it_has_moved_the_model_is_made_again(hub, tmp_path, folder):
    shutil.copytree(folder, tmp_path / "moving")
    first = hub.put("owner/moving", tmp_path / "moving")
    facts = prepare("m", entry("main", "owner/moving"), tmp_path / "m", threads=1)
    assert facts["spec"]["source"]["revision"] == first
    assert prepare("m", entry(first, "owner/moving"), tmp_path / "m", threads=1) == facts, "to pin it changes nothing"
    edit(tmp_path / "moving", rms_norm_eps=0.125)
    second = hub.put("owner/moving", tmp_path / "moving")
    again = prepare("m", entry("main", "owner/moving"), tmp_path / "m", threads=1)
    assert again["source"]["commit"] == second != first
    assert again["source"]["files"]["model.safetensors"] == facts["source"]["files"]["model.safetensors"]


def test_without_a_network_a_branch_is_what_it_was(hub, tmp_path, folder, monkeypatch):
    commit = hub.put("owner/offline", folder)
    prepare("m", entry("main", "owner/offline"), tmp_path / "m", threads=1)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.asked.clear()
    assert prepare("m", entry("main", "owner/offline"), tmp_path / "n", threads=1)["source"]["commit"] == commit
    with pytest.raises(UserError, match=r"owner/never at main .*`headroom fetch --params"):
        prepare("m", entry("main", "owner/never"), tmp_path / "o", threads=1)
    assert not hub.asked


REFUSED = {
    "owner/gated": "gives it to those who have asked. Ask .* at .*owner/gated, then log in with `hf auth login`",
    "owner/nosuch": "the Hub has no such model, or a private one. Look at the name, or log in",
    "owner/bin": r"has no \*.safetensors file. Headroom loads no other kind",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_had_is_a_sentence_and_leaves_nothing(name, hub, tmp_path, folder):
    hub.put("owner/gated", folder, gated=True)
    shutil.copytree(folder, tmp_path / "bin")
    (tmp_path / "bin" / "model.safetensors").rename(tmp_path / "bin" / "pytorch_model.bin")
    hub.put("owner/bin", tmp_path / "bin")
    with pytest.raises(UserError, match=REFUSED[name]):
        prepare("m", entry("main", name), tmp_path / "m", threads=1)
    assert not (tmp_path / "m").exists()


def test_weights_that_somebody_has_converted_are_named_and_can_be_taken(hub, tmp_path, folder):
    shutil.copytree(folder, tmp_path / "old")
    (tmp_path / "old" / "model.safetensors").rename(tmp_path / "old" / "pytorch_model.bin")
    hub.put("owner/old", tmp_path / "old")
    hub.put("owner/old", folder, ref="refs/pr/4")
    with pytest.raises(UserError, match=r"refs/pr/4 of .*/owner/old/discussions has them.*`revision: refs/pr/4`"):
        prepare("m", entry("main", "owner/old"), tmp_path / "m", threads=1)
    facts = prepare("m", entry("refs/pr/4", "owner/old"), tmp_path / "m", threads=1)
    assert facts["source"]["commit"] == hub.repositories["models", "owner/old"].refs["refs/pr/4"]


def test_a_revision_that_is_not_there_is_a_sentence(commit, tmp_path):
    for revision in ("f" * 40, "nosuch"):
        with pytest.raises(UserError, match=f"{NAME} at {revision}: the model has no such revision. Take a branch"):
            prepare("m", entry(revision), tmp_path / "m", threads=1)


def test_a_model_in_several_files_is_whole_or_named(hub, tmp_path, folder):
    model = Source(folder).model("language")
    shutil.copytree(folder, tmp_path / "parts", ignore=shutil.ignore_patterns("*.safetensors"))
    model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    shards = sorted(path.name for path in (tmp_path / "parts").glob("model-*.safetensors"))
    assert len(shards) > 1
    hub.put("owner/parts", tmp_path / "parts")
    facts = prepare("m", entry("main", "owner/parts"), tmp_path / "m", threads=1)
    assert set(shards) < set(facts["source"]["files"])
    assert load_prepared(tmp_path / "m").model.num_parameters() == model.num_parameters()
    (tmp_path / "parts" / shards[0]).unlink()
    hub.put("owner/parts", tmp_path / "parts")
    with pytest.raises(UserError, match=f"lacks {shards[0]}, which model.safetensors.index.json names"):
        prepare("m", entry("main", "owner/parts"), tmp_path / "m", threads=1)


def test_what_is_of_another_kind_stays_on_the_hub(hub, tmp_path, folder):
    shutil.copytree(folder, tmp_path / "rich")
    for name in ("pytorch_model.bin", "tf_model.h5", "consolidated.safetensors", "onnx/model.safetensors", "code.py"):
        (tmp_path / "rich" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "rich" / name).write_bytes(b"x")
    hub.put("owner/rich", tmp_path / "rich")
    facts = prepare("m", entry("main", "owner/rich"), tmp_path / "m", threads=1)
    assert set(facts["source"]["files"]) == {path.name for path in folder.iterdir()}


def test_weights_that_are_no_numbers_are_refused_one_tensor_at_a_time(hub, tmp_path, folder):
    from model_folders import reweigh

    shutil.copytree(folder, tmp_path / "spoilt")
    reweigh(tmp_path / "spoilt", lambda weights: weights["model.norm.weight"].fill_(float("nan")))
    hub.put("owner/spoilt", tmp_path / "spoilt")
    with pytest.raises(UserError, match=r"owner/spoilt at .*: weights hold NaN or infinity: model.norm.weight"):
        prepare("m", entry("main", "owner/spoilt"), tmp_path / "m", threads=1)


def test_the_notes_are_the_same_twice(commit, tmp_path):
    for name in ("one", "two"):
        prepare("m", entry(commit), tmp_path / name, threads=1)
    assert (tmp_path / "one/prepare.json").read_bytes() == (tmp_path / "two/prepare.json").read_bytes()
    assert json.loads((tmp_path / "one/seen.json").read_text())["config.json"][2]
