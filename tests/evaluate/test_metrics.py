"""Scores from summed counts are sacreBLEU's for every setting, called from Python and from its command line."""

import io
import json
import logging
import subprocess
import sys
import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
from evaluation_helpers import metric
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers import tokenizer_spm

from headroom.config.located import validated
from headroom.config.metrics import METRICS, Metric, check_fit
from headroom.config.tasks import Languages, load_task
from headroom.errors import UserError
from headroom.evaluate import sacre
from headroom.results.aggregates import AGGREGATES
from headroom.results.records import TaskFacts
from headroom.results.resamples import retained
from headroom.results.stats import resampled_sums, task_score

TOKENIZERS = ["13a", "zh", "intl", "char", "none"]  # those that need nothing else
WORDS = [
    "the",
    "The",
    "cat",
    "CAT,",
    "sat.",
    "(hi)",
    "3.5",
    "&quot;",
    "a-b",
    "我们",
    "今天去北京",
    "。",
    "ÄRA",
    "ß",
    "!",
    " ",
]

TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=30), st.just(""))
PAIRS = st.lists(st.tuples(TEXTS, TEXTS) | TEXTS.map(lambda text: (text, text)), min_size=1, max_size=8)
METRIC = st.one_of(
    st.builds(metric, st.just("bleu"), tokenize=st.sampled_from([None, *TOKENIZERS]), lowercase=st.booleans()),
    st.builds(metric, st.sampled_from(["chrf", "chrf++"]), lowercase=st.booleans()),
)
PERFECT = ["我们今天去北京", "他昨天在家里看书。"]


def ours(asked, translations, references):
    """The score from summed counts, and sacreBLEU's object behind it."""
    scorer = sacre.scorer(asked, references)
    sums = sacre.statistics(scorer, translations).sum(axis=0)
    return float(AGGREGATES[asked.name](sums)), str(scorer.get_signature())


def theirs(asked):
    """sacreBLEU's metric for the same settings, made anew."""
    if asked.name == "bleu":
        return BLEU(tokenize=asked.tokenize, lowercase=asked.lowercase)
    return CHRF(word_order=2 if asked.name == "chrf++" else 0, lowercase=asked.lowercase)


@settings(max_examples=300, deadline=None)
@given(METRIC, PAIRS)
def test_sums_of_sentences_give_the_corpus_score(asked, pairs):
    translations, references = map(list, zip(*pairs, strict=True))
    reference = theirs(asked)
    expected = reference.corpus_score(translations, [references]).score
    assert ours(asked, translations, references) == (expected, str(reference.get_signature()))


LINES = [
    ("the cat sat on a mat .", "The cat sat on the mat ."),
    ("A dog, barked twice!", "a dog barked, twice (twice)."),
    ("我们今天去了北京。", "我们今天去北京。"),
    ("", "it rained 3.5 hours"),
    ("something", ""),
    ("他 在家 watches TV", "他在家看TV"),
]


@pytest.mark.parametrize(
    ("tokenize", "lowercase", "words"),
    [("13a", False, 0), ("zh", False, 2), ("intl", True, 0), ("char", True, 2), ("none", False, 2)],
)
def test_scores_are_those_of_the_command_line(tmp_path, tokenize, lowercase, words):
    translations, references = map(list, zip(*LINES, strict=True))
    for name, lines in (("out", translations), ("reference", references)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    asked = ["reference", "-i", "out", "-m", "bleu", "chrf", "--tokenize", tokenize, "--chrf-word-order", str(words)]
    asked += ["--lowercase", "--chrf-lowercase"] * lowercase
    done = subprocess.run(
        [sys.executable, "-m", "sacrebleu", *asked, "--width", "10"], cwd=tmp_path, capture_output=True, check=True
    )
    bleu, chrf = json.loads(done.stdout)
    both = (
        metric("bleu", tokenize=tokenize, lowercase=lowercase),
        metric("chrf++" if words else "chrf", lowercase=lowercase),
    )
    for said, one in zip((bleu, chrf), both, strict=True):
        score, signature = ours(one, translations, references)
        assert score == pytest.approx(said["score"], abs=1e-9)
        assert signature == said["signature"]


@pytest.mark.parametrize("name", ["bleu", "chrf", "chrf++"])
def test_every_resample_is_scored_as_sacrebleu_scores_it(name):
    translations, references = map(list, zip(*LINES, strict=True))
    scorer = sacre.scorer(metric(name), references)
    sums = resampled_sums(sacre.statistics(scorer, translations), resamples=200)
    expected = [scorer._compute_score_from_stats([int(count) for count in row]).score for row in sums]
    np.testing.assert_array_equal(AGGREGATES[name](sums), expected)


@pytest.mark.parametrize("asked", [metric(tokenize="zh"), metric(tokenize="char"), metric("chrf"), metric("chrf++")])
def test_a_perfect_chinese_translation_is_perfect(asked):
    assert ours(asked, PERFECT, PERFECT)[0] == pytest.approx(100)
    assert ours(metric(), PERFECT, PERFECT)[0] == 0  # sacreBLEU's own number, and why there is a warning


def test_the_tokenizer_stands_in_the_signature():
    assert "tok:zh" in ours(metric(tokenize="zh"), PERFECT, PERFECT)[1]
    assert "case:lc" in ours(metric("chrf", lowercase=True), PERFECT, PERFECT)[1]


def test_retained_quality_of_chrf_goes_from_chance_to_the_dense_model():
    translations, references = map(list, zip(*LINES, strict=True))
    scorer = sacre.scorer(metric("chrf"), references)
    dense, less = sacre.statistics(scorer, references), sacre.statistics(scorer, translations)
    found = task_score(less, dense, "chrf", chance=20.0)
    assert found.retained == pytest.approx((found.value - 20) / (100 - 20))
    facts = {"version": 1, "better": "higher", "unit": "chrF", "chance": 20.0, "signature": "", "data_hash": ""}
    value, draws = retained(less, dense, TaskFacts(metric="chrf", **facts))
    assert value == found.retained and draws.min() <= value <= draws.max()


def stated(**changes):
    return validated(
        Metric, {"name": "bleu", "better": "higher", "unit": "BLEU", "chance": 0} | changes, "tasks/x.yaml"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"tokenize": "zho"},
            "tokenize is 'zho'; sacreBLEU has no such tokenizer. Did you mean 'zh'? Allowed: 13a, char",
        ),
        ({"tokenize": "ja_mecab"}, "Did you mean 'ja-mecab'?"),
        ({"tokenize": ""}, "tokenize is ''; sacreBLEU has no such tokenizer"),
        ({"tokenize": 13}, "tokenize is 13"),
        ({"name": "chrf", "tokenize": "zh"}, "tokenize: belongs to bleu, and this is chrf; leave it out"),
        ({"name": "accuracy", "lowercase": False}, "lowercase: belongs to bleu, chrf and chrf++, and this is accuracy"),
        ({"by_length": True}, "by_length: belongs to accuracy, and this is bleu; leave it out"),
        ({"name": "chrf", "better": "lower"}, "better is 'lower'; of chrf the higher is the better"),
        ({"name": "chrf++", "chance": 100}, "chance is 100.0; chrf++ goes from 0 to 100"),
        ({"name": "chrf+"}, "name is 'chrf+'. Did you mean 'chrf"),
        ({"lowercase": "perhaps"}, "lowercase is 'perhaps'"),
        ({"tokenise": "zh"}, "tokenise: unknown key. Did you mean 'tokenize'?"),
    ],
)
def test_a_setting_that_does_not_fit_is_a_sentence(changes, words):
    with pytest.raises(UserError) as caught:
        stated(**changes)
    assert str(caught.value).startswith("tasks/x.yaml: ") and words in str(caught.value)


