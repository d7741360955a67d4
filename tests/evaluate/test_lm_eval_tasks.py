"""lm-eval's own tasks by name: the numbers are those of lm-eval, of dense and of pruned models, an example each."""

from collections import Counter

import datasets
import lm_eval
import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, tokenizer
from evaluation_helpers import task as ours
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval_helpers import LINES, ROWS, as_the_hub_has_them, split_up, task
from tokenizers.processors import TemplateProcessing

from headroom import attention
from headroom.api import Grain
from headroom.data.apart import data_hash
from headroom.data.contract import Contract
from headroom.data.guessing import commonest, guessed
from headroom.data.lm_eval_tasks import manager
from headroom.data.start import Start
from headroom.errors import UserError
from headroom.evaluate import Evaluation, NotFinite, Settings
from headroom.evaluate.answering import AnsweringModel
from headroom.results.aggregates import AGGREGATES
from headroom.results.stats import task_score

LENGTH = 512
ASKED = {
    "hellaswag": ("acc_norm", {"shots": 0, "limit": 9}),
    "winogrande": ("acc", {"shots": 3}),
    "gsm8k": ("exact_match", {"shots": 2, "filter": "flexible-extract", "limit": 4}),
    "wikitext": ("word_perplexity", {}),
    "lambada_openai": ("perplexity", {"chance": 1e9, "limit": 8}),
    "mmlu_social_sciences": ("acc", {"shots": 3, "by": "subject"}),
}


@pytest.fixture(scope="module")
def reader():
    return tokenizer("bpe", ends=False)


@pytest.fixture(scope="module")
def models(reader):
    dense = fitting("llama", reader, max_position_embeddings=LENGTH)
    units = list(attention.anatomy(dense).units((Grain.HEAD, Grain.KV_GROUP, Grain.ATTENTION)))
    return {"dense": dense, "pruned": attention.without(dense, units[:2])}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def splits(project):
    return {name: split_up(task(name, metric, **how), project) for name, (metric, how) in ASKED.items()}


def evaluated(name, splits, model, reader, batch=4):
    metric, how = ASKED[name]
    one = task(name, metric, **how)
    contract = Contract.of(model, reader, length=LENGTH)
    scores = Evaluation([(one, splits[name]["evaluate"])], contract, Settings(batch, LENGTH)).score(model)
    return scores[one.name]


def total(scores):
    return float(AGGREGATES[scores.aggregate](scores.stats.sum(axis=0)))


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("which", ["dense", "pruned"])
def test_the_score_is_lm_evals_own(name, which, splits, models, reader, monkeypatch):
    metric, how = ASKED[name]
    monkeypatch.setattr(datasets, "load_dataset", as_the_hub_has_them)
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # a second each
    monkeypatch.setattr(HFLM, "max_gen_toks", 12)
    whole = lm_eval.simple_evaluate(
        HFLM(pretrained=models[which], tokenizer=reader, batch_size=4, max_length=LENGTH),
        tasks=[name],
        num_fewshot=how.get("shots"),
        limit=how.get("limit"),
        bootstrap_iters=0,
        task_manager=manager(name),
    )
    value = whole["results"].get(name, whole.get("groups", {}).get(name))[f"{metric},{how.get('filter', 'none')}"]
    scores = evaluated(name, splits, models[which], reader)
    assert total(scores) == pytest.approx(value * (1 if "perplexity" in metric else 100), rel=1e-12)
    asked = sum(len(samples) for samples in whole["samples"].values()) // (2 if name == "gsm8k" else 1)
    assert len(scores.stats) == asked == len(splits[name]["evaluate"])
    for word in (name, metric, f"{how.get('shots', 0)}-shot", f"{LENGTH} tokens"):
        assert word in scores.signature


