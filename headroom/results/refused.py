"""What stands in the tables for a record that cannot be believed: a failed cell that says why, and holds nothing."""

from __future__ import annotations

from headroom.results.records import CellRecord, Provenance
from headroom.results.speed_records import Machine, SpeedRecord

LONGEST = 500  # letters of a reason


def refused_cell(
    profile: str, model: str, method: str, reason: str, like: CellRecord | None = None, family: str = "", file: str = ""
) -> CellRecord:
    """A failed cell. ``like`` is a record of the same method on another model: it stands in the same group and track.

    Of the file that was refused nothing is repeated. ``file`` is the method's own, and ``family`` the model's.
    """
    names = ("title", "paper", "track", "file", "summary", "stochastic", "natural", "grains", "parameters")
    own = {"title": method, "paper": "none", "track": "forward", "file": file, "summary": "", "grains": []}
    return CellRecord.model_validate(
        own
        | ({name: getattr(like, name) for name in names} if like else {})
        | {"profile": profile, "model": model, "method": method, "family": family}
        | {"status": "failed", "reason": reason[:LONGEST], "provenance": unknown()}
    )


def refused_speed(profile: str, machine: str, model: str, method: str, reason: str) -> SpeedRecord:
    """A failed speed record; the machine's name is not checked, because it may be what is wrong."""
    return SpeedRecord.model_construct(
        profile=profile,
        method=method,
        model=model,
        status="failed",
        reason=reason[:LONGEST],
        machine=machine,
        load_before=0.0,
        load_after=0.0,
        points=[],
        provenance=unknown(),
    )


def unknown_machine(fingerprint: str) -> Machine:
    """A machine of which nothing is known but the name of its file."""
    return Machine.model_construct(
        fingerprint=fingerprint,
        processor="",
        cores=0,
        accelerator="",
        driver="",
        torch="",
        threads=0,
        python="",
        system="",
        ceilings={},
    )


def unknown() -> Provenance:
    """Nothing is known of how it was made; `dvc repro` makes it again."""
    return Provenance(
        command="dvc repro", commit="", dirty=True, versions={}, machine="", threads=0, weight_hash="", date=""
    )
