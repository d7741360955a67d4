"""Start marks reach the model as its family wants them: against lm-eval's own numbers, and in what the model sees."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, sentences, tokenizer
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers.processors import TemplateProcessing

from headroom.data.start import Start, start_of
from headroom.errors import UserError
from headroom.evaluate import Settings
from headroom.evaluate.harness import LanguageTasks

WINDOW = 16
TEXTS = [" ".join(sentences(count)) for count in (1, 2, 5, 9)]
QUESTIONS = [("w1 w2", "w3 w4"), ("w5 ", "w6"), ("", "w7 w8 w9"), ("  ", "w1"), (" ".join(sentences(9)), "w2 w3")]


def reading(front: str = "", behind: str = ""):
    """Pieces of bytes with a start mark of their own, ``front`` and ``behind`` put around a text by the tokenizer."""
    reader = tokenizer("bpe", ends=False)
    reader.bos_token = "<s>"
    if front or behind:
        marks = [(mark, reader.convert_tokens_to_ids(mark)) for mark in ("<s>", "</s>")]
        reader.backend_tokenizer.post_processor = TemplateProcessing(
            f"{front} $A {behind}".strip(), special_tokens=marks
        )
    return reader


READERS = [("", ""), ("<s>", ""), ("", "</s>"), ("<s>", "</s>")]


def bits(model, texts, reader, start: Start, window: int = WINDOW, batch: int = 3) -> np.ndarray:
    rows = [{"text": text} for text in texts]
    found = LanguageTasks({"made": ("bits-per-byte", rows)}, reader, Settings(batch, window), start).score(model)
    return found["made"].stats[:, 0]


def lm_eval(model, reader, window: int = WINDOW, batch: int = 3, **settings) -> HFLM:
    return HFLM(pretrained=model, tokenizer=reader, batch_size=batch, max_length=window, **settings)


def rolling(live: HFLM, texts) -> np.ndarray:
    asked = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in sorted(texts, key=len, reverse=True)]
    found = dict(zip((one.args[0] for one in asked), live.loglikelihood_rolling(asked, disable_tqdm=True), strict=True))
    return np.array([-found[text] / math.log(2) for text in texts])


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_without_marks_in_windows_the_numbers_are_lm_evals_own_to_the_bit(family):
    reader = reading()
    model = fitting(family, reader)
    reference = rolling(lm_eval(model, reader), TEXTS)
    for around in READERS:  # whatever the tokenizer adds, the text has the mark once
        start = start_of(model.config, reading(*around))
        assert bits(model, TEXTS, reading(*around), start).tolist() == reference.tolist()


@pytest.mark.parametrize("family", ["gemma", "gemma2", "gemma3"])
def test_a_text_of_one_window_is_lm_evals_own_for_a_gemma_too(family):
    reader = reading()
    model = fitting(family, reader)
    start = start_of(model.config, reader)
    assert start.every_window
    assert bits(model, TEXTS, reader, start, 512).tolist() == rolling(lm_eval(model, reader, 512), TEXTS).tolist()
    longer = bits(model, TEXTS, reader, start)[-1]
    assert abs(longer - rolling(lm_eval(model, reader), TEXTS)[-1]) > 1  # lm-eval's later windows have no mark


@torch.no_grad()
@pytest.mark.parametrize("around", READERS)
def test_each_window_of_a_gemma_begins_with_the_mark(around):
    """Against windows written out here: each token once, from the mark, the token before and the rest of the window."""
    reader = reading(*around)
    model = fitting("gemma", reader)
    for text in TEXTS:
        ids = reader.encode(text, add_special_tokens=False)
        ends = [*range(min(len(ids), WINDOW), len(ids), WINDOW - 1), len(ids)]
        total, done = 0.0, 0
        for end in dict.fromkeys(ends):
            first = max(0, end - WINDOW) if done else 0
            window = torch.tensor([[1, *ids[first:end]]])
            scores = model(window[:, :-1]).logits.log_softmax(-1)[0].gather(1, window[0, 1:, None])[:, 0]
            assert window.shape[1] - 1 <= WINDOW and (done == 0 or first < done)
            total, done = total - scores[done - first :].sum().item() / math.log(2), end
        assert bits(model, [text], reader, start_of(model.config, reader))[0] == pytest.approx(total, rel=1e-6)


def seen(model, ask) -> list[list[int]]:
    """Every row of tokens that the model is given while ``ask`` runs, without the padding zeros behind it."""
    rows: list[list[int]] = []

    def note(_, inputs):
        rows.extend(row.tolist() for row in inputs[0])

    handle = model.get_input_embeddings().register_forward_pre_hook(note)
    try:
        ask()
    finally:
        handle.remove()
    return [row[: max(place for place, token in enumerate(row) if token) + 1] for row in rows]


@pytest.mark.parametrize("family", ["llama", "gemma"])
@pytest.mark.parametrize("around", READERS)
def test_a_context_has_one_mark_where_tokenizer_or_family_want_it(family, around):
    reader = reading(*around)
    model = fitting(family, reader)
    rows = [{"context": context, "choices": [choice, choice + " w9"], "gold": 0} for context, choice in QUESTIONS]
    tasks = LanguageTasks(
        {"made": ("multiple-choice", rows)}, reader, Settings(4, WINDOW), start_of(model.config, reader)
    )
    found = seen(model, lambda: tasks.score(model))
    for row in found:
        assert row.count(1) <= 1 and 2 not in row and (1 not in row or row[0] == 1) and len(row) <= WINDOW
    marked = [row[0] == 1 for row in found]
    if family == "gemma":  # also where a context is too long and cut on the left
        assert all(marked)
    elif around[0]:
        assert marked.count(False) == 2  # as lm-eval cuts it
    else:
        assert marked.count(True) == 4  # the choices without context
    assert len(found) == 2 * len(QUESTIONS)


@pytest.mark.parametrize("front", ["", "<s>"])
def test_choices_have_lm_evals_own_likelihoods(front):
    reader = reading(front)
    model = fitting("llama", reader)
    pairs = [pair for pair in QUESTIONS if pair[0] != "  "]  # lm-eval has no tokens for a context of spaces
    rows = [{"context": context, "choices": [choice, "w5"], "gold": 0} for context, choice in pairs]
    tasks = LanguageTasks({"made": ("multiple-choice", rows)}, reader, Settings(1, 64), start_of(model.config, reader))
    from headroom.evaluate.live import LiveModel

    live = LiveModel(pretrained=model, tokenizer=reader, batch_size=1, max_length=64)
    live.known, live.start = {}, tasks.start
    asked = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    assert live.loglikelihood(asked) == lm_eval(model, reader, 64, 1).loglikelihood(asked, disable_tqdm=True)


def test_what_cannot_be_scored_is_a_sentence():
    reader = reading()
    model = fitting("llama", reader)
    start = start_of(model.config, reader)

    def quiz(*choices):
        rows = [{"context": "w1 ", "choices": list(choices), "gold": 0}]
        return LanguageTasks({"made": ("multiple-choice", rows)}, reader, Settings(4, WINDOW), start)

    with pytest.raises(UserError, match="has 61 tokens, and the model is given 16 at most"):
        quiz("w1 " * 30, "w2").score(model)
    with pytest.raises(UserError, match="Question 0 has a choice without a letter"):
        quiz("", "w2")
    with pytest.raises(UserError, match="neither a start nor an end mark"):
        LanguageTasks({}, reader, Settings(), replace(start, token=None))


def test_records_state_the_mark():
    gemma, llama = fitting("gemma", reading()), fitting("llama", reading())
    tasks = {"pages": ("bits-per-byte", [{"text": "w1"}])}
    tasks["quiz"] = ("multiple-choice", [{"context": "w1", "choices": ["w1", "w2"], "gold": 0}])
    said = {}
    for model, front in ((gemma, ""), (llama, "<s>"), (llama, "")):
        reader = reading(front)
        scores = LanguageTasks(tasks, reader, Settings(4, 16), start_of(model.config, reader)).score(model)
        said[model.config.model_type + front] = [scores[name].signature for name in ("pages", "quiz")]
    assert "windows of 16 tokens, start '<s>' in every window, 0-shot" in said["gemma"][0]
    assert "start '<s>' before every context" in said["gemma"][1] and said["gemma"][1] == said["llama<s>"][1]
    assert "windows of 16 tokens, start '<s>', 0-shot" in said["llama"][0]
    assert "start '<s>' in place of no context" in said["llama"][1]


def test_a_real_llama_is_scored_as_lm_eval_scores_it_and_worse_with_marks_in_its_stories():
    data = os.environ.get("HEADROOM_DATA")
    if data is None or not (Path(data) / "model_stories260k").is_dir():
        pytest.skip("HEADROOM_DATA names no folder with model_stories260k")
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(data) / "model_stories260k"
    model, reader = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    stories = load_dataset(
        "parquet", data_files=str(Path(data) / "tinystories/gpt4_train_sample.parquet"), split="train"
    )
    texts = list(stories[600:612]["text"])
    start = start_of(model.config, reader, generation=model.generation_config)
    assert start == Start(1, "<s>", False, True, "'<s>' before the first window")
    ours = bits(model, texts, reader, start, 128, 16)
    assert ours.tolist() == rolling(lm_eval(model, reader, 128, 16, add_bos_token=False), texts).tolist()
    assert bits(model, texts, reader, replace(start, every_window=True), 128, 16).sum() > ours.sum()
