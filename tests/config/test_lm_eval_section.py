"""A task file that names one of lm-eval's tasks: what follows from it, and what is refused in a sentence."""

import pytest

from headroom.config.located import validated
from headroom.config.params import load
from headroom.config.pins import loose
from headroom.config.project import root
from headroom.config.tasks import Task
from headroom.errors import UserError

ASKED = {"task": "hellaswag", "shots": 0, "metric": "acc_norm", "limit": 1000}
FILE = {"name": "asked", "version": 1, "summary": "made", "licence": "none", "cite": "nobody", "lm_eval": ASKED}


def read(**keys):
    return validated(Task, FILE | keys, "tasks/asked.yaml")


def asked(**how):
    return read(lm_eval=ASKED | how)


@pytest.mark.parametrize(
    ("metric", "more", "follows"),
    [
        ("acc", {}, ("accuracy", "higher", "uniform")),
        ("acc", {"chance": "majority"}, ("accuracy", "higher", "majority")),
        ("exact_match", {}, ("exact-match", "higher", 0)),
        ("word_perplexity", {}, ("word-perplexity", "lower", "unigram")),
        ("perplexity", {"chance": 5000}, ("perplexity", "lower", 5000)),
    ],
)
def test_metric_direction_and_chance_follow(metric, more, follows):
    task = asked(metric=metric, **more)
    assert (task.metric.name, task.metric.better, task.metric.chance) == follows
    assert (task.evaluator, task.purpose, task.data.of_lm_eval) == ("lm-eval", "language", True)
    assert Task.model_validate(task.model_dump()) == task


def test_a_task_of_before_is_hashed_as_before():
    """Keys that do not stand in a file stand in no hash of it, so what was kept under one is found again."""
    plain = FILE | {
        "evaluator": "bits-per-byte",
        "data": {"made": "tasks/toys.py"},
        "splits": {"calibrate": "a", "evaluate": "b"},
        "metric": {"name": "bits-per-byte", "better": "lower", "unit": "bits", "chance": "unigram"},
    }
    dumped = validated(Task, {key: value for key, value in plain.items() if key != "lm_eval"}, "x").model_dump()
    assert "lm_eval" not in dumped and "of_lm_eval" not in dumped["data"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"lm_eval": ASKED | {"shot": 1}}, "lm_eval.shot: unknown key. Did you mean 'shots'?"),
        ({"lm_eval": ASKED | {"metric": "acc_nrm"}}, "lm_eval.metric is 'acc_nrm'; .* Did you mean 'acc_norm'"),
        ({"lm_eval": ASKED | {"metric": "perplexity"}}, "lm_eval.chance: this key is missing; perplexity has no level"),
        ({"lm_eval": ASKED | {"chance": 100}}, "lm_eval.chance is 100.0; acc_norm goes from 0 to 100"),
        ({"lm_eval": ASKED | {"metric": "exact_match", "chance": "majority"}}, "that is not counted for exact_match"),
        ({"lm_eval": ASKED | {"by": "subject"}}, "lm_eval.by is 'subject'; is about rows of 'data'"),
        ({"lm_eval": {"metric": "acc"}}, "lm_eval.task: this key is missing; add it."),
        ({"columns": {"text": "page"}}, "columns: is said by lm-eval's own task"),
        ({"evaluator": "classification"}, r"evaluator: follows from lm_eval \(lm-eval\); leave it out."),
        ({"metric": {"name": "bleu"}}, r"metric: follows from lm_eval \(accuracy\); leave it out."),
        ({"splits": {"evaluate": "test"}}, "splits.evaluate is 'test'; lm-eval's own task says what is evaluated"),
        ({"data": {"hub": "a/b", "revision": "0" * 40}}, "data.hub is 'a/b'; .* pin it by lm_eval.revision"),
        ({"lm_eval": None, "evaluator": "lm-eval"}, "data: this key is missing"),
    ],
)
def test_what_does_not_fit_is_a_sentence(keys, says):
    with pytest.raises(UserError, match=f"tasks/asked.yaml: .*{says}"):
        read(**keys)


def test_splits_of_other_tasks_are_required_as_ever():
    with pytest.raises(UserError, match=r"splits.evaluate: this key is missing; add it."):
        read(
            lm_eval=None,
            evaluator="bits-per-byte",
            data={"made": "tasks/toys.py"},
            splits={"calibrate": "a"},
            metric={"name": "bits-per-byte", "better": "lower", "unit": "bits", "chance": "unigram"},
        )


def test_rows_of_lm_eval_that_name_no_commit_are_told_of():
    file = root() / "profiles/paper-mini/params.yaml"
    said = [one for one in loose(load(file), file) if "lm-eval-piqa" in one]
    assert said and said[0].startswith("tasks/lm-eval-piqa.yaml: lm_eval.revision is not there")
