"""How removed models are fine-tuned: an entry of ``params.yaml: recover``, and what its kinds need."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, get_args

from pydantic import Field, model_validator

from headroom.config.located import Section, wrong
from headroom.config.model_spec import MOST_RATE, MOST_STEPS, check_warmup
from headroom.config.only import Target
from headroom.errors import UserError

Kind = Literal["full", "lora", "distil"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RANK, MOST_RANK = 8, 1024  # of low-rank adapters


class Recover(Section):
    """Fine-tuning after removal, the same for every plan; methods that train spend the same total of steps."""

    kind: Kind = Field(
        "full",
        description="what learns: all weights, low-rank adapters that are merged at the end, or, of distil, either "
        "towards the dense model's predictions and the labels, half and half; methods that train do that in full",
    )
    rank: int | None = Field(
        None,
        ge=1,
        le=MOST_RANK,
        description=f"of the adapters: of lora {RANK} where absent; of distil all weights learn where absent",
    )
    steps: int = Field(ge=1, le=MOST_STEPS, description="update steps that every plan gets")
    batch: int = Field(ge=1, description="examples a step; blocks of tokens for language models")
    learning_rate: float = Field(gt=0, le=MOST_RATE)
    warmup: int = Field(0, ge=0, description="steps over which the learning rate rises")
    schedule: Literal["cosine", "linear", "constant"] = "linear"
    targets: tuple[Target, ...] | None = Field(
        None, min_length=1, description="targets that are recovered; all where absent"
    )

    @model_validator(mode="after")
    def _fits(self) -> Recover:
        check_warmup(self.warmup, self.steps)
        if self.kind == "full" and self.rank is not None:
            raise wrong("rank", "is of low-rank adapters, and kind is full: all weights learn", self.rank)
        return self

    @property
    def adapters(self) -> int | None:
        """The rank of low-rank adapters; None where all weights learn."""
        return self.rank or (RANK if self.kind == "lora" else None)

    def check(self, where: str) -> None:
        """Raises ``UserError`` where the package that makes adapters is not installed; ``where`` begins the message."""
        if self.adapters and find_spec("peft") is None:
            raise UserError(
                f"{where}: low-rank adapters take the package peft, which is not installed. "
                "Run `pip install 'headroom[heal]'`, or let all weights learn."
            )
