"""The section ``run.only``: what is asked of one model, where all that a profile asks would take it too long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from headroom.config.located import Section, wrong
from headroom.config.plain import shown
from headroom.errors import suggest

DENSE = "dense"  # point zero of every series is asked of every model


def share(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError("a target is the share of units to remove, above 0 and below 1 (1 itself is the floor)")
    return value


Target = Annotated[float, BeforeValidator(share)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every generator of random numbers takes


class Only(Section):
    """Some of the methods, targets, seeds and draws of a profile; what is left out is asked in full."""

    methods: tuple[str, ...] | None = Field(
        None, min_length=1, description="names of entries of `methods`; dense is always one"
    )
    targets: tuple[Target, ...] | None = Field(None, min_length=1, description="some of run.targets")
    seeds: tuple[Seed, ...] | None = Field(None, min_length=1, description="some of run.seeds")
    draws: int | None = Field(None, ge=1, le=1000, description="of a random method")

    def asks(self, method: str) -> bool:
        """Whether a method is asked of the model."""
        return method == DENSE or self.methods is None or method in self.methods

    def said(self) -> dict[str, Any]:
        """The keys of ``run`` that it says another thing of."""
        found = {key: getattr(self, key) for key in ("targets", "seeds", "draws")}
        return {key: value for key, value in found.items() if value is not None}

    def check(self, place: str, methods: Iterable[str], every: dict[str, tuple[float, ...]]) -> None:
        """Raises the error of a validator where it asks for what the profile does not have.

        ``every``: the targets and seeds of the profile, and the targets that are timed as ``timed``.
        """
        for method in self.methods or ():
            if method not in methods:
                raise wrong(f"{place}.methods", f"there is no method {shown(method)}. {suggest(method, methods)}")
        for key in ("targets", "seeds"):
            some = getattr(self, key) or ()
            if strange := sorted(set(some) - set(every[key])):
                raise wrong(f"{place}.{key}", f"holds {strange[0]:g}, which run.{key} lacks")
            if list(some) != [one for one in every[key] if one in some]:
                raise wrong(f"{place}.{key}", f"name each once, in the order of run.{key}", list(some))
        if self.targets and not set(self.targets) & set(every["timed"]):
            raise wrong(f"{place}.targets", "holds none of speed.targets, so nothing would be timed", self.targets)
