"""Translations of a model by cached greedy or beam decoding, and what sacreBLEU counts in every sentence of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from headroom.evaluate import sacre, spacing
from headroom.evaluate.batching import in_rows, places, rows, runs
from headroom.evaluate.predictions import Predictions, counts
from headroom.evaluate.said import SHOWN
from headroom.evaluate.scores import NotFinite, Scores, Settings, as_found

if TYPE_CHECKING:
    from torch import nn

    from headroom.config.metrics import Metric
    from headroom.data.text import TranslationCollator

UNSAID = -1  # behind the end of a translation


@dataclass(frozen=True)
class Metered:
    """A task that asks for the translations: what they are held against, and by which metric."""

    task: str
    metric: Metric
    references: list[str]
    scorer: Any

    @classmethod
    def of(cls, task: str, examples: Sequence[dict[str, Any]], metric: Metric) -> Metered:
        """Raises ``UserError`` for a tokenizer that is not installed.

        Warns, once, when the metric splits at spaces and the references have none.
        """
        references = [example["target"] for example in examples]
        sacre.check_metric(metric, f"task {task}")
        if said := spacing.unspaced(references, metric):
            spacing.warn(task, said)
        return cls(task, metric, references, sacre.scorer(metric, references))


class Translation:
    """Source sentences, encoded once and batched by length; translated once for all tasks that ask for the same."""

    dense: Predictions | None = None  # what the dense model predicted, once it is to be remembered
    own: dict[int, Tensor]  # by example: the tokens of the dense model's translation, its start in front

    def __init__(
        self,
        task: str,
        examples: Sequence[dict[str, Any]],
        collator: TranslationCollator,
        settings: Settings,
        metric: Metric,
    ) -> None:
        """``examples`` have ``source`` and ``target``. Raises ``UserError`` as ``Metered.of`` does."""
        self.settings, self.metered = settings, [Metered.of(task, examples, metric)]
        self.spoken, self.tokenizer = collator.spoken, collator.tokenizer
        self.sources = [{"source": example["source"]} for example in examples]
        together = places(self.sources, collator, settings)
        self.batches = [(batch, collator([self.sources[place] for place in batch])) for batch in together]

    def also(
        self, task: str, examples: Sequence[dict[str, Any]], collator: TranslationCollator, metric: Metric
    ) -> bool:
        """Take a task that asks for the same translations, between the same languages; whether it does."""
        same = self.sources == [{"source": example["source"]} for example in examples]
        if same and replace(self.spoken, tokenizer=None) == replace(collator.spoken, tokenizer=None):
            self.metered.append(Metered.of(task, examples, metric))
            return True
        return False

    def limits(self, inputs: dict[str, Tensor]) -> list[int]:
        """Tokens each translation may have. Without a limit a model that never ends would take most of the time."""
        return [min(self.settings.max_new_tokens, 2 * size + 10) for size in inputs["attention_mask"].sum(1).tolist()]

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Counts of every sentence, as ``sacre.statistics`` has them.

        Raises ``NotFinite`` when a logit was not a number at any step of decoding.
        """
        with as_found(model):
            texts = self.translate(model)
            agreement = self.agreement(model) if self.dense is not None else None
        said = tuple(texts[:SHOWN])
        return {
            one.task: Scores(
                sacre.statistics(one.scorer, texts), one.metric.name, self.signature(one.scorer), agreement, said
            )
            for one in self.metered
        }

    def translate(self, model: Any) -> list[str]:
        """Translations in the order of the examples."""
        texts, said = [""] * len(self.sources), dict[int, Tensor]()
        for together, inputs in self.batches:
            tokens = in_rows(partial(self.decoded, model), inputs)
            said |= zip(together, tokens, strict=True)
            found = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            for place, text in zip(together, found, strict=True):
                texts[place] = text
        if self.dense is not None and not self.own:
            self.own = said
        return texts

    def remember(self) -> dict[str, Predictions]:
        """Take what the model says that is scored next for the dense model's own translations; by task."""
        self.dense, self.own = Predictions(), {}
        return {one.task: self.dense for one in self.metered}

    def agreement(self, model: Any) -> np.ndarray:
        """Counts of the predictions of each token of the dense model's own translations, (examples, 3)."""
        assert self.dense is not None
        found = np.empty((len(self.sources), 3))
        for together, inputs in self.batches:
            own = pad_sequence([self.own[place] for place in together], batch_first=True, padding_value=UNSAID)
            asked = inputs | {"own": own, "places": torch.tensor(together)}
            for place, row in zip(together, in_rows(partial(self.changed, model, self.dense), asked), strict=True):
                found[place] = counts(row)
        return found

    def changed(self, model: Any, dense: Predictions, inputs: dict[str, Tensor]) -> list[np.ndarray]:
        """How the predictions of each row changed at every token of what the dense model said, (its tokens, 2)."""
        found: list[np.ndarray] = []
        sizes = (inputs["own"] != UNSAID).sum(1) - 1
        for part in runs(len(sizes), model.config.vocab_size * int(sizes.max())):
            given = {name: tensor.to(model.device) for name, tensor in rows(inputs, part).items()}
            own, together = given.pop("own"), given.pop("places").tolist()
            with only_at(own[:, 1:] != UNSAID, model.get_output_embeddings()):
                logits = model(**given, decoder_input_ids=own[:, :-1].clamp_min(0)).logits[0]
            likely = logits.float().log_softmax(-1)
            found += dense.changes_of(together, sizes[part].tolist(), likely)
        return found

    def decoded(self, model: Any, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Tokens of each translation, cut at its own limit, so that it does not depend on the rest of the batch."""
        limits = self.limits(inputs)
        tokens = self.generate(model, inputs, max(limits))
        ends = torch.as_tensor(model.generation_config.eos_token_id or []).view(-1)
        cut = [row[: 1 + limit] for row, limit in zip(tokens, limits, strict=True)]  # token 0 is the decoder's start
        return [row[: 1 + spoken(row[1:], ends)] for row in cut]

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
            **self.spoken.generation,
            do_sample=False,
            use_cache=True,
            logits_processor=[guard],
        )
        if guard.broken is not None and bool(guard.broken):
            raise NotFinite(" and ".join(one.task for one in self.metered))
        return tokens.cpu()

    def signature(self, scorer: Any) -> str:
        """sacreBLEU's signature and how the translations were decoded."""
        how = "greedy" if self.settings.beams == 1 else f"beam {self.settings.beams} (length penalty 1)"
        longest = f"at most min({self.settings.max_new_tokens}, 2 x source + 10) tokens"
        return f"{scorer.get_signature()}, {how} decoding, {longest}, transformers {version('transformers')}"


@contextmanager
def only_at(places: Tensor, layer: nn.Module) -> Iterator[None]:
    """Let the output layer see the states at these ``places``, (batch, tokens) of bool, as the one row of a batch.

    Its work, a vocabulary for every token, is most of a small translator's, and a third of a batch is padding.
    """
    hook = layer.register_forward_pre_hook(lambda _, given: (given[0][places][None], *given[1:]))
    try:
        yield
    finally:
        hook.remove()


def spoken(tokens: Tensor, ends: Tensor) -> int:
    """How many tokens a translation has, its first end included; all where there is none."""
    at = torch.isin(tokens, ends).nonzero()
    return int(at[0]) + 1 if len(at) else len(tokens)


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
