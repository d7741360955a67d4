"""The tables of the profile: the throughput of all machines, and published speed-ups beside ours. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from headroom.results.archive import archive
from headroom.results.load import Records, load
from headroom.results.rows import SHARE, Row, column
from headroom.results.speed_records import SpeedPoint
from headroom.results.speeds import LEAST_CLAIM, throughput_rows
from headroom.results.write import write_table
from headroom.shapes.params import Claim, ShapesParams

Verdict = Literal["holds", "ours is higher", "ours is lower", "too noisy to tell", "not timed"]


class PublishedRow(Row):
    """One published speed-up against one workload of ours with the same share of the same units removed."""

    paper: str = column("who published it", ...)
    where: str = column("table or figure of the paper", ...)
    on: str = column("the paper's machine, batch and lengths", ...)
    published: float = column("speed-up that was published", ..., "ratio", 3)
    shape: str = column("shape of the model", ...)
    grain: str = column("kind of units removed", ...)
    target: float = column("share of these units removed", ..., SHARE, 3)
    machine: str = column("fingerprint of our machine", "")
    processor: str = column("processor or accelerator of our machine", "")
    work: str = column("our workload", "")
    batch: int | None = column("sequences at once in ours")
    length: int | None = column("tokens of input or context in ours", None, "tokens")
    dtype: str = column("number format in ours", "")
    speedup: float | None = column("our median of the pair ratios", None, "ratio", 4)
    speedup_low: float | None = column("lower end of its 95 % interval", None, "ratio", 4)
    speedup_high: float | None = column("upper end of that interval", None, "ratio", 4)
    verdict: Verdict = column("holds: the published figure is in our interval, or less than 5 % beyond it", ...)
    note: str = column("how the timing differs from one of the whole model", "")


def collect(params: ShapesParams) -> None:
    """Join this machine's records with those of the others and write ``throughput.csv`` and ``published.csv``."""
    for path in sorted((params.work / "speed").glob("*/*.json")):
        if path.parent.name in params.shapes:
            archive(path, params.results, params.profile, path.parent.name, path.stem)
    records = load(params.profile, params.grains, list(params.shapes), params.results)
    wanted = {(name, str(grain)) for name, shape in params.shapes.items() for grain in shape.grains}
    rows = [row for row in throughput_rows(records) if (row.model, row.method) in wanted]
    write_table(params.results, "throughput", rows)
    write_table(params.results, "published", list(published_rows(params, records)), PublishedRow)


def verdict(published: float, point: SpeedPoint) -> Verdict:
    """Whether a published speed-up and ours can be told apart; a wide interval would agree with anything."""
    if published > point.speedup_high * (1 + LEAST_CLAIM):
        return "ours is lower"
    if published < point.speedup_low * (1 - LEAST_CLAIM):
        return "ours is higher"
    return "too noisy to tell" if point.noisy else "holds"


def published_rows(params: ShapesParams, records: Records) -> Iterator[PublishedRow]:
    """Every claim with every workload that speaks to it; a claim that none speaks to has one row that says so."""
    source = Path("profiles/shapes/params.yaml")
    for claim in params.published:
        told = claim.model_dump(mode="json", exclude={"speedup"}) | {"published": claim.speedup}
        found = list(ours(claim, records))
        for machine, point in found:
            facts = records.machines[machine]
            values = {
                "machine": machine,
                "processor": facts.accelerator or facts.processor,
                "verdict": verdict(claim.speedup, point),
            }
            names = ("work", "batch", "length", "dtype", "speedup", "speedup_low", "speedup_high", "note")
            yield PublishedRow.checked(told | values | {name: getattr(point, name) for name in names}, source)
        if not found:
            yield PublishedRow.checked(told | {"verdict": "not timed"}, source)


def ours(claim: Claim, records: Records) -> Iterator[tuple[str, SpeedPoint]]:
    """Our timings of the claim's shape, grain and target, with the machine of each."""
    for (machine, model, method), record in records.speeds.items():
        if (model, method) == (claim.shape, str(claim.grain)):
            yield from ((machine, point) for point in record.points if abs(point.target - claim.target) < 1e-9)
