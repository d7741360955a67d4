"""Join the records of all machines into ``throughput.csv`` and ``published.csv``. No torch."""

from __future__ import annotations

from headroom.results.load import load
from headroom.results.records import SpeedRecord, read, write
from headroom.results.throughput import throughput_rows
from headroom.results.write import write_table
from headroom.shapes.claims import PublishedRow, published_rows
from headroom.shapes.params import ShapesParams


def collect(params: ShapesParams) -> None:
    """Keep this machine's records in the results and write both tables."""
    for path in sorted((params.work / "speed").glob("*/*.json")):
        record = read(path, SpeedRecord)
        if record.model in params.shapes:
            write(params.results / "speed" / record.machine / record.model / path.name, record)
    records = load(params.profile, params.grains, list(params.shapes), params.results)
    wanted = {(name, str(grain)) for name, shape in params.shapes.items() for grain in shape.grains}
    rows = [row for row in throughput_rows(records) if (row.model, row.method) in wanted]
    write_table(params.results, "throughput", rows)
    write_table(params.results, "published", list(published_rows(params, records)), PublishedRow)
