"""One padding token, one end mark, a start: what tokenizer and config state of them has to be the same."""

from __future__ import annotations

from typing import Any

from headroom.errors import UserError


def one_padding(tokenizer: Any, config: Any, where: str, generation: Any = None) -> str:
    """Make tokenizer and config agree on one padding token, where one of them states it; gives the token.

    A decoder that classifies finds the end of a text by it, a translator makes its input of it and fills up shorter
    translations with it. Raises ``UserError`` where two of them state one and differ, where none does, and for one
    that the model has no embedding of, or that is a word.
    """
    ours, theirs = known(tokenizer.pad_token_id), known(config.pad_token_id)
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
    fills = known(getattr(generation, "pad_token_id", None))
    if fills is not None and fills != token:
        raise UserError(
            f"{where}: generation_config.json: pad_token_id is {fills}, and texts are padded with {token}: "
            "translations that end early would be filled up with words. Write one token into both."
        )
    if ours is None:
        if token not in marks(tokenizer):  # named, a word would be cut out of every longer one
            raise UserError(
                f"{where}: config.json: pad_token_id is {token}, which the tokenizer does not mark as special "
                f"({tokenizer.convert_ids_to_tokens(token)!r}). Name it in tokenizer_config.json, or mend it."
            )
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(token)
    if theirs is None:
        config.pad_token_id = token
    return str(tokenizer.pad_token)


def one_end(tokenizer: Any, config: Any, where: str, generation: Any = None) -> str:
    """The mark at which a translation ends. Raises ``UserError`` where the model waits for another than it has learned.

    What stands behind the mark would otherwise be read as words.
    """
    check_start(config, where)
    ours, stated = known(tokenizer.eos_token_id), getattr(generation, "eos_token_id", None)
    waits = [one for one in (stated if isinstance(stated, list) else [stated]) if known(one) is not None]
    file, ends = ("generation_config.json", waits) if waits else ("config.json", [config.eos_token_id])
    if ours is not None and known(ends[0]) is not None and ours not in ends:
        raise UserError(
            f"{where}: the tokenizer ends a text with {tokenizer.eos_token!r} (token {ours}), {file}: eos_token_id is "
            f"{' or '.join(map(str, ends))}. Mend the one that is wrong."
        )
    return str(tokenizer.eos_token)


def answers_at(tokenizer: Any, config: Any, where: str, parts: int = 1) -> str:
    """The end mark at which an encoder-decoder classifies a text of one part, or two. Raises ``UserError`` without one.

    These models refuse a batch in which texts have unequal numbers of them, as padded ones have where it pads too.
    """
    check_start(config, where)
    end, around = config.eos_token_id, tokenizer(*[" "] * parts)["input_ids"]
    if end == tokenizer.pad_token_id or end not in around:
        why = "pads with it too" if end == tokenizer.pad_token_id else "puts none behind a text"
        raise UserError(
            f"{where}: a {config.model_type} model classifies at the end mark (config.json: eos_token_id {end}), and "
            f"the tokenizer {why}. Save the tokenizer that the model was trained with beside it."
        )
    return str(tokenizer.convert_ids_to_tokens(end))


def check_start(config: Any, where: str) -> None:
    """Raises ``UserError`` for a decoder that is not told what to begin with; mBART begins with the end of a text."""
    start, size = getattr(config, "decoder_start_token_id", None), getattr(config, "decoder_vocab_size", None)
    size = size or config.vocab_size
    if config.model_type != "mbart" and (known(start) is None or start >= size):
        raise UserError(
            f"{where}: config.json: decoder_start_token_id is {start}, and the decoder of a {config.model_type} model "
            f"begins with a token from 0 to {size - 1}. Write there the one that the model was trained with."
        )


def marks(tokenizer: Any) -> set[int]:
    """The tokens that stand for no word: those that are named, and others that are marked as special."""
    marked = (token for token, piece in tokenizer.added_tokens_decoder.items() if piece.special)
    return {*tokenizer.all_special_ids, *marked}


def known(token: int | None) -> int | None:
    """A token's number; older configs write -1 for none."""
    return None if token is None or token < 0 else token
