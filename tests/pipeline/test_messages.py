"""Bad input gets one clear message, a non-zero exit, and no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headroom.pipeline.workers import Workers


@pytest.fixture
def refused(headroom):
    """The message of a command that has to refuse. An error that is not the user's is raised, and fails the test."""

    def call(*words, **environment):
        code, said = headroom(*(words or ("check", "params")), **environment)
        assert code == 2, said
        return said

    return call


def test_params_in_order_are_said_to_be(world, headroom):
    assert headroom("check", "params") == (0, "params.yaml: in order.")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "targets: [0.25, 0.5, 1.0]",
            "targets: [0.25, 0.5, 1.4]",
            "run.targets[2] is 1.4; a target is the share of units to remove, above 0 and below 1",
        ),
        ("targets: [0.25, 0.5, 1.0]", "targets: [0.0, 0.5]", "run.targets[0] is 0.0"),
        ("targets: [0.25, 0.5, 1.0]", "targets: [0.5, 0.25]", "targets must rise"),
        ("threads: 1", "threds: 1", "run.threds: unknown key. Did you mean 'threads'?"),
        ("threads: 1", "threads: 0", "run.threads is 0; input should be greater than or equal to 1"),
        ("pairs: 15", "pairs: 3", "speed.pairs is 3"),
        ("kind: encode", "kind: encod", "is 'encod'. Did you mean 'encode'?"),
        ("  dense: {}", "  random-heads: {}", "add the line `dense: {}`"),
        (
            "  dense: {}",
            "  dense: {}\n  michel-greddy: {}",
            "there is no method 'michel-greddy'. Did you mean 'michel-greedy'?",
        ),
        (
            "  dense: {}",
            "  dense: {}\n  michel-greedy: {exampels: 3}",
            "exampels: unknown parameter. Did you mean 'examples'?",
        ),
        ("  dense: {}", "  dense: {}\n  michel-greedy: {absolute: tokn}", "is 'tokn'. Did you mean 'token'?"),
        ("  dense: {}", "  dense: {}\n  michel-greedy: {examples: many}", "examples is 'many'; wanted int"),
        (
            "[toy-classification]",
            "[toy-clasification]",
            "There is no task 'toy-clasification'. Did you mean 'toy-classification'?",
        ),
        ("steps: 60", "stepz: 60", "stepz: unknown key. Did you mean 'steps'?"),
        ("work: work/test", "work: ../elsewhere", "stays inside the project"),
        ("profile: test", "profile: [", "not readable as YAML"),
        ("bert-toy:", "Bert/../toy:", "a name is made of lower-case letters"),
    ],
)
def test_a_mistake_in_params_is_located_and_answered(world, refused, old, new, message):
    world.change(old, new)
    said = refused()
    assert "params.yaml" in said or "task" in said
    assert message in said


def test_an_unknown_family_is_refused_with_the_near_match(world, refused):
    world.change("family: bert", "family: brt")
    assert "is 'brt'. Did you mean 'bert'?" in refused("stage", "prepare", "bert-toy")


def test_an_unknown_model_on_the_command_line_is_answered_with_the_near_match(world, refused):
    assert "has no model 'bert-toi'. Did you mean 'bert-toy'?" in refused("stage", "measure", "bert-toi")


def test_a_missing_data_folder_is_named_before_anything_runs(world, headroom, refused):
    world.change("tasks: [toy-classification]", "tasks: [schneider50k]")
    assert "HEADROOM_DATA" in refused("check", "params", HEADROOM_DATA="")
    assert "is not there" in refused("check", "params", HEADROOM_DATA=str(world.folder))


def test_a_corrupted_weight_file_is_named(world, headroom, refused):
    weights = world.folder / "work/test/models/bert-toy/model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    said = refused("stage", "measure", "bert-toy")
    assert "model/model.safetensors has changed since it was prepared. Run `dvc repro prepare@bert-toy`" in said


def test_a_family_that_is_not_supported_is_named_with_those_that_are(world, headroom, refused):
    world.change("family: bert,", "family: electra,")
    said = refused("stage", "prepare", "bert-toy")
    assert "ElectraForSequenceClassification" in said and "Bert" in said


def test_a_broken_method_file_is_named_with_its_error(world, refused):
    world.use("random-heads")
    (world.folder / "methods" / "random_heads.py").write_text("import nothing_of_that_name\n")
    assert "methods/random_heads.py: cannot be imported: ModuleNotFoundError" in refused()


def test_a_method_whose_name_is_not_its_files_is_refused(world, refused):
    world.use("random-heads")
    file = world.folder / "methods" / "random_heads.py"
    file.write_text(file.read_text().replace('"random-heads"', '"other"'))
    assert "its name is 'other', wanted 'random-heads'" in refused()


def test_a_method_that_ends_its_interpreter_ends_no_check(world, headroom):
    world.method("tested", "yield", needs="import os; os._exit(7)")
    assert headroom("check", "params") == (0, "params.yaml: in order.")


def test_what_was_in_order_is_not_loaded_again_until_it_is_edited(world, headroom, monkeypatch):
    asked, ask = [], Workers.ask

    def noted(self, questions, *more, **how):
        asked.extend(question.name for question in questions)
        return ask(self, questions, *more, **how)

    monkeypatch.setattr(Workers, "ask", noted)
    world.use("random-heads")
    headroom("check", "params")
    headroom("check", "params")
    assert sorted(asked) == ["dense", "random-heads"]
    file = world.folder / "methods" / "random_heads.py"
    file.write_text(file.read_text() + "\n# a second thought\n")
    headroom("check", "params")
    assert sorted(asked) == ["dense", "random-heads", "random-heads"]


def test_a_failed_cell_ends_well_and_with_strict_it_does_not(world, headroom):
    world.method("tested", "raise RuntimeError('ran aground')\nyield")
    assert headroom("stage", "measure", "bert-toy")[0] == 0
    code, said = headroom("stage", "measure", "--strict", "bert-toy")
    assert code == 1 and "ran aground" in said


def test_help_names_the_commands(world, headroom):
    code, said = headroom("--help")
    assert code == 0 and "prune" in said


def test_no_command_imports_torch_before_it_is_needed(world):
    modules = "headroom.cli, headroom.pipeline.preflight, headroom.pipeline.collect, headroom.site"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
