"""The model as it was: point zero of every series, and the floor of every kind of attention."""

from collections.abc import Iterator, Sequence

from headroom.api import Context, Grain, Method, ModelInfo, Plan


class Dense(Method):
    name = "dense"
    title = "Dense"
    paper = "none"
    calibrated = False
    scores = False

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        yield Plan(0.0)
        # The floor says whether the model needs a kind of attention at all: everything of that kind goes.
        for kind in sorted({(site.stack, site.kind) for site in ctx.units.sites}):
            drop = frozenset(unit for unit in ctx.units if (unit.site.stack, unit.site.kind) == kind)
            yield Plan(len(drop) / len(ctx.units), drop, label=f"floor:{'.'.join(kind)}")

    def supports(self, model: ModelInfo) -> str | None:
        return None
