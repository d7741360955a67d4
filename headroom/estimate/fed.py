"""How many tokens go through a model, padding included: counted where it looks up its words, or reads its images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headroom.data.processor_facts import size_of


class Fed:
    """Tokens that a model, and every copy that is made of it while this is on, is given.

    Of an encoder-decoder model the tokens of both sides count, each as often as it is read.
    """

    def __init__(self, model: Any) -> None:
        self.tokens = 0
        # functions of no object: whoever copies the model copies no counter with it, and is counted here
        if getattr(model.config, "patch_size", None):
            height, width = size_of(model.config) or (0, 0)
            patches = max(1, height * width // model.config.patch_size**2)
            count = lambda _, given, named: self._note(len(pixels(given, named)) * patches)  # noqa: E731
            self._hooks = [model.register_forward_pre_hook(count, with_kwargs=True)]
            return
        stacks = [model, *(get() for get in (model.get_encoder, model.get_decoder) if model.config.is_encoder_decoder)]
        tables = {id(table): table for stack in stacks if (table := stack.get_input_embeddings()) is not None}
        read = lambda _, given: self._note(given[0].numel())  # noqa: E731
        self._hooks = [table.register_forward_pre_hook(read) for table in tables.values()]

    def _note(self, tokens: int) -> None:
        self.tokens += tokens

    def during(self, call: Callable[[], Any]) -> int:
        """The tokens of a call."""
        before = self.tokens
        call()
        return self.tokens - before

    def off(self) -> None:
        """Count no more: what is timed afterwards is not slowed down."""
        for hook in self._hooks:
            hook.remove()


def pixels(given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return named["pixel_values"] if "pixel_values" in named else given[0]
