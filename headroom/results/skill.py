"""Whether the dense model can do a task at all: without skill there is no quality that could be retained."""

from __future__ import annotations

from headroom.results.load import DENSE, Records


def no_skill(records: Records, model: str, task: str) -> str:
    """Why nothing can be retained: the dense model's interval reaches chance. Empty when clear of it, or not known."""
    dense = records.cells.get((model, DENSE))
    points = [point for point in dense.points if point.target == 0 and task in point.tasks] if dense else []
    if not dense or not points:
        return ""
    score, facts = points[0].tasks[task], dense.tasks[task]
    clear = score.low > facts.chance if facts.better == "higher" else score.high < facts.chance
    return "" if clear else f"The dense model is not clear of chance on {task}, so there is no quality to retain."
