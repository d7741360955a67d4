"""BLEU of a translation model: cached greedy or beam decoding, and sacreBLEU's counts per sentence."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from sacrebleu.metrics import BLEU

from headroom.evaluate.scores import NotFinite, Scores, Settings, as_found, length_batches

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headroom.data.text import TranslationCollator


class Translation:
    """Source sentences of one task, encoded once and batched by length."""

    def __init__(
        self, task: str, examples: Sequence[dict[str, Any]], collator: TranslationCollator, settings: Settings
    ) -> None:
        """``examples`` have ``source`` and ``target``."""
        self.task, self.tokenizer, self.settings = task, collator.tokenizer, settings
        self.references = [example["target"] for example in examples]
        places = length_batches([collator.size(example) for example in examples], settings.batch_size)
        self.batches = [(batch, collator([{"source": examples[i]["source"]} for i in batch])) for batch in places]

    def limits(self, inputs: dict[str, Tensor]) -> list[int]:
        """Tokens each translation may have. Without a limit a model that never ends would take most of the time."""
        return [min(self.settings.max_new_tokens, 2 * size + 10) for size in inputs["attention_mask"].sum(1).tolist()]

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Columns of the statistics: output length, reference length, 4 x matches, 4 x n-grams (``bleu_statistics``).

        Raises ``NotFinite`` when a logit was not a number at any step of decoding.
        """
        with as_found(model):
            stats = bleu_statistics(self.translate(model), self.references)
        return {self.task: Scores(stats, "bleu", self.signature())}

    def translate(self, model: Any) -> list[str]:
        """Translations in the order of the examples."""
        texts = [""] * len(self.references)
        for places, inputs in self.batches:
            limits = self.limits(inputs)
            tokens = self.generate(model, inputs, max(limits))
            # Cut at each sentence's own limit, so that its translation does not depend on the rest of the batch.
            # Token 0 is the decoder's start.
            rows = [row[: 1 + limit] for row, limit in zip(tokens, limits, strict=True)]
            for place, text in zip(places, self.tokenizer.batch_decode(rows, skip_special_tokens=True), strict=True):
                texts[place] = text
        return texts

    def generate(self, model: Any, inputs: dict[str, Tensor], limit: int) -> Tensor:
        """Tokens of shape (batch, 1 + at most ``limit``), the start token first."""
        guard = FiniteGuard()
        beams = {"length_penalty": 1.0, "early_stopping": False} if self.settings.beams > 1 else {}
        tokens = model.generate(
            **{name: tensor.to(model.device) for name, tensor in inputs.items()},
            max_new_tokens=limit,
            max_length=None,
            num_beams=self.settings.beams,
            **beams,
            do_sample=False,
            use_cache=True,
            logits_processor=[guard],
        )
        if guard.broken is not None and bool(guard.broken):
            raise NotFinite(self.task)
        return tokens.cpu()

    def signature(self) -> str:
        """sacreBLEU's signature and how the translations were decoded."""
        how = "greedy" if self.settings.beams == 1 else f"beam {self.settings.beams} (length penalty 1)"
        longest = f"at most min({self.settings.max_new_tokens}, 2 x source + 10) tokens"
        bleu = BLEU()
        bleu.corpus_score([""], [[""]])  # the number of references is known to the signature only after a score
        return f"{bleu.get_signature()}, {how} decoding, {longest}, transformers {version('transformers')}"


class FiniteGuard:
    """A logits processor that changes nothing and remembers whether a score was NaN or plus infinity.

    Minus infinity is allowed: it is how generation forbids a token.
    """

    def __init__(self) -> None:
        self.broken: Tensor | None = None  # stays on the device, so that no step waits for it

    def __call__(self, tokens: Tensor, scores: Tensor) -> Tensor:
        now = (scores.isnan() | scores.isposinf()).any()
        self.broken = now if self.broken is None else self.broken | now
        return scores


def bleu_statistics(translations: list[str], references: list[str]) -> np.ndarray:
    """sacreBLEU's counts per sentence, shape (sentences, 10); their sums give ``BLEU().corpus_score`` exactly."""
    bleu = BLEU(effective_order=True)  # silences a warning about sentences; the counts do not depend on it
    stats = np.empty((len(references), 10))
    for place, (text, reference) in enumerate(zip(translations, references, strict=True)):
        score = bleu.sentence_score(text, [reference])
        stats[place] = [score.sys_len, score.ref_len, *score.counts, *score.totals]
    return stats
