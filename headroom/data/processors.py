"""Which image processor of transformers a model gets: its own, or one made from what ``image`` in params.yaml says.

Nothing is guessed: mean and deviation stand in one of the two places, and where both speak they have to agree. The PIL
backend is asked for by name, so that the same pixels come out with torchvision installed and without.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from headroom.config.located import read_json
from headroom.config.model_spec import ImageSpec
from headroom.config.plain import shown
from headroom.data.hub import AWAY
from headroom.data.processor_facts import channels_of, for_each_channel, normalisation, resampling_name, size_of
from headroom.data.words import said
from headroom.errors import UserError

OWN_FILES = ("processor_config.json", "preprocessor_config.json")  # in the order in which transformers asks them
NESTED = "image_processor"  # the key of the first that may hold what else is the whole of the second
TYPE = "image_processor_type"
RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}  # Pillow's numbers


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _numbers(value: Any) -> bool:
    return _number(value) or (isinstance(value, list | tuple) and bool(value) and all(map(_number, value)))


STATED: dict[str, tuple[Callable[[Any], bool], str]] = {  # what a value has to be, and what it is called
    **dict.fromkeys(("image_mean", "image_std"), (_numbers, "a number, or one for each channel")),
    "rescale_factor": (lambda value: _number(value) and value > 0, "a number above 0"),
    "resample": (lambda value: type(value) is int and 0 <= value <= 5, "a number of 0 to 5, Pillow's for a filter"),
    **dict.fromkeys(
        ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_pad", "do_convert_rgb"),
        (lambda value: isinstance(value, bool), "true or false"),
    ),
}


def processor_for(
    image: ImageSpec,
    config: Any,
    where: str = "params.yaml: image",
    source: Path | str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """The processor of a model: that of its folder or Hub id ``source``, or else one made from ``image``.

    ``where`` is the file and key of ``image``, for errors. Raises ``UserError`` where neither says mean and deviation,
    where they contradict each other, and where the model's own cannot be read.
    """
    own = read_processor(source, revision, trust_remote_code) if source is not None else None
    if own is not None and source is not None:
        check_agreement(image, own, config, where, own_file(source))
        return own
    missing = [key for key in ("mean", "std") if getattr(image, key) is None]
    if missing:
        option = where.startswith("--")  # of the command line
        example = "--image-mean 0.5 --image-std 0.5" if option else "`image: {mean: 0.5, std: 0.5}`"
        beside = f", and {source} holds no preprocessor_config.json" if source is not None else ""
        raise UserError(
            f"{where}: {' and '.join(missing)} of the pixels {'is' if len(missing) == 1 else 'are'} not said{beside}. "
            f"Say e.g. {example}, the numbers that the model was trained with"
            f"{', or put its preprocessor_config.json beside it' if source is not None else ''}."
        )
    return made_processor(image, config, where)


def made_processor(image: ImageSpec, config: Any, where: str = "params.yaml: image") -> Any:
    """A ``ViTImageProcessor``: resize to the model's size, 1/255, then mean and deviation for each channel.

    Resizing leaves images alone that have the size. Raises ``UserError`` for a config that states no image size, and
    for as many numbers as there are no channels.
    """
    from transformers import ViTImageProcessorPil

    channels, size = channels_of(config), size_of(config)
    if size is None:
        raise UserError(
            f"{where}: the config of {config.model_type} states no image_size, so no processor can be made from mean "
            "and std. Put a preprocessor_config.json beside the model."
        )
    for key in ("mean", "std"):
        value = getattr(image, key)
        if isinstance(value, list) and len(value) not in (1, channels):
            raise UserError(f"{where}.{key} has {len(value)} numbers; the model has {channels} channels.")
    return ViTImageProcessorPil(
        image_mean=for_each_channel(image.mean, channels),
        image_std=for_each_channel(image.std, channels),
        size={"height": size[0], "width": size[1]},
        resample=RESAMPLING[image.resample or "bilinear"],
    )


def read_processor(source: Path | str, revision: str | None = None, trust_remote_code: bool = False) -> Any | None:
    """The processor that a folder or a Hub id (a ``str`` that is no folder) comes with, or None.

    Nothing is fetched for a folder, and code that comes with a model runs only where that is asked for. Raises
    ``UserError`` naming the file for one that cannot be read or that transformers does not have.
    """
    from transformers import AutoImageProcessor

    file, local = own_file(source), Path(source).is_dir()
    if local and not Path(file).is_file():
        return None
    try:
        stated = read_json(Path(file)) if local else _on_hub(str(source), revision)
        if not stated:
            return None
        processor = AutoImageProcessor.from_pretrained(
            str(source), revision=revision, backend="pil", trust_remote_code=trust_remote_code, local_files_only=local
        )
    except UserError:
        raise
    except Exception as error:  # what a file of another's making sets off in another's library is not known beforehand
        strange = "Unrecognized image processor" in str(error)
        why = "transformers knows none of that name." if strange else said(error)
        raise UserError(f"{file}: no image processor can be made of it ({TYPE} is {_named(stated)}): {why}") from None
    check_stated(processor, file)
    return processor


def own_file(source: Path | str) -> str:
    """The file in which a model's own processor is stated, or would be."""
    first, second = (Path(source) / name for name in OWN_FILES)
    return str(first if first.is_file() and NESTED in read_json(first) else second)


def check_stated(processor: Any, file: str) -> None:
    """Raises ``UserError`` naming the key where a value is of a kind that transformers would read as another one."""
    for key, (fits, wanted) in STATED.items():
        value = getattr(processor, key, None)
        if value is not None and not fits(value):
            raise UserError(f"{file}: {key} is {shown(value)}; wanted {wanted}.")


def check_agreement(image: ImageSpec, processor: Any, config: Any, where: str, file: str) -> None:
    """Raises ``UserError`` naming both files, keys and values where ``image`` contradicts the model's own processor."""
    channels = channels_of(config)
    for key, own in zip(("mean", "std"), normalisation(processor), strict=True):
        asked = getattr(image, key)
        if asked is None or own is None:
            continue
        wanted, found = for_each_channel(asked, channels), for_each_channel(own, channels)
        if len(wanted) != len(found) or not all(
            isclose(a, b, rel_tol=1e-6) for a, b in zip(wanted, found, strict=True)
        ):
            off = "" if getattr(processor, "do_normalize", True) else " (do_normalize is false)"
            raise UserError(
                f"{where}.{key} is {asked}, and image_{key} in {file} is {own}{off}. The model was trained with one of "
                "them: leave the key out, or mend the file."
            )
    own_filter = resampling_name(processor)
    if image.resample is not None and image.resample != own_filter:
        raise UserError(f"{where}.resample is {image.resample}, and resample in {file} is {own_filter}. Leave it out.")


def _on_hub(name: str, revision: str | None) -> dict[str, Any]:
    from transformers.models.auto.image_processing_auto import get_image_processor_config

    try:
        return get_image_processor_config(name, revision=revision)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{own_file(name)} at {revision} could not be asked of the Hub: {said(error)} {AWAY}."
        ) from None


def _named(stated: dict[str, Any]) -> str:
    inside = stated.get(NESTED, stated)
    return shown(inside.get(TYPE) if isinstance(inside, dict) else inside)
