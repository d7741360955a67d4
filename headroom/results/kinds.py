"""The kinds of model that a reader knows theirs by, from what records say of a model."""

from __future__ import annotations

from headroom.errors import UserError, suggest
from headroom.results.records import CellRecord

DECODER, TRANSLATOR, CLASSIFIER, IMAGES = KINDS = ("decoder", "translator", "encoder classifier", "ViT")
FAMILIES = {
    **dict.fromkeys(("vit", "deit"), IMAGES),
    **dict.fromkeys(("bert", "roberta", "distilbert"), CLASSIFIER),
    **dict.fromkeys(("bart", "marian", "marian_ssru", "mbart", "m2m_100", "t5"), TRANSLATOR),
}
LANGUAGE = {"bits-per-byte", "byte-perplexity", "word-perplexity", "perplexity"}  # what only a decoder is scored in


def kind_of(record: CellRecord) -> str:
    """A family decides, unless its model does another family's task, as a BERT that writes does."""
    metrics = {facts.metric for facts in record.tasks.values()}
    kind = FAMILIES.get(record.family, DECODER)
    if metrics & LANGUAGE:
        return DECODER
    return CLASSIFIER if kind == TRANSLATOR and metrics == {"accuracy"} else kind


def known_kind(text: str) -> str:
    """The kind that a reader means, whatever its case: its first word will do. Raises ``UserError`` for any other."""
    said = " ".join(text.casefold().split())
    for kind in KINDS:
        if said in (kind.casefold(), kind.casefold().split()[0]):
            return kind
    raise UserError(f"--like is {text!r}, which is no kind of model. {suggest(text, KINDS)}")
