"""What came of shipping a model: the form, a sentence about it, and how each loader found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headroom.errors import UserError, suggest
from headroom.models.ours import Kind
from headroom.shipping.again import Loaded

FORMATS = ("auto", "stock", "code", "headroom", "deci", "gguf", "onnx")


@dataclass(frozen=True)
class Shipped:
    """What was written: the kind of folder, one sentence about it, and how each loader that was tried found it."""

    kind: Kind
    sentence: str
    loaded: tuple[Loaded, ...] = ()

    @property
    def difference(self) -> float | None:
        """The largest logit difference by its own loaders; None where it is unchecked."""
        found = [one.difference for one in self.loaded if one.difference is not None]
        return max(found) if found else None

    def because(self, refused: Sequence[str]) -> Shipped:
        """The same, with why the forms before it were none."""
        return replace(self, sentence="; ".join((self.sentence, *refused)))


def check_format(format: str) -> None:
    """Raises ``UserError`` for a format that there is not."""
    if format not in FORMATS:
        raise UserError(f"--format is {format!r}. {suggest(format, FORMATS)}")
