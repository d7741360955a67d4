"""lm-eval on a live model gives the log likelihoods that a direct computation gives. Start marks: test_marks.py."""

import math

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, sentences, state, task, tokenizer

from headroom.data.contract import Contract
from headroom.data.start import start_of
from headroom.evaluate import Evaluation, NotFinite, Settings, score
from headroom.evaluate.harness import LanguageTasks
from headroom.results.aggregates import ratio

WINDOW = 16


@pytest.fixture(scope="module")
def reader():
    return tokenizer("bpe", ends=False)


@pytest.fixture(scope="module")
def model(reader):
    return fitting("llama", reader)


@pytest.fixture(scope="module")
def texts():
    return [{"text": text} for text in [*sentences(9), "é and ü: more bytes than letters"]]


def test_by_length_the_likeliest_choice_for_its_letters_is_the_answer(model, reader, questions):
    plain = task("multiple-choice")
    by_length = plain.model_copy(update={"metric": plain.metric.model_copy(update={"by_length": True})})
    found = score(model, by_length, questions, reader, Settings(4, 64))
    ids = [reader.encode(question["context"], add_special_tokens=False) for question in questions]
    for place, question in enumerate(questions):
        choices = [" " + choice for choice in question["choices"]]
        tokens = [
            reader.encode(question["context"] + one, add_special_tokens=False)[len(ids[place]) :] for one in choices
        ]
        likely = [log_likelihood(model, ids[place], some) for some in tokens]
        best = int(np.argmax([value / len(one.strip()) for value, one in zip(likely, choices, strict=True)]))
        assert found.stats[place, 0] == (best == question["gold"])
    assert (
        "acc_norm" in found.signature
        and "acc_norm" not in score(model, plain, questions, reader, Settings(4, 64)).signature
    )


@pytest.fixture(scope="module")
def questions():
    lines = sentences(12, 6)
    return [
        {"context": lines[i], "choices": [f"{lines[(i + k) % 12]} {k}" for k in range(1, 4)], "gold": i % 3}
        for i in range(8)
    ]


@torch.no_grad()
def log_likelihood(model, context, continuation):
    """Sum of log probabilities of the continuation's tokens after the context's, one sequence at a time."""
    ids = torch.tensor([context + continuation])
    scores = model(ids).logits.log_softmax(-1)[0, len(context) - 1 : -1]
    return scores.gather(1, torch.tensor(continuation)[:, None]).sum().item()


def rolling(model, reader, text, start):
    """The text in windows of at most WINDOW predicted tokens; the last one keeps a full window of context."""
    ids = reader.encode(text, add_special_tokens=False)
    total = log_likelihood(model, [start, *ids[: WINDOW - 1]][:1], ids[:WINDOW])
    done = min(WINDOW, len(ids))
    while done < len(ids):
        end = min(len(ids), done + WINDOW)
        context = ids[end - WINDOW - 1 : done]
        total += log_likelihood(model, context, ids[done:end])
        done = end
    return total


def made(model, kind, rows, reader, settings, trained_here=False):
    return LanguageTasks({"made": (kind, rows)}, reader, settings, start_of(model.config, reader, trained_here))


def scored(model, kind, rows, *how):
    return made(model, kind, rows, *how).score(model)["made"]


