"""What was tried on the way to a budget: a table, a chart, and all of it for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headroom.pruning.trials import Trial
from headroom.results.records import TaskScore
from headroom.site.numbers import DASH, count, size
from headroom.terminal.layout import Listing

CHART = "headroom.svg"
GREY, BLUE, ORANGE = "#767676", "#0072b2", "#d55e00"  # told apart by everybody


def table(method: str, trials: Sequence[Trial], best: Trial | None, sure: float, quality: str) -> Listing:
    """A row a step; what nobody had to ask is a dash."""
    headings = ("gone", quality or "quality", "lost", "speed", "parameters", "memory", "cache a token", "")
    found = Listing(f"{method}: tried, with intervals of {100 * sure:.4g} %", headings)
    for trial in trials:
        score, timing, sizes = trial.score, trial.timing, trial.sizes
        found.add(
            f"{trial.step.share:.1%}" + (f" ({trial.step.natural})" if trial.step.natural else ""),
            f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})" if score else DASH,
            f"{1 - score.retained:.1%} ({losses(score)})" if score else DASH,
            f"{timing.speedup:.2f}x ({timing.low:.2f} to {timing.high:.2f})" if timing else DASH,
            count(sizes.parameters) if sizes else DASH,
            size(sizes.memory) if sizes else DASH,
            size(sizes.kv) if sizes else DASH,
            "taken" if trial is best else "",
        )
    return found


def losses(score: TaskScore) -> str:
    """The ends of the loss, the smaller first."""
    return f"{1 - score.retained_high:.1%} to {1 - score.retained_low:.1%}"


def as_json(trial: Trial) -> dict[str, Any]:
    """All that is known of a step."""
    return {
        "share": trial.step.share,
        "units": trial.step.units,
        "units_removed": len(trial.step.drop),
        "natural": trial.step.natural,
        "removed": [str(unit) for unit in sorted(trial.step.drop)],
        "quality": trial.score.model_dump() if trial.score else None,
        "broken": trial.broken,
        "speed": asdict(trial.timing) if trial.timing else None,
        "sizes": asdict(trial.sizes) if trial.sizes else None,
    }


def draw(trials: Iterable[Trial], best: Trial, limits: dict[str, float | None], file: Path) -> bool:
    """Quality kept and speed against the share of units gone, as SVG; False where there is nothing to draw.

    The same bytes from the same figures.
    """
    import matplotlib
    from matplotlib.figure import Figure

    tried = sorted(trials, key=lambda trial: trial.step.share)
    kept = [(one.step.share, *ends(one.score)) for one in tried if one.score]
    fast = [(one.step.share, one.timing.speedup, one.timing.low, one.timing.high) for one in tried if one.timing]
    loss = limits.get("loss")
    panels: list[tuple[str, list[Any], float, float | None]] = [
        ("quality kept, %", [tuple(100 * value for value in row) for row in kept], 100, loss and 100 * (1 - loss)),
        ("times as fast", [(100 * row[0], *row[1:]) for row in fast], 1, limits.get("speed")),
    ]
    panels = [panel for panel in panels if panel[1]]
    if not panels:
        return False
    with matplotlib.rc_context({"svg.hashsalt": "headroom", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(3.6 * len(panels), 2.8), layout="constrained")
        places = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, rows, dense, limit) in zip(places, panels, strict=True):
            shares, values, lows, highs = ([row[column] for row in rows] for column in range(4))
            below = [value - low for value, low in zip(values, lows, strict=True)]
            above = [high - value for value, high in zip(values, highs, strict=True)]
            axes.plot([0, *shares], [dense, *values], color=GREY, linewidth=0.8)
            axes.errorbar(shares, values, yerr=[below, above], fmt="o", color=BLUE, markersize=4, capsize=2)
            if limit:
                axes.axhline(limit, color=ORANGE, linestyle="--", linewidth=0.8)
            axes.axvline(100 * best.step.share, color=ORANGE, linewidth=0.8)
            axes.set(title=title, xlabel="units gone, %", xlim=(0, 100))
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": "What was tried, and what was taken"})
    return True


def ends(score: TaskScore) -> tuple[float, float, float]:
    return score.retained, score.retained_low, score.retained_high
