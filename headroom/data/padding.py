"""One padding token: what tokenizer and config state of it has to be the same."""

from __future__ import annotations

from typing import Any

from headroom.errors import UserError


def one_padding(tokenizer: Any, config: Any, where: str) -> str:
    """Make tokenizer and config agree on one padding token, where one of them states it; gives the token.

    A decoder that classifies finds the end of a text by it, a translator makes its input of it. Raises ``UserError``
    where both state one and they differ, where neither does, and for one that the model has no embedding of.
    """
    ours, theirs = stated(tokenizer.pad_token_id), stated(config.pad_token_id)
    if ours is not None and theirs is not None and ours != theirs:
        raise UserError(
            f"{where}: the tokenizer pads with {tokenizer.pad_token!r} (token {ours}), config.json: pad_token_id is "
            f"{theirs} ({tokenizer.convert_ids_to_tokens(theirs)!r}). Mend the one that is wrong."
        )
    token = theirs if ours is None else ours
    if token is None:
        raise UserError(
            f"{where}: neither tokenizer_config.json: pad_token nor config.json: pad_token_id states a padding token, "
            "and texts of several lengths need one. Add the one that the model was trained with."
        )
    if token >= config.vocab_size:
        raise UserError(
            f"{where}: the padding token is number {token}, and config.json: vocab_size is {config.vocab_size}: the "
            "model has no embedding of it. Name a token that it has."
        )
    if ours is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(token)
    if theirs is None:
        config.pad_token_id = token
    return str(tokenizer.pad_token)


def stated(token: int | None) -> int | None:
    """A token's number; older configs write -1 for none."""
    return None if token is None or token < 0 else token
