"""`headroom check params` finds what would stop a run later, or spoil another profile's results."""

from __future__ import annotations

import shutil

import pytest

SHAPES = """
profile: shapes
results: results/shapes
work: work/shapes
site: results/shapes/site
shapes:
  tiny:
    config: {family: bert, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4}
    purpose: classification
    grains: [head]
    works: {cpu: [{kind: encode, batch: 1, length: 8}]}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "hidden_size: 32",
            "hiden_size: 32",
            "source.config.hiden_size: unknown key of bert. Did you mean 'hidden_size'?",
        ),
        ("hidden_size: 32", "hidden_size: big", "source.config: Validation error for field 'hidden_size'"),
        (
            "hidden_size: 32",
            "hidden_size: 33",
            "source.config: makes no model for classification: The hidden",
        ),
        (
            "hidden_size: 32",
            "hidden_act: gleu, hidden_size: 32",
            "makes no model for classification: KeyError: 'gleu'.",
        ),
        ("num_hidden_layers: 2", "num_hidden_layers: 0", "source.config: makes a model without layers"),
        ("num_labels: 2", "num_labels: 0", "source.config.num_labels is 0; a classifier tells apart two classes"),
        ("max_position_embeddings: 64", "max_position_embeddings: 8", "a model that cannot read an input of 32 tokens"),
        ("family: bert", "family: brt", "source.config.family is 'brt'. Did you mean 'bert'?"),
        ("family: bert,", "family: electra,", "source.config: ElectraForSequenceClassification"),
        ("run: {threads: 1", "run: {threads: 100000", "run.threads is 100000; this machine has"),
        ("run: {threads: 1", "run: {workers: 100000, threads: 1", "run.workers is 100000; this machine has"),
        ("train: {steps: 60", "train: {threads: 100000, steps: 60", "models.bert-toy.train.threads is 100000; this"),
        (
            "tokenizer: {kind: wordpiece, size: 64}",
            "tokenizer: {}",
            "models.bert-toy.tokenizer: texts need one; add it.",
        ),
        ("[toy-classification]", "[toy-images]", "models.bert-toy.tokenizer: images are not split into words"),
        ("[toy-classification]", "[toy-classification, toy-cloze]", "toy-cloze one for language."),
        ("work: work/test", "work: results/test", "work is 'results/test' and results is 'results/test'. Give each"),
        ("work: work/test", "work: results/test/work", "Give each a folder of its own."),
        ("site: results/test/site", "site: work/test", "Give each a folder of its own."),
        (
            "results: results/test",
            "results: methods/mine",
            "results is 'methods/mine', which meets the folder methods.",
        ),
        ("results: results/test", "results: .", "results is '.', which meets the folder headroom."),
    ],
)
def test_what_would_stop_a_run_is_said_before_it(world, headroom, old, new, message):
    world.change(old, new)
    code, said = headroom("check", "params")
    assert code == 2 and said.startswith("params.yaml: ") and message in said, said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", "profile is 'test', and so is that of params.yaml. Give it a name of its own."),
        (
            "profile: test",
            "profile: other",
            "results is 'results/test', and params.yaml has its results in 'results/test'.",
        ),
        (
            "results: results/test\nwork: work/test\nsite: results/test/site\n",
            "results: results/other\nwork: work/other\nsite: work\n",
            "Give each a folder of its own.",
        ),
        (
            "results: results/test\nwork: work/test\nsite: results/test/site\n",
            "results: results/other\nwork: work/test/models\nsite: results/other/site\n",
            "work is 'work/test/models', and params.yaml has its work in 'work/test'.",
        ),
    ],
)
def test_two_profiles_that_share_a_folder_are_refused(world, headroom, old, new, message):
    other = world.folder / "profiles" / "other" / "params.yaml"
    other.parent.mkdir(parents=True)
    text = world.params.read_text()
    assert old in text
    text = text.replace(old, new)
    other.write_text(text.replace("profile: test", "profile: other") if old else text)
    code, said = headroom("check", "params", "--params", "profiles/other/params.yaml")
    assert code == 2 and message in said, said


def test_a_changed_copy_of_a_profile_is_the_same_profile_and_no_second_one(world, headroom):
    shutil.copy(world.params, world.folder / "mine.yaml")
    assert headroom("check", "params", "--params", "mine.yaml") == (0, "mine.yaml: in order.")


def test_a_profile_of_shapes_is_checked_as_what_it_is(world, headroom):
    path = world.folder / "profiles" / "shapes" / "params.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(SHAPES)
    where = "profiles/shapes/params.yaml"
    assert headroom("check", "params", "--params", where) == (0, f"{where}: in order.")
    path.write_text(SHAPES.replace("hidden_size", "hiden_size"))
    code, said = headroom("check", "params", "--params", where)
    assert code == 2 and "shapes.tiny.config.hiden_size: unknown key of bert. Did you mean 'hidden_size'?" in said
    path.write_text(SHAPES)
    for command in ("status", "show", "list", "claims"):
        code, said = headroom(command, "--params", where)
        assert code == 2 and "a profile of shapes, which times random weights" in said, command
