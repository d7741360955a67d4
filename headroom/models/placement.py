"""Where the weights of a model lie while it is measured, and in which number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headroom.config.model_spec import ModelSpec

CPU = "cpu"
SHORT = "bfloat16"  # of a pretrained model on an accelerator, where nothing else is stated


@dataclass(frozen=True)
class Placement:
    """A device of torch's, or all of them, and a number format; both determine what a model answers, to the bit."""

    device: str = CPU
    dtype: str | None = None  # None: as the files have it
    spread: bool = False  # over all cards of the machine, as accelerate's device_map "auto" does

    @classmethod
    def of(cls, spec: ModelSpec, device: str, saved: str) -> Placement:
        """What an entry of ``params.yaml: models`` asks for on a device; ``saved`` is the format of its files."""
        usual = SHORT if device != CPU and spec.train is None else saved
        return cls(device, spec.dtype or usual, spec.device_map == "auto" and device != CPU)

    @property
    def options(self) -> dict[str, Any]:
        """For ``from_pretrained``."""
        asked: dict[str, Any] = {"dtype": self.dtype} if self.dtype else {}
        return asked | ({"device_map": "auto"} if self.spread else {})

    def put(self, model: Any) -> Any:
        """A model that was loaded with these options, on its device; one that is spread lies there already."""
        return model if self.spread else model.to(self.device)


HERE = Placement()  # on the CPU, as saved
