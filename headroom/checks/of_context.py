"""Checks of manners: a method leaves everything as it found it, and sees nothing but what it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from headroom.checks.subject import Subject
from headroom.checks.watching import State

ALLOWED = ("headroom.api",)
OPENERS = ("open", "exec", "eval", "__import__", "compile")


def check_everything_is_left_as_found(subject: Subject) -> None:
    """Weights, gradients, hooks, mode and global random state are as before."""
    run = subject.first
    changed = run.after.differs_from(run.before)
    assert not changed, f"after the plans these are not as before: {', '.join(changed)}."


def check_leaving_early_does_no_harm(subject: Subject) -> None:
    """A caller that stops after the first plan finds everything as it was, too."""
    ctx = subject.bench.context(subject.method)
    before = State.of(ctx.model)
    plans = iter(subject.method.plans(ctx, subject.targets))
    next(plans, None)
    if isinstance(plans, Iterator) and hasattr(plans, "close"):
        plans.close()
    changed = State.of(ctx.model).differs_from(before)
    assert not changed, f"stopped after one plan, these are not as before: {', '.join(changed)}; use with blocks."


def check_evaluation_data_are_out_of_reach(subject: Subject) -> None:
    """The file imports nothing of Headroom but ``headroom.api`` and opens nothing; a trapped split was not touched."""
    tree = ast.parse(subject.file.read_bytes())
    foreign = sorted({name for name in imported(tree) if name.split(".")[0] == "headroom"} - set(ALLOWED))
    assert not foreign, f"it imports {foreign[0]}; a method file imports of Headroom only {ALLOWED[0]}."
    called = sorted(set(called_by_name(tree)) & set(OPENERS))
    assert not called, f"it calls {called[0]}(); a method reads no files and runs no text."
    trace = subject.first.answer.trace
    assert "Touched" not in trace, trace.strip().splitlines()[-1].partition("Touched: ")[2]


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a file names in its import statements, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def called_by_name(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
