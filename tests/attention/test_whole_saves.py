"""A save is whole or not at all, also over an older folder, whatever ends it."""

import json
import os
import resource
from pathlib import Path

import pytest
import safetensors.torch
import torch
from attention_helpers import logits, removed

from headroom.api import Grain
from headroom.attention import anatomy, load_removed, save_removed, toy, toy_batch
from headroom.attention.saving import GENERATION, OWN_WEIGHTS, PLAN
from headroom.drafts import together, whole
from headroom.errors import UserError

NAMES = ("config.json", PLAN, OWN_WEIGHTS)


def smaller(family, head=1):
    model = toy(family)
    return removed(model, [unit for unit in anatomy(model).units((Grain.HEAD,)) if unit.index == head])


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def empty_model(family):
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    made = AutoModelForCausalLM if family == "llama" else AutoModelForSequenceClassification
    with init_empty_weights():
        return made.from_config(toy(family).config)


def half_empty(family):
    model = toy(family)
    name, parameter = list(model.named_parameters())[-1]
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, torch.nn.Parameter(parameter.to("meta")))
    return model


def on_meta(family):
    return smaller(family).to("meta")


@pytest.mark.parametrize("made", [empty_model, half_empty, on_meta])
@pytest.mark.parametrize("family", ["llama", "bert"])
def test_weights_without_values_are_a_sentence_and_nothing_is_written(made, family, tmp_path):
    save_removed(smaller(family), tmp_path / "old")
    before = tree(tmp_path)
    for folder in ("old", "new", "deep/er"):
        with pytest.raises(UserError, match=r"have no values.*meta device"):
            save_removed(made(family), tmp_path / folder)
    assert tree(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("after", [0, 100])
def test_a_save_that_fails_leaves_the_old_folder_and_no_new_one(error, after, tmp_path, monkeypatch):
    save_removed(smaller("marian"), tmp_path / "old")
    (tmp_path / "old" / "README.md").write_text("mine")
    before = tree(tmp_path)

    def cut_short(tensors, path, metadata):
        path.write_bytes(b"x" * after)
        raise error

    monkeypatch.setattr(safetensors.torch, "save_file", cut_short)
    for folder in ("old", "new"):
        with pytest.raises(UserError if isinstance(error, OSError) else type(error)):
            save_removed(smaller("marian", 2), tmp_path / folder)
    assert tree(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


def in_a_child(body):
    """The exit code of a process that is what this one is, and does this."""
    child = os.fork()
    if not child:
        try:
            body()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(moment, folder):
    """Save a model without heads 2 in a process that dies before its weights, or before a move of files."""

    def save():
        moves, replace = [], Path.replace

        def counted(path, target):
            moves.append(path)
            return os._exit(9) if len(moves) > int(moment) else replace(path, target)

        if moment == "weights":
            safetensors.torch.save_file = lambda *_, **__: os._exit(9)
        else:
            Path.replace = counted
        save_removed(smaller("llama", 2), folder)

    return in_a_child(save)


@pytest.mark.parametrize("moment", ["weights", "0", "1", "2", "3", "4"])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_model(moment, tmp_path):
    batch = toy_batch("llama")
    save_removed(smaller("llama"), tmp_path / "old")
    (tmp_path / "old" / "README.md").write_text("mine")
    before = tree(tmp_path / "old")
    old, new = logits(smaller("llama"), batch), logits(smaller("llama", 2), batch)
    assert killed(moment, tmp_path / "old") == 9
    if moment in ("weights", "0"):
        assert tree(tmp_path / "old") == before
    found = logits(load_removed(tmp_path / "old"), batch)
    assert torch.equal(found, old if moment in ("weights", "0") else new)
    assert (tmp_path / "old" / "README.md").read_text() == "mine"
    save_removed(smaller("llama"), tmp_path / "old")
    assert tree(tmp_path) == {f"old/{name}": content for name, content in before.items()}


def test_a_kill_before_the_end_shows_no_new_folder(tmp_path):
    assert killed("weights", tmp_path / "new") == 9 and not (tmp_path / "new").exists()


def test_a_disk_that_is_full_is_a_sentence(tmp_path):
    """A limit on the size of files says no in the middle of the weights, as a full disk does."""
    save_removed(smaller("bert"), tmp_path / "old")
    before = tree(tmp_path)
    said = tmp_path.parent / f"{tmp_path.name}.said"
    for folder in ("old", "new"):

        def save(target=tmp_path / folder):
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            with pytest.raises(UserError) as refused:
                save_removed(toy("bert"), target)
            said.write_text(str(refused.value))
            os._exit(5)

        assert in_a_child(save) == 5 and "cannot be written" in said.read_text()
    assert tree(tmp_path) == before


def test_what_others_wrote_stays_and_all_of_the_save_is_replaced(tmp_path):
    batch = toy_batch("bert")
    save_removed(smaller("marian"), tmp_path)
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "vocab.json").write_text("{}")
    save_removed(smaller("bert"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES, "README.md", "tokenizer"}, "no settings of generation"
    assert (tmp_path / "tokenizer" / "vocab.json").read_text() == "{}"
    assert torch.equal(logits(load_removed(tmp_path), batch), logits(smaller("bert"), batch))


def test_settings_of_generation_that_lie_beside_another_model_are_not_read(tmp_path):
    save_removed(smaller("bert"), tmp_path)
    (tmp_path / GENERATION).write_text("{")
    load_removed(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_place_without_rights_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        save_removed(smaller("bert"), tmp_path / "new")


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path):
    (tmp_path / "out").write_text("mine")
    for folder in ("out", "out/new"):
        with pytest.raises(UserError, match="cannot be written"):
            save_removed(smaller("bert"), tmp_path / folder)
    assert tree(tmp_path) == {"out": b"mine"}


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    save_removed(smaller("bert"), tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / OWN_WEIGHTS).is_file()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_weights_that_are_parts_of_one_memory_are_saved(family, tmp_path):
    model, batch = toy(family), toy_batch(family)
    parameters = [parameter for parameter in model.parameters() if parameter.dim() == 2]
    flat = torch.cat([parameter.detach().flatten() for parameter in parameters])
    start = 0
    for parameter in parameters:
        parameter.data = flat[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
    save_removed(model, tmp_path)
    assert torch.equal(logits(load_removed(tmp_path), batch), logits(model, batch))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop("classifier.bias"), "classifier.bias"),
        (lambda found: found.update({"more": torch.ones(2)}), "more"),
        (lambda found: found.update({"classifier.bias": torch.ones(7)}), "classifier.bias"),
    ],
)
def test_weights_that_are_missing_unexpected_or_of_another_shape_are_named(change, words, tmp_path):
    save_removed(smaller("bert"), tmp_path)
    found = safetensors.torch.load_file(tmp_path / OWN_WEIGHTS)
    change(found)
    safetensors.torch.save_file(found, tmp_path / OWN_WEIGHTS)
    with pytest.raises(UserError, match=words):
        load_removed(tmp_path)


