"""What an image processor does: in words, and whether that is what a model takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MODES = {1: "L", 3: "RGB"}  # Pillow's names: channels of a model to the mode in which it gets its images
FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers


def channels_of(config: Any) -> int:
    """How many channels a model reads, 3 where its config has no key for it."""
    return int(getattr(config, "num_channels", None) or 3)


def size_of(config: Any) -> tuple[int, int] | None:
    """Height and width that a model takes, in pixels, or None where its config states none."""
    size = getattr(config, "image_size", None)
    if size is None:
        return None
    height, width = size if isinstance(size, Iterable) else (size, size)
    return int(height), int(width)


def for_each_channel(value: Any, channels: int) -> list[float]:
    """One number as often as there are channels; a list as it is, unless it has one number for all."""
    given = [float(one) for one in value] if isinstance(value, Iterable) else [float(value)]
    return given * channels if len(given) == 1 else given


def normalisation(processor: Any) -> tuple[Any, Any]:
    """Mean and deviation as a processor applies them: 0 and 1 where it does not normalise."""
    if not getattr(processor, "do_normalize", True):
        return 0.0, 1.0
    mean, std = (getattr(processor, key, None) for key in ("image_mean", "image_std"))
    return tuple(list(one) if isinstance(one, tuple) else one for one in (mean, std))  # type: ignore[return-value]


def resampling_name(processor: Any) -> str:
    """The filter with which a processor resizes."""
    number = getattr(processor, "resample", None)
    return FILTERS[int(number)] if isinstance(number, int) and 0 <= number < len(FILTERS) else str(number)


def image_troubles(processor: Any, config: Any) -> list[str]:
    """Sentences, without a full stop's file or key in front, for all that keeps a model from reading what comes out.

    An image of the model's own size, and a larger one where the processor resizes, is made into input and looked at, so
    that a processor of any class is judged by what it does. A resize that keeps another proportion than the model's is
    found when such an image comes.
    """
    import numpy
    from PIL import Image

    channels, size = channels_of(config), size_of(config)
    if channels not in MODES:
        return [f"num_channels is {channels}; images are read as one channel (grey) or three (red, green, blue)."]
    found = []
    if channels == 1 and getattr(processor, "do_convert_rgb", None):
        found.append("do_convert_rgb is true, which makes three channels, and the model has 1.")
    for key, value in zip(("image_mean", "image_std"), normalisation(processor), strict=True):
        if value is None:
            found.append(f"do_normalize is true, and {key} is not said.")
        elif len(for_each_channel(value, channels)) != channels:
            found.append(f"{key} has {len(value)} numbers; the model has {channels} channels.")
        elif key == "image_std" and min(for_each_channel(value, channels)) <= 0:
            found.append(f"{key} is {value}; it divides, so it has to be above 0.")
    if found:
        return found
    height, width = size or (32, 32)
    for factor in (1, 2) if getattr(processor, "do_resize", False) else (1,):
        shape = (height * factor, width * factor) + ((3,) if channels == 3 else ())
        try:
            made = processor([Image.fromarray(numpy.zeros(shape, "uint8"))], return_tensors="pt")["pixel_values"]
        except Exception as error:  # of another's class, which may be code that came with the model
            return [f"an image of {shape[0]}x{shape[1]} cannot be made into input: {str(error).strip() or repr(error)}"]
        if made.dim() != 4 or made.shape[1] != channels:
            return [f"pixel_values have the shape {tuple(made.shape)}; wanted (batch, {channels}, height, width)."]
        if size is not None and tuple(made.shape[2:]) != size:
            out = "x".join(map(str, made.shape[2:]))
            return [f"an image of {shape[0]}x{shape[1]} becomes {out}; image_size of the model is {height}x{width}."]
    return []


def in_words(processor: Any, config: Any) -> str:
    """What a processor does, for records: ``ViTImageProcessor: RGB, resize 224x224 (bilinear), rescale 1/255, ...``."""
    steps = [MODES.get(channels_of(config), f"{channels_of(config)} channels")]
    said = lambda key: getattr(processor, key, None)  # noqa: E731
    if said("do_convert_rgb"):
        steps.append("convert to RGB")
    if said("do_resize"):
        steps.append(f"resize {_size(said('size'))} ({resampling_name(processor)})")
    if said("do_center_crop"):
        steps.append(f"crop {_size(said('crop_size'))}")
    if said("do_rescale"):
        factor = float(said("rescale_factor") or 0)
        parts = 1 / factor if factor else 0
        steps.append(f"rescale 1/{round(parts)}" if abs(parts - round(parts)) < 1e-9 * parts else f"rescale {factor:g}")
    if said("do_normalize"):
        mean, std = normalisation(processor)
        steps.append(f"mean {_numbers(mean)}, std {_numbers(std)}")
    if said("do_pad"):
        steps.append(f"pad {_size(said('pad_size'))}")
    return f"{type(processor).__name__.removesuffix('Pil')}: {', '.join(steps)}"


def _size(size: Any) -> str:
    given = dict(size) if size is not None else {}
    if set(given) == {"height", "width"}:
        return f"{given['height']}x{given['width']}"
    return " ".join(f"{key} {value}" for key, value in given.items()) or "to the largest"


def _numbers(value: Any) -> str:
    if value is None:
        return "unknown"
    numbers = for_each_channel(value, 1)
    return " ".join(f"{number:g}" for number in (numbers[:1] if len(set(numbers)) == 1 else numbers))
