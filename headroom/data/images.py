"""Images to model inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from headroom.config.model_spec import ImageSpec
from headroom.data.batches import Collator

if TYPE_CHECKING:
    from torch import Tensor

    from headroom.data.batches import Batch


class ImageCollator(Collator):
    """``pixel_values`` (batch, channels, height, width), normalised as the spec says, and ``labels`` (batch,)."""

    def __init__(self, image: ImageSpec, channels: int) -> None:
        self.image, self.mode = image, "L" if channels == 1 else "RGB"

    def pixels(self, image: Any) -> Tensor:
        """One PIL image as (channels, height, width)."""
        import numpy

        values = torch.from_numpy(numpy.array(image.convert(self.mode))).float() / 255
        values = values[None] if values.dim() == 2 else values.permute(2, 0, 1)
        mean, std = (torch.tensor(value).reshape(-1, 1, 1) for value in (self.image.mean, self.image.std))
        return (values - mean) / std

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        return {
            "pixel_values": torch.stack([self.pixels(example["image"]) for example in examples]),
            "labels": torch.tensor([example["label"] for example in examples]),
        }
