"""What an estimate says of a model and of a whole profile, and what each part of the hours rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Basis = Literal["measured", "records", "assumed"]

# How far off a part of the hours may be, as a share of it: shortest and longest. Measured seconds are those of a quiet
# machine times counts that are known or an upper bound; records are of other models, or other machines.
ERROR: dict[Basis, tuple[float, float]] = {"measured": (0.8, 1.2), "records": (0.6, 1.5), "assumed": (0.5, 2.0)}


@dataclass(frozen=True)
class Part:
    """Some seconds of this machine, and what they rest on."""

    stage: Literal["prepare", "measure", "time", "other"]
    what: str
    seconds: float
    basis: Basis


@dataclass(frozen=True)
class Needs:
    """What has to come from elsewhere for a model, in bytes; None where nobody could be asked."""

    weights: int | None = 0
    data: int | None = 0
    reasons: tuple[str, ...] = ()

    @property
    def whole(self) -> int | None:
        return None if self.weights is None or self.data is None else self.weights + self.data


@dataclass(frozen=True)
class ModelEstimate:
    """One row. Figures that could not be had are None, and ``reasons`` says why."""

    model: str
    needs: Needs = Needs()
    memory: int | None = None  # bytes of one process while points are measured
    workers: int = 1  # such processes at once
    points: int | None = None
    bound: bool = False  # whether fewer points may turn out to be asked: plans that are not known may coincide
    tokens_of: Mapping[str, int] = field(default_factory=dict)  # through the model: in training, plans, points
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()  # what the figures rest on, a sentence each
    reasons: tuple[str, ...] = ()  # why figures are missing, a sentence each

    @property
    def seconds(self) -> float | None:
        return sum(part.seconds for part in self.parts) if self.parts else None

    @property
    def tokens(self) -> int | None:
        return sum(self.tokens_of.values()) if self.tokens_of else None


@dataclass(frozen=True)
class Estimate:
    """A whole profile."""

    profile: str
    rows: tuple[ModelEstimate, ...]
    parts: tuple[Part, ...] = ()  # what is there once, whatever the models
    notes: tuple[str, ...] = ()
    price: float | None = None  # of an hour of this machine
    unshared: dict[str, int | None] = field(default_factory=dict)  # bytes of each task's data: models share tasks

    @property
    def known(self) -> bool:
        """Whether every row has hours."""
        return all(row.seconds is not None for row in self.rows)

    @property
    def all_parts(self) -> tuple[Part, ...]:
        return (*(part for row in self.rows for part in row.parts), *self.parts)

    @property
    def seconds(self) -> float:
        """Of all rows that have hours."""
        return sum(part.seconds for part in self.all_parts)

    @property
    def span(self) -> tuple[float, float]:
        """Shortest and longest seconds, each part as far off as its basis allows."""
        low, high = (sum(part.seconds * ERROR[part.basis][end] for part in self.all_parts) for end in (0, 1))
        return low, high

    @property
    def shares(self) -> dict[str, float]:
        """Which share of the seconds rests on what."""
        whole = Counter[str]()
        for part in self.all_parts:
            whole[part.basis] += part.seconds  # type: ignore[assignment]  # of floats
        return {basis: whole[basis] / self.seconds if self.seconds else 0.0 for basis in ERROR}

    @property
    def fetched(self) -> tuple[int, bool]:
        """Bytes to fetch as far as they are known, a task's data once, and whether that is all."""
        sizes = [row.needs.weights for row in self.rows] + list(self.unshared.values())
        return sum(size or 0 for size in sizes), None not in sizes

    @property
    def dollars(self) -> float | None:
        return None if self.price is None else self.price * self.seconds / 3600

    def content(self) -> dict[str, Any]:
        """For machines: seconds, bytes and counts; null where a figure is not known."""
        fetched, whole = self.fetched
        return {
            "profile": self.profile,
            "models": {row.model: _row(row) for row in self.rows},
            "other_seconds": sum(part.seconds for part in self.parts),
            "all": {
                "fetch_bytes": fetched if whole else None,
                "fetch_bytes_known": fetched,
                "memory_bytes": most(row.memory and row.memory * row.workers for row in self.rows),
                "points": total(row.points for row in self.rows),
                "tokens": total(row.tokens for row in self.rows),
                "seconds": self.seconds if self.known else None,
                "seconds_known": self.seconds,
                "seconds_low": self.span[0],
                "seconds_high": self.span[1],
                "shares": self.shares,
                "dollars": self.dollars if self.known else None,
                "dollars_an_hour": self.price,
            },
            "rests_on": list(self.notes),
        }


def _row(row: ModelEstimate) -> dict[str, Any]:
    return {
        "fetch_bytes": row.needs.whole,
        "weights_bytes": row.needs.weights,
        "data_bytes": row.needs.data,
        "memory_bytes": row.memory,
        "workers": row.workers,
        "points": row.points,
        "points_at_most": row.bound,
        "tokens": row.tokens,
        "tokens_of": dict(row.tokens_of),
        "seconds": row.seconds,
        "parts": [asdict(part) for part in row.parts],
        "rests_on": list(row.notes),
        "unknown": [*row.needs.reasons, *row.reasons],
    }


def total(figures: Iterable[int | None]) -> int | None:
    """The sum; None where one of them is not known."""
    found = list(figures)
    return None if None in found else sum(one or 0 for one in found)


def most(figures: Iterable[int | None]) -> int | None:
    """The largest; None where one of them is not known, for it may be larger."""
    found = list(figures)
    return None if None in found else max((one or 0 for one in found), default=0)
