"""lm-eval's ``HFLM`` on a model object in memory: quiet, each text encoded once, start marks as the family wants them.

Which tokens lm-eval asks, it gets from here: it has one start mark a text and none in later windows
(EleutherAI/lm-evaluation-harness#2382), or two where the tokenizer adds one (#3333). The log likelihood of token lists
is lm-eval's in value, and computed here, for what is wanted alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from headroom.data.start import Start
from headroom.errors import UserError
from headroom.evaluate.batching import as_memory_allows, by_count, by_tokens, in_parts
from headroom.evaluate.translation import only_at

Known = dict[tuple[str, ...], "array[int]"]  # by the parts of a text; a list of numbers takes nine times as much
Asked = tuple[Any, list[int], list[int]]  # what was asked, in words; the tokens given; the tokens to predict
Wanted = list[list[int]]  # behind one row: the tokens to predict, of each request that gives the model this row
Likelihood = tuple[float, bool]


class Row(NamedTuple):
    """What goes through the model once."""

    given: tuple[int, ...]  # tokens
    predictions: int  # how many of them, from the last, are asked what comes next


class LiveModel(HFLM):
    """HFLM with the start marks of ``start``."""

    start: Start
    tokens: int | None = None  # in one forward pass, padding included; None: `batch_size` counts what is asked
    known: Known  # encodings without marks, shared by all models that are asked the same

    def plain(self, *parts: str) -> list[int]:
        """The tokens of a text, whole or in parts, without what the tokenizer puts in front of it or behind."""
        if parts not in self.known:
            self.known[parts] = array("i", self.tokenizer.encode("".join(parts), add_special_tokens=False))
        return self.known[parts].tolist()

    def loglikelihood(self, requests: list, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """Log likelihood of each choice behind its context, and whether it is the likeliest."""
        return self._loglikelihood_tokens([self.pair(*request.args) for request in requests])

    def pair(self, context: str, choice: str) -> Asked:
        """Tokens of a context and of the choice behind it, cut where lm-eval cuts them.

        Space between the two belongs to the choice. The context begins with the start mark where ``start`` says so, and
        is one where there is no context. Raises ``UserError`` for a choice that cannot be scored.
        """
        words = context.rstrip()
        whole, head = self.plain(context, choice), self.plain(words) if words else []
        given, wanted = list(head), whole[len(head) :]
        if not words:
            wanted = self.start.after(whole)
        if self.start.before_context or not given:
            given = self.start.before(given)
        if not 0 < len(wanted) <= self.max_length:
            raise UserError(
                f"The choice {choice[:60]!r} behind {context[-60:]!r} has {len(wanted)} tokens, and the model is given "
                f"{self.max_length} at most (`length`); wanted one or more, and no more than that."
            )
        if self.start.every_window:  # lm-eval cuts what is too long on the left, and with it the mark
            room = self.max_length - len(wanted)
            given = self.start.before(given[max(1, len(given) - room) :])
        return (context, choice), given, wanted

    def loglikelihood_rolling(self, requests: list, disable_tqdm: bool = True) -> list[float]:
        """Log likelihood of each text, in windows of ``max_length`` tokens."""
        texts = [list(self.windows(*request.args)) for request in requests]
        flat = [window for text in texts for window in text]
        size = len(flat) if self.tokens else self.batch_size  # lm-eval's own batches, where they are counted
        batches = (flat[at : at + size] for at in range(0, len(flat), size))
        answers = (answer for batch in batches for answer, _ in self._loglikelihood_tokens(batch))
        return [sum(next(answers) for _ in text) for text in texts]

    def windows(self, text: str) -> Iterator[Asked]:
        """lm-eval's own windows: each token is predicted once, from the one before it and what more there is room for.

        Where every window wants the start mark, it takes the place of the oldest token of the later ones, which are
        asked of lm-eval with two tokens of context in place of one, so that the token before is still there. Texts that
        fit into one window have the same tokens either way.
        """
        assert self.start.token is not None
        for given, wanted in get_rolling_token_windows(
            token_list=self.start.after(self.plain(text)),
            prefix_token=self.start.token,
            max_seq_len=self.max_length,
            context_len=1 + self.start.every_window,
        ):
            inputs = [self.start.token, *given[1:]] if self.start.every_window else given
            yield (None, *make_disjoint_window((inputs, wanted)))

    def _loglikelihood_tokens(self, requests: list, disable_tqdm: bool = True, override_bs: int | None = None) -> list:
        """As lm-eval's: log likelihood of the tokens that are wanted, and whether each is the likeliest.

        lm-eval computes a vocabulary at every token of a batch, and waits for the device a few times a request: a card
        that several processes share then does little else. Here the output layer sees the tokens that are wanted, and
        a device is waited for once a run of rows. What is given alike is given once.
        """
        alike: dict[Row, list[int]] = {}
        for place, (_, given, wanted) in enumerate(requests):
            alike.setdefault(self.row(given, wanted), []).append(place)
        rows, found = list(alike), dict[int, Likelihood]()
        for batch in self.batches([len(row.given) for row in rows]):
            some = [rows[place] for place in batch]
            wanted = [[requests[place][2] for place in alike[row]] for row in some]

            answers = as_memory_allows(partial(self.together, some, wanted), len(some))
            for row, of_row in zip(some, answers, strict=True):
                found |= zip(alike[row], of_row, strict=True)
        return [found[place] for place in range(len(requests))]

    def batches(self, sizes: list[int]) -> list[list[int]]:
        """Places of the rows that go through the model together."""
        return by_count(sizes, self.batch_size) if self.tokens is None else by_tokens(sizes, self.tokens)

    def row(self, given: list[int], wanted: list[int]) -> Row:
        """What the model is given, cut on the left as lm-eval cuts it."""
        return Row(tuple([*given, *wanted][-(self.max_length + 1) : -1]), len(wanted))

    def together(self, rows: list[Row], wanted: list[Wanted], part: slice) -> list[list[Likelihood]]:
        """Answers to a part of a batch: for each row those of the tokens ``wanted`` there, once or several times."""
        rows, wanted = rows[part], wanted[part]
        inputs = pad_sequence([torch.tensor(row.given) for row in rows], batch_first=True).to(self.device)
        asked = torch.zeros_like(inputs, dtype=torch.bool)
        for place, row in enumerate(rows):
            asked[place, len(row.given) - row.predictions : len(row.given)] = True
        sizes, answers = [row.predictions for row in rows], list[list[Likelihood]]()
        with only_at(asked, self.model.get_output_embeddings()):
            logits = self._model_call(inputs)
        logits = logits[0] if logits.shape[:2] == (1, sum(sizes)) else logits[asked]
        for run, tokens in in_parts(sizes, logits.shape[-1], self.device.type):
            likely = logits[tokens].log_softmax(-1, dtype=self.softmax_dtype)
            self.watch(rows[run], likely)
            answers += read_off(likely, sizes[run], wanted[run])
        return answers

    def watch(self, rows: list[Row], likely: Tensor) -> None:
        """What a model that is watched does with the log probabilities of some rows, (all their predictions, words)."""


def read_off(likely: Tensor, sizes: list[int], wanted: list[Wanted]) -> list[list[Likelihood]]:
    """Log likelihoods of the tokens that are wanted of each row, out of log probabilities (sum of sizes, words)."""
    starts = accumulate(sizes[:-1], initial=0)
    each = [(start, one) for start, several in zip(starts, wanted, strict=True) for one in several]
    lengths = [len(one) for _, one in each]
    places = torch.tensor([start + at for start, one in each for at in range(len(one))], device=likely.device)
    tokens = torch.tensor([token for _, one in each for token in one], device=likely.device)
    found = likely[places, tokens].cpu().split(lengths)
    first = (likely.argmax(-1)[places] == tokens).cpu().split(lengths)
    answers = iter([(float(one.sum()), bool(best.all())) for one, best in zip(found, first, strict=True)])
    return [[next(answers) for _ in several] for several in wanted]
