"""lm-eval's ``HFLM`` on a model object in memory: quiet, each text encoded once, start marks as the family wants them.

What lm-eval does itself is the log likelihood of token lists. Which tokens, it gets from here: it has one start mark a
text and none in later windows (EleutherAI/lm-evaluation-harness#2382), or two where the tokenizer adds one (#3333).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from headroom.data.start import Start
from headroom.errors import UserError
from headroom.evaluate.batching import as_memory_allows, by_tokens

Known = dict[tuple[str, ...], "array[int]"]  # by the parts of a text; a list of numbers takes nine times as much
Asked = tuple[Any, list[int], list[int]]  # what was asked, in words; the tokens given; the tokens to predict


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
        size = len(flat) if self.tokens else self.batch_size
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
        if self.tokens is None:
            return self.together(requests)
        found: dict[int, tuple[float, bool]] = {}
        for places in by_tokens([len(given) + len(wanted) - 1 for _, given, wanted in requests], self.tokens):
            found |= zip(places, self.together([requests[place] for place in places]), strict=True)
        return [found[place] for place in range(len(requests))]

    def together(self, requests: list[Asked]) -> list[tuple[float, bool]]:
        """lm-eval's answers, asked at once, or in halves where the memory does not hold them."""

        def answered(part: slice) -> list[tuple[float, bool]]:
            some = requests[part]
            if self.tokens is not None:
                self.batch_size_per_gpu = len(some)
            return super(LiveModel, self)._loglikelihood_tokens(some, disable_tqdm=True)

        return as_memory_allows(answered, len(requests)) if requests else []
