"""Is a row better than random beyond noise? In one word, for the table."""

from __future__ import annotations

from typing import Any

from headroom.site.panels import Panel


def against(panel: Panel, row: Any) -> str:
    """``above`` or ``below`` when the row's interval leaves the range of the random draws, else ``within``."""
    rival = next((one for one in panel.rows if one.method == row.random_method), None)
    if rival is None or rival.area_most is None or row.area_low is None or row.above_random_middle is None:
        return ""
    if row.area_low > rival.area_most:
        return "above"
    return "below" if row.area_high < rival.area_least else "within"


def standing(rows: list[tuple[Any, Any, str]]) -> str:
    """Where a method wins and loses, in a sentence, from (cell, leaderboard row, word against random)."""
    ranked = [(cell, row, word) for cell, row, word in rows if row.ranked]
    if not ranked:
        return ""
    first = [f"{row.model}, {row.task}" for _, row, _ in ranked if row.rank_all == 1]
    lost = [f"{row.model}, {row.task}" for _, row, word in ranked if word == "below"]
    above, level = (sum(word == one for _, _, word in ranked) for one in ("above", "within"))
    said = [f"Ranked on {len(ranked)} of {len(rows)} rows."]
    said += [f"First or tied for it on {_list(first)}." if first else "Nowhere first."]
    said += [f"Above every random draw on {above}."] if above else []
    said += [f"Within the range of the random draws on {level}."] if level else []
    said += [f"Below the worst random draw on {_list(lost)}."] if lost else []
    return " ".join(said)


def _list(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    shown = "; ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