def test_choices_are_scored_as_by_our_own_evaluator(splits, models, reader):
    rows = splits["hellaswag"]["evaluate"]
    gold = [int(row["label"]) for row in ROWS["hellaswag"]["validation"]]
    same = [
        {"context": row["contexts"][0], "choices": row["answers"], "gold": right}
        for row, right in zip(rows, gold, strict=False)
    ]
    one = task("hellaswag", "acc", shots=0, limit=9)
    model, contract = models["dense"], Contract.of(models["dense"], reader, length=LENGTH)
    found = Evaluation([(one, rows), (ours("multiple-choice"), same)], contract, Settings(4, LENGTH)).score(model)
    np.testing.assert_array_equal(found["asked"].stats, found["made"].stats)


def test_two_models_are_compared_example_by_example(splits, models, reader):
    dense, pruned = (evaluated("lambada_openai", splits, models[which], reader) for which in ("dense", "pruned"))
    score = task_score(pruned.stats, dense.stats, dense.aggregate, 1e9, "lower", resamples=50)
    assert score.low <= score.value <= score.high and score.examples == 8
    assert score.difference == pytest.approx(total(pruned) - total(dense))


def test_what_is_asked_is_frozen_in_the_rows(splits, models, reader, monkeypatch):
    """Neither the data set nor the draw of solved examples is looked at again; the words in the rows count."""
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("asked for a data set"))
    rows = splits["winogrande"]["evaluate"].to_list()
    assert all(
        context.count("the _") == 0 and context.count(" saw ") == 3 for row in rows for context in row["contexts"]
    )
    changed = [row | {"contexts": [context + " w9" for context in row["contexts"]]} for row in rows]
    before = evaluated("winogrande", splits, models["dense"], reader)
    after = evaluated("winogrande", {"winogrande": {"evaluate": changed}}, models["dense"], reader)
    again = evaluated("winogrande", splits, models["dense"], reader)
    assert (before.stats == again.stats).all() and after.stats.shape == before.stats.shape


def test_the_same_rows_have_the_same_bytes_and_other_shots_have_others(splits, project):
    again = split_up(task("winogrande", "acc", shots=3), project)
    fewer = split_up(task("winogrande", "acc", shots=2), project)
    assert data_hash(splits["winogrande"]) == data_hash(again) != data_hash(fewer)
    assert splits["winogrande"]["evaluate"].info.description == "tasks/winogrande.py"


def test_methods_read_training_documents_with_their_answers(splits):
    assert splits["hellaswag"]["calibrate"][0]["text"] == f"Topic 0: {LINES[0]} {LINES[7].capitalize()} {LINES[1]} 1 "
    assert splits["gsm8k"]["calibrate"][3]["text"].endswith("Answer: It is 3.\n#### 3")
    assert len(splits["mmlu_social_sciences"]["calibrate"]) == len(ROWS["mmlu_social_sciences"]["dev"])
    texts = [row["text"] for row in ROWS["lambada_openai"]["test"]]
    assert splits["lambada_openai"]["calibrate"]["text"] == texts[8:]  # those that the limit leaves


def test_chance_is_counted_in_the_choices(splits):
    most = max(Counter(int(row["label"]) for row in ROWS["hellaswag"]["validation"][:9]).values())
    assert commonest(splits["hellaswag"]["evaluate"]) == pytest.approx(100 * most / 9)
    levels = {
        name: guessed(splits[name]["evaluate"]) for name in ("hellaswag", "winogrande", "lambada_openai", "gsm8k")
    }
    assert levels == {"hellaswag": 25, "winogrande": 50, "lambada_openai": 0, "gsm8k": 0}


