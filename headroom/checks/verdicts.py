"""Run checks and say what came of them; a check that was expected to fail and passes has failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from headroom.api import Method
from headroom.checks.listing import FAMILIES, checks_of, method_checks, truth_checks_of
from headroom.checks.subject import NotApplicable
from headroom.checks.words import Result
from headroom.errors import suggest


def check_method(
    method: Method, file: Path, name: str = "", families: Sequence[str] = FAMILIES, truth: bool = True
) -> list[Result]:
    """Every check of a method. ``name`` is its entry in params.yaml where that is not its own name."""
    results = [run(name or method.name, *pair) for pair in method_checks(method, file, families, truth)]
    return settled(method, name or method.name, results, everywhere=set(families) >= set(FAMILIES))


def run(method: str, name: str, check: object) -> Result:
    """One check. Whatever it raises is the method's failure, with a sentence where there is one."""
    plain, _, model = name.rstrip("]").partition("[")
    try:
        assert callable(check)
        check()
    except NotApplicable as nothing:
        return Result(method, model, plain, "not applicable", str(nothing))
    except AssertionError as failure:
        return Result(method, model, plain, "fails", str(failure) or "An assertion without words failed.")
    except Exception as error:
        return Result(method, model, plain, "fails", f"{type(error).__name__}: {error}")
    return Result(method, model, plain, "passes")


def settled(method: Method, name: str, results: Iterable[Result], everywhere: bool = True) -> list[Result]:
    """The results with ``expected_failures`` applied.

    An expectation that no model met is a failure of its own, where all kinds of models were looked at.
    """
    expected, found = method.expected_failures(), []
    met: set[str] = set()
    for result in results:
        if result.verdict == "fails" and result.check in expected:
            met.add(result.check)
            result = Result(name, result.model, result.check, "expected failure", expected[result.check])
        found.append(result)
    run_at_all = {result.check for result in found if result.verdict in ("passes", "expected failure")}
    known = [check.__name__ for check in (*checks_of(method), *truth_checks_of(method))]
    for check in expected:
        if check not in known:
            found.append(Result(name, "", check, "fails", f"expected_failures names no check. {suggest(check, known)}"))
        elif everywhere and check not in met and check in run_at_all:
            why = "it was expected to fail and passes on every model; take it out of expected_failures."
            found.append(Result(name, "", check, "fails", why))
    return found
