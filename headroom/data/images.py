"""Images to model inputs, by the model's own image processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from headroom.data.batches import Collator
from headroom.data.processor_facts import MODES, channels_of, size_of
from headroom.data.words import said
from headroom.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL.Image import Image
    from torch import Tensor

    from headroom.data.batches import Batch

ROOM = 256 * 2**20  # bytes of pixel values that a collator keeps: all of MNIST's test part, 440 photographs of 224x224


class ImageCollator(Collator):
    """``pixel_values`` (batch, channels, height, width) as the processor makes them, and ``labels`` (batch,).

    The processor gets images of 8 bits in Pillow's mode L for a model of one channel and RGB for one of three, turned
    upright, as transformers' ``load_image`` hands them over; all else (size, crop, scale, mean) is the processor's.
    """

    def __init__(self, processor: Any, config: Any) -> None:
        """``config`` is the model's: its channels and size. Raises ``UserError`` for neither one nor three channels."""
        self.processor, self.channels, self.size_wanted = processor, channels_of(config), size_of(config)
        if self.channels not in MODES:
            raise UserError(f"num_channels is {self.channels}; images are read with 1 channel or with 3.")
        self.room = ROOM
        self._arranged: dict[Any, Encoded] = {}  # a split is asked for once a method and once a recovery

    def arrange(self, dataset: Dataset) -> Encoded:
        """The examples of a data set, made into pixel values when they are first asked for."""
        known = getattr(dataset, "_fingerprint", None)
        if known is None:
            return Encoded(dataset, self)
        if known not in self._arranged:
            self._arranged[known] = Encoded(dataset, self)
        return self._arranged[known]

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        """One batch. Raises ``UserError`` for an image that cannot be read or that comes out with another size."""
        raw = [place for place, example in enumerate(examples) if "pixel_values" not in example]
        made = dict(zip(raw, self.pixels([examples[place]["image"] for place in raw]), strict=True)) if raw else {}
        pixels = [made[place] if place in made else example["pixel_values"] for place, example in enumerate(examples)]
        return {"pixel_values": torch.stack(pixels), "labels": self.labels(examples)}

    def pixels(self, images: Sequence[Any]) -> Sequence[Tensor]:
        """What the processor makes of images, one call for all: each (channels, height, width)."""
        read = [readable(image, MODES[self.channels]) for image in images]
        try:
            made = self.processor(read, return_tensors="pt")["pixel_values"]
        except Exception as error:  # images of any kind meet a library's class, or code that came with a model
            sizes = ", ".join(sorted({f"{image.height}x{image.width}" for image in read})[:5])
            name = type(self.processor).__name__
            raise UserError(f"{name} cannot make a batch of images of {sizes}: {said(error)}") from error
        size = self.size_wanted
        if made.dim() != 4 or made.shape[1] != self.channels or (size is not None and tuple(made.shape[2:]) != size):
            wanted = f"({self.channels}, {'height, width' if size is None else f'{size[0]}, {size[1]}'})"
            raise UserError(
                f"{type(self.processor).__name__} makes {tuple(made.shape[1:])} of an image of {read[0].height}x"
                f"{read[0].width}; the model wants {wanted}. State size and crop in its preprocessor_config.json."
            )
        return made.float()  # bytes, where neither scale nor mean is asked for