def test_by_length_is_of_several_choices_alone():
    accuracy = Metric(name="accuracy", better="higher", unit="%", chance=25, by_length=True)
    check_fit(accuracy, "multiple-choice")
    with pytest.raises(PydanticCustomError) as caught:
        check_fit(accuracy, "classification")
    assert "belongs to multiple-choice; leave it out" in str(caught.value.context)


@pytest.mark.parametrize("name", METRICS["translation"])
def test_what_is_not_stated_is_not_written(name):
    plain = {"name": name, "better": "higher", "unit": "BLEU", "chance": 0}
    assert stated(**plain).model_dump(mode="json") == plain  # or hashes of what was measured before would change
    full = plain | {"lowercase": True} | ({"tokenize": "zh"} if name == "bleu" else {})
    assert stated(**stated(**full).model_dump(mode="json")) == stated(**full)
    assert stated(**full).model_dump(mode="json") == full


def test_reading_a_task_needs_no_sacrebleu():
    code = "import sys; from headroom.config.tasks import load_task; load_task('toy-translation'); import headroom.cli"
    code += "; sys.exit('sacrebleu' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    sacre.check_metric(load_task("toy-translation").metric, "tasks/toy-translation.yaml")


@pytest.mark.parametrize(
    ("name", "package"), [("ja-mecab", "sacrebleu[ja]"), ("ko-mecab", "sacrebleu[ko]"), ("flores200", "sentencepiece")]
)
def test_a_package_that_is_missing_is_named_before_anything_runs(monkeypatch, name, package):
    monkeypatch.setattr(sacre, "find_spec", lambda module: None)
    with pytest.raises(UserError, match=r"tasks/x\.yaml: metric\.tokenize") as caught:
        sacre.check_metric(metric(tokenize=name), "tasks/x.yaml")
    assert f"`pip install '{package}'`" in str(caught.value)


def test_every_tokenizer_of_sacrebleu_is_known():
    assert set(BLEU.TOKENIZERS) == {*TOKENIZERS, *sacre.NEEDS}


@pytest.mark.parametrize("failure", [URLError("no network"), SystemExit(1), None])
def test_a_model_to_fetch_is_announced_and_its_failure_a_sentence(monkeypatch, tmp_path, caplog, failure):
    pytest.importorskip("sentencepiece")

    def fetch(address):
        if failure:
            raise failure
        return io.BytesIO(b"<html>no model of sentencepiece, as a proxy's page is none</html>")

    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", fetch)
    caplog.set_level(logging.INFO)
    with pytest.raises(UserError, match="cannot start it") as caught:
        sacre.check_metric(metric(tokenize="flores200"), "tasks/x.yaml")
    assert str(tmp_path) in str(caught.value) and "sacreBLEU fetches its model from https://" in caplog.text


def test_a_task_is_looked_at_before_its_data_are_read(monkeypatch, caplog):
    task = load_task("toy-translation")
    sacre.check_task(task)
    assert not caplog.records
    sacre.check_task(task.model_copy(update={"languages": Languages(source="en", target="tha_Thai")}))
    assert "task toy-translation: Thai is written without spaces" in caplog.text
    monkeypatch.setattr(sacre, "find_spec", lambda module: None)
    with pytest.raises(UserError, match=r"tasks/toy-translation\.yaml: metric\.tokenize"):
        sacre.check_task(task.model_copy(update={"metric": metric(tokenize="ja-mecab")}))