@pytest.mark.parametrize("tokens", [None, 700])
@pytest.mark.parametrize("adds", [False, True])
def test_a_model_says_what_it_says_to_lm_eval(tokens, adds, models, splits):
    """With batches of so many texts and of so many tokens, and with a tokenizer that puts a start mark in front."""
    reader = tokenizer("bpe", ends=False)
    if adds:
        marks = [("<s>", reader.convert_tokens_to_ids("<s>"))]
        reader.backend_tokenizer.post_processor = TemplateProcessing("<s> $A", special_tokens=marks)
    live = AnsweringModel(pretrained=models["dense"], tokenizer=reader, batch_size=3, max_length=60)
    live.known, live.tokens = {}, tokens
    live.start = Start(reader.convert_tokens_to_ids("<s>"), "<s>", False, adds, "for a test")
    plain = HFLM(pretrained=models["dense"], tokenizer=reader, batch_size=3, max_length=60)
    how = {"until": ["w3"], "max_gen_toks": 8, "do_sample": False}
    asked = [
        Instance("generate_until", {}, (text, how), 0, (None, place, 1))
        for place, text in enumerate([*splits["gsm8k"]["evaluate"]["text"], "w5 " * 90])
    ]
    said = live.generate_until(asked)
    assert said == plain.generate_until(asked, disable_tqdm=True)
    assert len(set(said)) > 1 and not any("w3" in answer for answer in said)


def test_an_answer_is_right_where_lm_eval_finds_it_right(splits, models, reader, monkeypatch):
    answers = iter(["#### 20", "It is 22, or 21", "22 and more", "so: 7"])
    monkeypatch.setattr(AnsweringModel, "generate_until", lambda _, requests: [next(answers) for _ in requests])
    scores = evaluated("gsm8k", splits, models["dense"], reader)
    assert scores.stats.tolist() == [[1, 1], [1, 1], [1, 1], [0, 1]] and total(scores) == 75
    assert scores.aggregate == "exact-match" and "exact_match of flexible-extract" in scores.signature


@torch.no_grad()
def test_a_model_that_breaks_while_it_speaks_is_named(splits, reader, monkeypatch):
    broken = fitting("llama", reader, max_position_embeddings=LENGTH)
    broken.lm_head.weight[:] = float("nan")
    monkeypatch.setattr(HFLM, "max_gen_toks", 3)
    for name in ("gsm8k", "hellaswag"):
        with pytest.raises(NotFinite, match=r"task (asked|gsm8k)"):
            evaluated(name, splits, broken, reader)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        (("hellaswg", "acc", {}), r"lm_eval.task is 'hellaswg', which lm-eval does not know. Did you mean hellaswag"),
        (("hellaswag", "exact_match", {}), "lm_eval.metric is 'exact_match'. hellaswag has: acc, acc_norm"),
        (("gsm8k", "exact_match", {}), "lm_eval.filter: this key is missing; gsm8k has strict-match, flexible-extract"),
        (("gsm8k", "exact_match", {"filter": "strict"}), "lm_eval.filter is 'strict'. Did you mean 'strict-match'"),
        (("mmlu_social_sciences", "acc", {"by": "topic"}), "lm_eval.by is 'topic'. Allowed: answer, choices, question"),
        (("mmlu_social_sciences", "acc_norm", {"by": "subject"}), "lm_eval.metric is 'acc_norm'"),
        (("winogrande", "acc", {"shots": 40}), "lm-eval breaks where it asks winogrande: ValueError: Sample larger"),
        (("lambada_openai", "acc", {}), "has no documents but those that it evaluates. Name a split"),
        (("lambada_openai", "acc", {"splits": {"calibrate": "test[:5]"}}), "share 5 examples"),
        (("hellaswag", "acc", {"splits": {"calibrate": "train[90:]"}}), "splits name 'train\\[90:\\]'"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(named, says, project):
    name, metric, how = named
    (project / "tasks").mkdir(exist_ok=True)
    known = ROWS.get(name)
    with pytest.raises(UserError, match=says):
        split_up(task(name, metric, rows=known is not None, **how), project)


def test_a_model_that_is_given_too_little_for_an_answer_is_told(splits, models, reader):
    one = task("gsm8k", "exact_match", shots=2, filter="flexible-extract")
    contract = Contract.of(models["dense"], reader, length=200)
    with pytest.raises(UserError, match=r"an answer may have 256 tokens, and the model is given 200 \(`length`\)"):
        Evaluation([(one, splits["gsm8k"]["evaluate"])], contract, Settings(4, 200))