class Encoded(Sequence[dict[str, Any]]):
    """Examples of a data set with ``pixel_values`` for ``image``; kept as long as the collator has room for them.

    Training asks for each of them many times, a method for a few hundred of many thousands.
    """

    def __init__(self, dataset: Any, collator: ImageCollator) -> None:
        self.dataset, self.collator = dataset, collator
        self.kept: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: Any) -> Any:
        return self.__getitems__([range(len(self))[place]])[0]  # past the end it raises, as a sequence has to

    def __getitems__(self, places: list[int]) -> list[dict[str, Any]]:
        """Those examples; torch's loader asks for a whole batch by this name."""
        new = [place for place in dict.fromkeys(places) if place not in self.kept]
        made = dict(zip(new, self._encode(new), strict=True)) if new else {}
        for place, example in made.items():
            weight = example["pixel_values"].nbytes
            if weight <= self.collator.room:
                self.collator.room -= weight
                self.kept[place] = example
        return [made[place] if place in made else self.kept[place] for place in places]

    def _encode(self, places: list[int]) -> list[dict[str, Any]]:
        rows = []
        for place in places:
            try:
                rows.append(dict(self.dataset[place]))
            except OSError as error:  # Pillow's, where the bytes are no image
                raise UserError(f"The image of example {place} cannot be read ({error}).") from None
        pixels = self.collator.pixels([row.pop("image") for row in rows])
        # a copy of its own: a view would keep the whole batch in memory
        return [row | {"pixel_values": one.clone()} for row, one in zip(rows, pixels, strict=True)]


def readable(image: Any, mode: str) -> Image:
    """An image or an array of pixels as Pillow's ``L`` or ``RGB``, upright; transparency is dropped.

    An array holds 0 to 255, or true and false, as (height, width), or with 1, 3 or 4 channels first or last. Values
    that 8 bits cannot hold (16-bit scans, fractions) have no scale that all agree on, and Pillow would make most of
    them white. Raises ``UserError`` for them, and for what is no image at all.
    """
    import numpy
    from PIL import Image, ImageOps

    if isinstance(image, numpy.ndarray):
        image = _from_array(image)
    if not isinstance(image, Image.Image):
        raise UserError(f"An image is {type(image).__name__}; wanted one of Pillow's, or an array of 0 to 255.")
    if 0 in image.size:
        raise UserError(f"An image is {image.height}x{image.width} pixels, which is none.")
    try:
        wide = image.mode.startswith("I") or image.mode == "F"
        if wide and not numpy.array_equal(numpy.asarray(image), numpy.asarray(image.convert("L"))):
            low, high = image.getextrema()
            raise UserError(
                f"An image (Pillow's mode {image.mode}) has values of {low:g} to {high:g}; wanted whole numbers of 0 "
                "to 255. Scale the images of the data set to 8 bits."
            )
        upright = ImageOps.exif_transpose(image)
        return upright if upright.mode == mode else upright.convert(mode)
    except (OSError, ValueError, SyntaxError, ArithmeticError) as error:  # Pillow's, of bytes or modes it cannot read
        raise UserError(f"An image (Pillow's mode {image.mode}) cannot be read as {mode}: {error}.") from None


def _from_array(pixels: Any) -> Image:
    import numpy
    from PIL import Image

    if pixels.dtype.kind not in "biuf" or 0 in pixels.shape:
        raise UserError(f"An image is an array {pixels.shape} of {pixels.dtype}; wanted numbers of 0 to 255.")
    if pixels.dtype.kind == "b":
        pixels = pixels.astype("uint8") * 255
    exact = pixels.astype("float64")
    if not (exact == exact.clip(0, 255).round()).all():  # NaN fails it too
        raise UserError(
            f"An image is an array of {pixels.dtype} with values of {pixels.min():g} to {pixels.max():g}; wanted whole "
            "numbers of 0 to 255. Scale the images of the data set to 8 bits."
        )
    if pixels.ndim == 3:
        first, last = pixels.shape[0] in (1, 3, 4), pixels.shape[2] in (1, 3, 4)
        if first == last:
            raise UserError(
                f"An image is an array of {pixels.shape}; wanted 1, 3 or 4 channels, first or last but not both."
            )
        pixels = numpy.moveaxis(pixels, 0, 2) if first else pixels
        pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    if pixels.ndim != 2 and pixels.ndim != 3:
        raise UserError(f"An image is an array of {pixels.shape}; wanted (height, width) and perhaps channels.")
    return Image.fromarray(numpy.ascontiguousarray(pixels.astype("uint8")))
