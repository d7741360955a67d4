"""How many seats a Ray cluster has room for, with how many cores and which share of a card each."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from headroom.errors import UserError
from headroom.measure.devices import answer

MOST_SHARING = 8  # seats of one card: more would wait for each other
AROUND = 2.5  # memory of a model at work, in sizes of its weights: a point's copy, and what flows through
CONTEXT = 1.5 * 2**30  # bytes that every process takes of a card before it has loaded anything


@dataclass(frozen=True)
class Room:
    """Seats, and what each needs of a node."""

    count: int
    threads: int
    cores: int
    cards: float

    @property
    def of_each(self) -> dict[str, float]:
        """As Ray wants it."""
        return {"num_cpus": self.cores, "num_gpus": self.cards}

    def __str__(self) -> str:
        return f"{self.cores} cores" + (f" and {self.cards:g} of a GPU" if self.cards else "")


def settled(device: str, nodes: list[dict[str, Any]]) -> str:
    """The device that ``run.device`` stands for in a cluster. Raises ``UserError`` where it has none of that kind."""
    gpus = sum(node["Resources"].get("GPU", 0) for node in nodes if node["Alive"])
    if device.startswith("cuda:"):
        raise UserError(f"params.yaml: run.device is {device}; in a cluster Ray chooses the card. Say cuda.")
    if device == "cuda" and not gpus:
        raise UserError("params.yaml: run.device is cuda, and no node of the Ray cluster has a GPU. Say cpu, or auto.")
    return ("cuda" if gpus else "cpu") if device == "auto" else device


def room(ray: Any, wanted: int | None, threads: int, device: str, weights: int) -> Room:
    """``wanted`` seats, or as many as fit; ``weights``: bytes of the largest model."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = min(threads, int(max(node.get("CPU", 0) for node in nodes)) or 1)
    cards = share(weights * AROUND + CONTEXT, card(ray)) if device == "cuda" else 0.0
    fits = [min(node.get("CPU", 0) // cores, (node.get("GPU", 0) / cards) if cards else 1e9) for node in nodes]
    return Room(wanted or max(1, sum(map(int, fits))), threads, cores, cards)


def share(needed: float, whole: float) -> float:
    """Of a card with so much memory, for so much: a fraction that leaves none over, or several cards."""
    return float(ceil(needed / whole)) if needed > whole else 1 / min(MOST_SHARING, int(whole // needed))


def card(ray: Any) -> float:
    """Bytes of memory of a card of the cluster."""
    asked = ray.remote(num_cpus=0, num_gpus=0.01)(answer)
    said = ray.get(asked.remote("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"))
    return min(float(line) for line in said.split()) * 2**20