@pytest.mark.parametrize("trained_here", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_bits_per_byte_equals_a_direct_computation(model, reader, texts, batch_size, trained_here):
    scores = scored(model, "bits-per-byte", texts, reader, Settings(batch_size, WINDOW), trained_here)
    start = reader.eos_token_id if trained_here else reader.bos_token_id
    bits = [-rolling(model, reader, example["text"], start) / math.log(2) for example in texts]
    np.testing.assert_allclose(scores.stats[:, 0], bits, rtol=1e-6)
    assert scores.stats[:, 1].tolist() == [len(example["text"].encode()) for example in texts]
    assert float(ratio(scores.stats.sum(axis=0))) == pytest.approx(sum(bits) / scores.stats[:, 1].sum())


@pytest.mark.parametrize("batch_size", [1, 7])
def test_multiple_choice_equals_a_direct_computation(model, reader, questions, batch_size):
    stats = scored(model, "multiple-choice", questions, reader, Settings(batch_size, 64)).stats
    expected = []
    for question in questions:
        context = reader.encode(question["context"])
        wholes = [reader.encode(f"{question['context']} {choice}") for choice in question["choices"]]
        likelihoods = [log_likelihood(model, context, whole[len(context) :]) for whole in wholes]
        expected.append(float(np.argmax(likelihoods) == question["gold"]))
    assert stats[:, 0].tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_minimal_pairs_compare_whole_sentences_after_the_start_mark(model, reader):
    lines = sentences(16)
    pairs = [{"context": "", "choices": lines[2 * i : 2 * i + 2], "gold": 0} for i in range(8)]
    stats = scored(model, "multiple-choice", pairs, reader, Settings(4, 64)).stats
    expected = []
    for pair in pairs:
        good, bad = (log_likelihood(model, [reader.bos_token_id], reader.encode(line)) for line in pair["choices"])
        expected.append(float(good > bad))
    assert stats[:, 0].tolist() == expected


@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_continuation_is_right_where_greedy_decoding_goes_on_so(batch_size):
    """Of words, so that what the model generates can be asked of it again; and a word more than that."""
    reader = tokenizer("word", ends=False)
    model, rows, greedy = fitting("llama", reader), [], []
    for line in sentences(8, 6):
        given = torch.tensor([reader.encode(line)])
        answer = reader.decode(model.generate(given, max_new_tokens=2, do_sample=False)[0, given.shape[1] :])
        rows += [{"context": line, "continuation": follows} for follows in (answer, f"{answer} w1")]
    for row in rows:
        context, ids = reader.encode(row["context"]), reader.encode(f"{row['context']} {row['continuation']}")
        likeliest = model(torch.tensor([ids])).logits[0, len(context) - 1 : -1].argmax(-1).tolist()
        greedy.append(float(likeliest == ids[len(context) :]))
    scores = scored(model, "continuation", rows, reader, Settings(batch_size, 64))
    assert scores.stats.tolist() == [[one, 1.0] for one in greedy]
    assert 0 < sum(greedy) < len(rows)
    assert scores.aggregate == "accuracy" and "acc, whether greedy decoding goes on so" in scores.signature


def test_one_evaluation_scores_all_tasks_of_every_model(model, reader, texts, questions):
    tasks = [(task("bits-per-byte", "pages"), texts), (task("multiple-choice", "quiz"), questions)]
    evaluation = Evaluation(tasks, Contract.of(model, reader, length=32), Settings(8, 32))
    before = state(model)
    first = evaluation.score(model)
    other = evaluation.score(fitting("llama", reader, num_hidden_layers=2))
    again = evaluation.score(model)
    assert state(model) == before
    for name in ("pages", "quiz"):
        np.testing.assert_array_equal(first[name].stats, again[name].stats)
    assert not np.array_equal(first["pages"].stats, other["pages"].stats)
    assert "rolling windows of 32 tokens" in first["pages"].signature and "seed" in first["pages"].signature
    assert first["quiz"].signature.startswith("lm-eval 0.4")


def test_nothing_is_printed(model, reader, texts, capfd):
    score(model, task("bits-per-byte"), texts, reader, Settings(8, 32))
    assert capfd.readouterr() == ("", "")


def test_nan_raises_and_names_the_task(reader, texts, questions):
    broken = fitting("llama", reader)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(NotFinite, match="pages"):
        score(broken, task("bits-per-byte", "pages"), texts, reader, Settings(8, 32))
    with pytest.raises(NotFinite, match="quiz"):
        score(broken, task("multiple-choice", "quiz"), questions, reader, Settings(8, 32))


def given(model, ask) -> tuple[int, int]:
    """Rows that the model is given while ``ask`` runs, and tokens at which it says what comes next."""
    rows, predictions = [], []
    hooks = [
        model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0]))),
        model.get_output_embeddings().register_forward_hook(lambda _, inputs, said: predictions.append(said.shape[:2])),
    ]
    try:
        ask()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(rows), sum(batch * tokens for batch, tokens in predictions)


def test_the_output_layer_sees_the_tokens_that_are_wanted_and_no_others(model, reader, questions):
    tasks = made(model, "multiple-choice", questions, reader, Settings(None, 64, tokens=200))
    with_words = [(row["context"], f"{row['context']} {choice}") for row in questions for choice in row["choices"]]
    wanted = {(whole, len(reader.encode(whole)) - len(reader.encode(context))) for context, whole in with_words}
    rows, predictions = given(model, lambda: tasks.score(model))
    assert (rows, predictions) == (len(wanted), sum(count for _, count in wanted))


def test_choices_that_differ_in_their_last_token_are_given_once(model, reader, texts):
    context, choices = texts[0]["text"], ["a", "b", "c", "d"]
    wholes = [reader.encode(f"{context} {choice}") for choice in choices]
    assert len({tuple(whole[:-1]) for whole in wholes}) == 1 and len({whole[-1] for whole in wholes}) == 4
    rows = [{"context": context, "choices": choices, "gold": 1}]
    tasks = made(model, "multiple-choice", rows, reader, Settings(4, 64))
    assert given(model, lambda: tasks.score(model)) == (1, len(wholes[0]) - len(reader.encode(context)))
