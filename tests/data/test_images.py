"""Images become what transformers' own processor makes of them, for every kind of image and of model."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from transformers import ViTImageProcessorPil

from headroom.config.model_spec import ImageSpec
from headroom.data import images
from headroom.data.batches import batches
from headroom.data.images import ImageCollator, readable
from headroom.data.processors import made_processor
from headroom.errors import UserError

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16", "La", "LAB")
DTYPES = (
    "bool",
    "uint8",
    "int8",
    "uint16",
    ">u2",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "U1",
)


def model(channels=1, size=8):
    return SimpleNamespace(num_channels=channels, image_size=size, model_type="vit")


def collator(channels=1, size=8, mean=0.5, std=0.25):
    config = model(channels, size)
    return ImageCollator(made_processor(ImageSpec(mean=mean, std=std), config), config)


def one(reader, image):
    """The pixels of one image."""
    return reader([{"image": image, "label": 0}])["pixel_values"][0]


@pytest.mark.parametrize(
    ("mean", "std"), [(0.5, 0.5), (0.1307, 0.3081), (0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]
)
def test_every_value_of_eight_bits_is_scaled_and_normalised_in_float32(mean, std):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = (torch.from_numpy(values).float() / 255 - torch.tensor(mean)) / torch.tensor(std)
    assert torch.equal(one(collator(1, 16, mean, std), Pillow.fromarray(values)), expected[None])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_batch_takes_the_channels_and_the_size_of_the_model(channels, mode):
    reader = collator(channels, 8)
    mixed = [Pillow.new("RGB", (6, 4), (255, 255, 255)), Pillow.new("L", (8, 8), 255), Pillow.new("1", (90, 1), 1)]
    batch = reader([{"image": image, "label": place} for place, image in enumerate(mixed)])
    assert batch["pixel_values"].shape == (3, channels, 8, 8)
    assert torch.all(batch["pixel_values"] == 2)
    assert batch["labels"].tolist() == [0, 1, 2]
    assert readable(mixed[0], mode).mode == mode


@st.composite
def pictures(draw):
    """An image of any mode, or an array of any kind, with values that fit in or do not."""
    height, width = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    noise = np.random.default_rng(draw(st.integers(0, 99)))
    if draw(st.booleans()):
        mode = draw(st.sampled_from(MODES))
        image = Pillow.new(mode, (width, height))
        if height and width and mode not in ("La", "PA", "HSV", "LAB"):
            top = draw(st.sampled_from([2, 256, 4096]))
            grey = Pillow.fromarray(noise.integers(0, top, (height, width)).astype("int32"))
            image = grey if mode == "I" else grey.convert("F") if mode == "F" else grey.convert("L").convert(mode)
        return image
    shape = draw(
        st.sampled_from([(height, width), (height, width, 3), (1, height, width), (height, width, 2), (height,)])
    )
    low, high = draw(st.sampled_from([(0, 2), (0, 100), (0, 300), (-5, 5)]))
    values = noise.integers(low, high, shape) / draw(st.sampled_from([1, 3]))
    with np.errstate(all="ignore"):
        return values.astype(draw(st.sampled_from(DTYPES)))


@settings(deadline=None, max_examples=300)
@given(pictures(), st.sampled_from([1, 3]), st.sampled_from([1, 8, 13]))
def test_any_image_becomes_what_the_processor_makes_of_it_or_a_sentence(image, channels, size):
    reader = collator(channels, size)
    try:
        made = one(reader, image)
    except UserError:
        return
    as_image = image
    if isinstance(image, np.ndarray):
        plain = image.astype("uint8") * (255 if image.dtype == bool else 1)
        plain = np.moveaxis(plain, 0, 2) if plain.ndim == 3 and plain.shape[0] in (1, 3, 4) else plain
        as_image = Pillow.fromarray(plain[:, :, 0] if plain.ndim == 3 and plain.shape[2] == 1 else plain)
    direct = reader.processor([as_image.convert("L" if channels == 1 else "RGB")], return_tensors="pt")
    assert torch.equal(made, direct["pixel_values"][0])


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Pillow.fromarray(np.array([[0, 4095]], "uint16")), "mode I;16) has values of 0 to 4095"),
        (Pillow.fromarray(np.array([[0.0, 0.5]], "float32")), "mode F) has values of 0 to 0.5"),
        (Pillow.fromarray(np.array([[-1, 5]], "int32")), "mode I) has values of -1 to 5"),
        (Pillow.new("LAB", (2, 2)), "mode LAB) cannot be read as L"),
        (Pillow.new("L", (0, 2)), "2x0 pixels"),
        (np.array([[0.5]]), "array of float64 with values of 0.5 to 0.5"),
        (np.array([[np.nan]]), "array of float64 with values of nan"),
        (np.array([[256]]), "array of int64 with values of 256"),
        (np.zeros((6, 5, 2), "uint8"), "(6, 5, 2); wanted 1, 3 or 4 channels"),
        (np.zeros((3, 5, 3), "uint8"), "(3, 5, 3); wanted 1, 3 or 4 channels"),
        (np.zeros((2, 2), "complex64"), "complex64"),
        (None, "An image is NoneType"),
        ("cat.png", "An image is str"),
    ],
)
def test_what_eight_bits_cannot_hold_is_a_sentence_and_not_white(image, said):
    with pytest.raises(UserError, match=re.escape(said)):
        one(collator(), image)


def test_a_photograph_is_turned_upright(tmp_path):
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Pillow.fromarray(values).save(tmp_path / "turned.png", exif=exif)
    turned = Pillow.open(tmp_path / "turned.png")
    assert torch.equal(one(collator(), turned), one(collator(), np.rot90(values, -1)))


def test_an_image_file_that_is_cut_off_is_a_sentence(tmp_path):
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90), "uint8")).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(UserError, match="cannot be read"):
        one(collator(), Pillow.open(tmp_path / "cut.png"))


def test_sizes_that_the_processor_leaves_as_they_are_have_to_be_the_model_s():
    left = ImageCollator(ViTImageProcessorPil(do_resize=False, image_mean=0.5, image_std=0.5), model())
    assert one(left, Pillow.new("L", (8, 8))).shape == (1, 8, 8)
    with pytest.raises(UserError, match=r"makes \(1, 9, 9\) of an image of 9x9; the model wants \(1, 8, 8\)"):
        one(left, Pillow.new("L", (9, 9)))
    with pytest.raises(UserError, match="cannot make a batch of images of 8x8, 9x9"):
        left([{"image": Pillow.new("L", (size, size)), "label": 0} for size in (8, 9)])
    with pytest.raises(UserError, match="num_channels is 4"):
        collator(4)


def table(count=20):
    """A data set of made images."""
    noise = np.random.default_rng(0).integers(0, 255, (count, 8, 8), dtype=np.uint8)
    rows = [{"image": Pillow.fromarray(pixels), "label": place} for place, pixels in enumerate(noise)]
    return Dataset.from_list(rows, features=Features({"image": Image(), "label": Value("int64")}))


def test_a_data_set_is_encoded_once_however_often_it_is_asked_for():
    reader, calls = collator(), []
    encode = reader.pixels
    reader.pixels = lambda group: calls.append(len(group)) or encode(group)
    data = table()
    first = list(batches(data, reader, 6, seed=1))
    assert sum(calls) == 20 and len(calls) == 4  # a call for each batch and not one for each image
    again, rows = list(batches(data, reader, 6, seed=1)), list(data)
    assert sum(calls) == 20
    for one_batch, other in zip(first, again, strict=True):
        assert torch.equal(one_batch["pixel_values"], other["pixel_values"])
        direct = encode([rows[label]["image"] for label in one_batch["labels"].tolist()])
        assert torch.equal(one_batch["pixel_values"], direct)
    assert next(iter(batches(data, reader, 20, examples=3)))["labels"].tolist() == [0, 1, 2]


def test_no_more_is_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(images, "ROOM", 5 * 8 * 8 * 4)
    reader, data = collator(), table()
    kept = reader.arrange(data)
    first, second = (torch.cat([batch["pixel_values"] for batch in batches(data, reader, 7)]) for _ in range(2))
    assert torch.equal(first, second) and first.shape == (20, 1, 8, 8)
    assert len(kept.kept) == 5 and reader.room == 0 and len(kept) == 20
    assert kept[-1]["label"] == 19 and [row["label"] for row in kept] == list(range(20))


def test_an_example_that_is_no_image_is_named():
    data = Dataset.from_dict({"image": [{"bytes": b"no image", "path": None}], "label": [0]})
    with pytest.raises(UserError, match="image of example 0 cannot be read"):
        next(iter(batches(data.cast_column("image", Image()), collator(), 1)))


@pytest.mark.parametrize(
    ("folder", "file", "spec", "count"),
    [
        ("model_vit_mnist", "mnist/test.parquet", ImageSpec(mean=0.1307, std=0.3081), 200),
        ("model_vit_tiny_imagenet", "imagenet_sample/test_800.parquet", ImageSpec(mean=0.5, std=0.5), 12),
    ],
)
@torch.no_grad()
def test_predictions_of_real_models_are_those_of_the_library_s_pipeline(folder, file, spec, count):
    data = Path(os.environ.get("HEADROOM_DATA", "")) / folder
    if not os.environ.get("HEADROOM_DATA") or not data.is_dir():
        pytest.skip(f"HEADROOM_DATA names no folder with {folder}")
    from transformers import AutoModelForImageClassification, pipeline

    vit = AutoModelForImageClassification.from_pretrained(data).eval()
    # by number: two of ImageNet's classes are cranes
    vit.config.id2label = {number: str(number) for number in range(vit.config.num_labels)}
    reader = ImageCollator(made_processor(spec, vit.config), vit.config)
    rows = list(Dataset.from_parquet(str(data.parent / file)).select(range(count)))
    logits = vit(pixel_values=reader(rows)["pixel_values"]).logits
    # the pipeline makes RGB of an image and leaves an array as it is
    given = [np.array(row["image"])[None] if vit.config.num_channels == 1 else row["image"] for row in rows]
    classify = pipeline("image-classification", model=vit, image_processor=reader.processor, top_k=1)
    assert logits.argmax(-1).tolist() == [int(classify(one)[0]["label"]) for one in given]
