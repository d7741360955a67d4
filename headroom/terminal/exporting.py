"""The leaderboard as text: CSV with every column, Markdown and LaTeX with those that a paper has room for."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from headroom.results.write import TABLES, text
from headroom.site.numbers import DASH, MINUS, TIMES, fixed, percent, places, seconds, times
from headroom.site.panels import Panel
from headroom.terminal.power import go

HEADINGS = (
    "Model",
    "Task",
    "Setting",
    "Rank",
    "Method",
    "Track",
    "Area",
    "95 %",
    "Lost at 25 %",
    "50 %",
    "75 %",
    "Go at 1 %, measured/certified",
    "5 %",
    "Speed",
    "Cost",
)
LATEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "\\": r"\textbackslash{}"}
LATEX |= {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    TIMES: r"$\times$",
    MINUS: "$-$",
    DASH: "--",
    "<": "$<$",
}


def as_csv(panels: Sequence[Panel]) -> str:
    """Every column of the leaderboard table, with the digits of the file."""
    kind = TABLES["leaderboard"]
    columns = list(kind.model_fields)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in (row for panel in panels for row in panel.rows):
        writer.writerow(text(kind, column, getattr(row, column)) for column in columns)
    return file.getvalue()


def as_markdown(panels: Sequence[Panel]) -> str:
    """A pipe table."""
    lines = [list(HEADINGS), ["---"] * len(HEADINGS), *_lines(panels)]
    return "".join(
        "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |\n" for line in lines
    )


def as_latex(panels: Sequence[Panel]) -> str:
    """A tabular with booktabs' rules."""
    head = "l" * 3 + "r" + "l" * 2 + "r" * (len(HEADINGS) - 6)
    body = ["  " + " & ".join(_tex(cell) for cell in line) + r" \\" for line in _lines(panels)]
    top = "  " + " & ".join(_tex(heading) for heading in HEADINGS) + r" \\"
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{head}}}",
            r"  \toprule",
            top,
            r"  \midrule",
            *body,
            r"  \bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _lines(panels: Sequence[Panel]) -> list[list[str]]:
    return [_line(panel, row) for panel in panels for row in panel.rows if row.ranked]


def _line(panel: Panel, row: Any) -> list[str]:
    words = [panel.model, panel.task, panel.setting, places(row.rank_all, row.rank_all_last), row.title, row.track]
    words += [fixed(row.area), f"{fixed(row.area_low)} to {fixed(row.area_high)}"]
    words += [percent(getattr(row, f"lost_{share}")) for share in (25, 50, 75)]
    words += [go(row, "1"), go(row, "5"), times(row.speedup_50), seconds(row.cost_seconds)]
    return words


def _tex(cell: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in cell)