def test_a_classifier_of_another_size_than_the_config_says_is_not_written(tmp_path):
    model = toy("bert")
    model.classifier = torch.nn.Linear(32, 5)
    with pytest.raises(UserError, match=r"classifier\.weight"):
        save_removed(model, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_plan_without_weights_of_its_own_is_named(tmp_path):
    save_removed(smaller("bert"), tmp_path)
    plan = json.loads((tmp_path / PLAN).read_text())
    (tmp_path / PLAN).write_text(json.dumps(plan | {"removed": plan["removed"][:1]}))
    with pytest.raises(UserError, match="does not fit"):
        load_removed(tmp_path)


def test_a_folder_takes_the_place_of_another_or_does_not(tmp_path):
    for content in ("one", "two"):
        with whole(tmp_path / "out") as draft:
            (draft / "file").write_text(content)
    with pytest.raises(ZeroDivisionError), whole(tmp_path / "out") as draft:
        (draft / "file").write_text("three")
        raise ZeroDivisionError
    assert tree(tmp_path) == {"out/file": b"two"}
    (tmp_path / "out").rename(tmp_path / ".out.before")  # a kill between two renames
    with pytest.raises(ZeroDivisionError), whole(tmp_path / "out"):
        raise ZeroDivisionError
    assert tree(tmp_path) == {"out/file": b"two"}


def test_files_that_belong_together_come_together(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with together(tmp_path / "out") as draft:
        (draft / "a").write_text("a")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    assert tree(tmp_path) == {"out/a": b"a", "out/mine": b"mine"}
