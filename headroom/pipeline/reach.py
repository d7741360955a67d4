"""What of a model is within a method's reach: its grains there, the kinds of sites it may touch. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable

from headroom.api import Grain, Method, ModelInfo, Unit


def refusal(method: Method, info: ModelInfo) -> str:
    """One sentence on why a method cannot do a model; empty when it can."""
    missing = [grain for grain in resolved(method.removes(), info) if grain not in info.grains]
    return method.supports(info) or (f"{info.family} models have no unit of grain {missing[0]}." if missing else "")


def of_kinds(units: Iterable[Unit], kinds: tuple[str, ...] | None) -> tuple[Unit, ...]:
    """The units at sites of these kinds, such as ``encoder.self``; all of them where no kind is named."""
    return tuple(unit for unit in units if kinds is None or f"{unit.site.stack}.{unit.site.kind}" in kinds)


def resolved(grains: Iterable[Grain], info: ModelInfo) -> tuple[Grain, ...]:
    """HEAD means a KV group where queries are grouped: only then do weights and cache fall with it."""
    grouped = any(info.groups[site] != heads for site, heads in info.sites.items())
    return tuple(Grain.KV_GROUP if grain is Grain.HEAD and grouped else grain for grain in grains)
