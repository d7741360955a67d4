"""Which examples go through a model together: those of like length, as many as were asked for or as memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from headroom.errors import exhausted

if TYPE_CHECKING:
    from torch import Tensor

    from headroom.data.batches import Collator
    from headroom.evaluate.scores import Settings

TOKENS = 4096  # in one forward pass where nothing is stated; a CPU is no faster with more
PATCH = 16 * 16  # pixels of an image that count as a token
READ_AT_ONCE = 256  # examples, to look how long they are

FLOAT32, LARGEST = 4, 2**25  # bytes of a number, and of the logits that are held at once
ON_A_CARD = 2**30  # bytes of the same there, where each run of rows is waited for
LETTERS = 4  # of a token, at least; an image counts as if it had a thousand

Row = TypeVar("Row")
_divided = ContextVar("_divided", default=True)  # whether a batch that does not fit is asked in halves


def places(examples: Sequence[dict[str, Any]], collator: Collator, settings: Settings) -> list[list[int]]:
    """Places of the examples in batches of like length, longest first: little is padded; ties keep their order."""
    if settings.batch_size is not None:
        return by_count([collator.size(example) for example in examples], settings.batch_size)
    return by_tokens(lengths(examples, collator), settings.tokens or TOKENS)


def by_count(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Batches of ``count`` places."""
    order = falling(sizes)
    return [order[start : start + count] for start in range(0, len(order), count)]


def by_tokens(sizes: Sequence[int], tokens: int) -> list[list[int]]:
    """Batches whose places, each padded to the longest of its batch, make ``tokens`` tokens at most; one at least."""
    batches: list[list[int]] = []
    for place in falling(sizes):
        if not batches or (len(batches[-1]) + 1) * sizes[batches[-1][0]] > tokens:
            batches.append([])
        batches[-1].append(place)
    return batches


def falling(sizes: Sequence[int]) -> list[int]:
    """Places in the order of their sizes, the largest first."""
    return sorted(range(len(sizes)), key=lambda place: -sizes[place])


def lengths(examples: Sequence[dict[str, Any]], collator: Collator) -> list[int]:
    """Tokens of each example as the model is given it; of an image its patches."""
    found: list[int] = []
    for start in range(0, len(examples), READ_AT_ONCE):
        batch = collator(list(examples[start : start + READ_AT_ONCE]))
        if "attention_mask" in batch:
            found += batch["attention_mask"].sum(1).tolist()
        else:
            shape = next(tensor.shape for name, tensor in batch.items() if name != "labels")
            found += [max(1, int(np.prod(shape[2:])) // PATCH)] * shape[0]
    return found


def as_memory_allows(run: Callable[[slice], Sequence[Row]], count: int, start: int = 0) -> list[Row]:
    """What ``run`` gives for ``count`` rows, in halves where the memory does not hold all of them at once.

    Raises ``MemoryError`` where it does not hold a single one, or where nothing is to be divided.
    """
    try:
        return list(run(slice(start, start + count)))
    except RuntimeError as error:
        if not exhausted(error):
            raise
        if count == 1 or not _divided.get():
            raise MemoryError(str(error).partition("\n")[0]) from None
    release()  # outside of the handler, whose traceback holds what was computed so far
    half = count // 2
    return as_memory_allows(run, half, start) + as_memory_allows(run, count - half, start + half)


@contextmanager
def undivided() -> Iterator[None]:
    """To find out what memory holds: a batch that does not fit raises ``MemoryError``, and the memory is free again."""
    before = _divided.set(False)
    try:
        yield
    finally:
        _divided.reset(before)
        release()


def longest(examples: Iterable[dict[str, Any]], tokens: int) -> list[dict[str, Any]]:
    """Examples that make a batch of so many tokens, and a little more, the longest of all."""
    order = sorted(examples, key=letters, reverse=True)
    reached = np.cumsum([letters(example) for example in order]) >= LETTERS * tokens
    return order[: int(reached.argmax()) + 1] if reached.any() else order


def letters(example: dict[str, Any]) -> int:
    """The size of an example before it is encoded."""
    return sum(len(str(value)) if name != "image" else 1000 for name, value in example.items())


def in_rows(run: Callable[[dict[str, Tensor]], Sequence[Row]], batch: dict[str, Tensor]) -> list[Row]:
    """What ``run`` gives for each row of a batch, see ``as_memory_allows``."""
    return as_memory_allows(lambda part: run(rows(batch, part)), len(next(iter(batch.values()))))


def runs(count: int, numbers: int) -> Iterator[slice]:
    """Rows in runs whose logits, so many ``numbers`` a row, take ``LARGEST`` bytes at most; one row at least."""
    return (part for part, _ in in_parts([1] * count, numbers))


def in_parts(sizes: Sequence[int], numbers: int, device: str = "cpu") -> Iterator[tuple[slice, slice]]:
    """Rows of so many ``sizes`` each, behind one another, in runs as of ``runs``: which rows, and where they lie.

    ``numbers``: that each of a row takes. ``device``: the kind of the one that holds them.
    """
    most = max(1, (LARGEST if device == "cpu" else ON_A_CARD) // (FLOAT32 * numbers))
    first = start = stop = 0
    for place, size in enumerate(sizes):
        if stop > start and stop + size - start > most:
            yield slice(first, place), slice(start, stop)
            first, start = place, stop
        stop += size
    if stop > start:
        yield slice(first, len(sizes)), slice(start, stop)


def rows(batch: dict[str, Tensor], part: slice) -> dict[str, Tensor]:
    """Some rows of a batch."""
    return {name: tensor[part] for name, tensor in batch.items()}


def release() -> None:
    """Give the memory that torch keeps for later back to the device."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
