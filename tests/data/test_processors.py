"""A model keeps the processor it comes with, or gets the one that params.yaml states; a contradiction is a sentence."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoImageProcessor, CLIPImageProcessorPil, ViTImageProcessorPil

from headroom.attention import toy
from headroom.config.model_spec import ImageSpec
from headroom.data import processors
from headroom.data.images import ImageCollator
from headroom.data.processor_facts import image_troubles, in_words
from headroom.data.processors import processor_for, read_processor
from headroom.errors import UserError

OWN = "preprocessor_config.json"
WHERE = "params.yaml: models.mine.image"
KEYS = {
    "image_processor_type": "ViTImageProcessor",
    "image_mean": [0.5],
    "image_std": [0.25],
    "size": {"height": 8, "width": 8},
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "resample": 2,
}
JUNK = (None, "a", "", [], ["a"], [1, 2], {}, {"height": "x"}, {"height": 4}, -1, 0, 7, 1e400, True, False, [[1]], 3.5)


def model(channels=1, size=8):
    return SimpleNamespace(num_channels=channels, image_size=size, model_type="vit")


def write(folder, **changes):
    """A folder with a processor of its own."""
    folder.mkdir(exist_ok=True)
    (folder / OWN).write_text(json.dumps(KEYS | changes))
    return folder


def pixels(processor, config, image=None):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    image = image or Image.fromarray(noise)
    return ImageCollator(processor, config)([{"image": image, "label": 0}])["pixel_values"]


@pytest.mark.parametrize("channels", [1, 3])
def test_what_params_state_is_saved_read_back_and_obeyed(tmp_path, channels):
    config = toy("vit", num_channels=channels).config
    stated = ImageSpec(mean=0.1307, std=0.3081, resample="bicubic")
    first = processor_for(stated, config, WHERE)
    first.save_pretrained(tmp_path / "pruned")
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 30), dtype=np.uint8))
    expected = pixels(first, config, large)
    again = processor_for(ImageSpec(), config, "--image-mean", tmp_path / "pruned")  # nothing is said the second time
    assert torch.equal(pixels(again, config, large), expected)
    again.save_pretrained(tmp_path / "twice")
    assert (tmp_path / "twice" / OWN).read_bytes() == (tmp_path / "pruned" / OWN).read_bytes()
    theirs = AutoImageProcessor.from_pretrained(tmp_path / "twice", backend="pil")
    converted = large if channels == 1 else large.convert("RGB")
    assert torch.equal(theirs([converted], return_tensors="pt")["pixel_values"], expected)
    assert not torch.equal(pixels(processor_for(ImageSpec(mean=0.5, std=0.5), config), config, large), expected)


def test_what_repeats_the_model_s_own_is_fine_and_what_contradicts_it_names_both(tmp_path):
    own, config = write(tmp_path / "own"), model()
    for same in (ImageSpec(mean=0.5), ImageSpec(mean=[0.5], std=0.25), ImageSpec(std=0.25, resample="bilinear")):
        assert processor_for(same, config, WHERE, own).image_std == (0.25,)
    for key, spec, said in [
        ("mean", {"mean": 0.1307}, f"{WHERE}.mean is 0.1307, and image_mean in {own / OWN} is [0.5]."),
        ("std", {"mean": 0.5, "std": 0.5}, f"{WHERE}.std is 0.5, and image_std in {own / OWN} is [0.25]."),
        ("mean", {"mean": [0.5, 0.4, 0.3]}, "mean is [0.5, 0.4, 0.3]"),
        ("resample", {"resample": "bicubic"}, f"resample is bicubic, and resample in {own / OWN} is bilinear"),
    ]:
        with pytest.raises(UserError, match=re.escape(said)):
            processor_for(ImageSpec(**spec), config, WHERE, own)
        assert key in said
    with pytest.raises(UserError, match=r"is 0\.0 \(do_normalize is false\)"):
        processor_for(ImageSpec(mean=0.5), config, WHERE, write(own, do_normalize=False))


def test_what_neither_states_is_not_guessed(tmp_path):
    said = re.escape(f"{WHERE}: mean and std of the pixels are not said, and {tmp_path} holds no {OWN}.")
    with pytest.raises(UserError, match=said):
        processor_for(ImageSpec(), model(), WHERE, tmp_path)
    with pytest.raises(UserError, match=r"std of the pixels is not said\. Say e\.g\. `image: \{mean"):
        processor_for(ImageSpec(mean=0.5), model(), WHERE)
    with pytest.raises(UserError, match=r"Say e\.g\. --image-mean 0\.5 --image-std 0\.5"):
        processor_for(ImageSpec(), model(), f"--model {tmp_path}.image", tmp_path)
    with pytest.raises(UserError, match=r"image\.mean has 3 numbers; the model has 1 channels"):
        processor_for(ImageSpec(mean=[0.1, 0.2, 0.3], std=0.5), model(), WHERE)
    with pytest.raises(UserError, match="states no image_size"):
        processor_for(ImageSpec(mean=0.5, std=0.5), model(size=None), WHERE)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"do_normalize": False}, lambda p: p / 255),
        ({"do_rescale": False}, lambda p: (p - 0.5) / 0.25),
        ({"rescale_factor": 1 / 127.5}, lambda p: (p / 127.5 - 0.5) / 0.25),
        ({"do_rescale": False, "do_normalize": False}, lambda p: p),
        (
            {"do_resize": False, "do_center_crop": True, "crop_size": 4},
            lambda p: (p[2:6, 2:6] / 255 - 0.5) / 0.25,
        ),
        ({"image_processor_type": "ViTImageProcessorFast"}, lambda p: (p / 255 - 0.5) / 0.25),
    ],
)
def test_what_a_folder_states_is_obeyed(tmp_path, changes, expected):
    config = model(size=4 if "crop_size" in changes else 8)
    processor = processor_for(ImageSpec(), config, WHERE, write(tmp_path, **changes))
    assert image_troubles(processor, config) == []
    values = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).float()
    torch.testing.assert_close(pixels(processor, config)[0, 0], expected(values))


def test_a_processor_inside_of_another_file_and_of_another_family_is_read(tmp_path):
    clip = CLIPImageProcessorPil(size={"shortest_edge": 10}, crop_size=8, image_mean=[0.1] * 3, image_std=[0.2] * 3)
    inside = json.loads(clip.to_json_string())
    (tmp_path / "processor_config.json").write_text(json.dumps({"processor_class": "X", "image_processor": inside}))
    config = model(3)
    processor = processor_for(ImageSpec(mean=0.1), config, WHERE, tmp_path)
    assert image_troubles(processor, config) == []
    assert pixels(processor, config, Image.new("CMYK", (30, 12))).shape == (1, 3, 8, 8)
    with pytest.raises(UserError, match=r"image_mean in .*/processor_config\.json is \[0\.1, 0\.1, 0\.1\]"):
        processor_for(ImageSpec(mean=0.5), config, WHERE, tmp_path)
    assert in_words(processor, config) == (
        "CLIPImageProcessor: RGB, convert to RGB, resize shortest_edge 10 (bicubic), crop 8x8, rescale 1/255, "
        "mean 0.1, std 0.2"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not readable as JSON"),
        ("[1]", "holds no mapping"),
        (json.dumps(KEYS | {"image_processor_type": "MyProcessor"}), "(image_processor_type is 'MyProcessor')"),
        (json.dumps({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}), "no image processor can be made of it"),
        (json.dumps(KEYS | {"size": "large"}), "Could not convert size input to size dict: large"),
        (json.dumps(KEYS | {"image_mean": "half"}), "image_mean is 'half'; wanted a number"),
        (json.dumps(KEYS | {"resample": "bicubic"}), "resample is 'bicubic'; wanted a number of 0 to 5"),
        (json.dumps(KEYS | {"do_resize": "no"}), "do_resize is 'no'; wanted true or false"),
        (json.dumps(KEYS | {"rescale_factor": 0}), "rescale_factor is 0; wanted a number above 0"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_key(tmp_path, content, said):
    (tmp_path / OWN).write_text(content)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / OWN))) as found:
        read_processor(tmp_path)
    assert said in str(found.value) and len(str(found.value)) < 500


def test_code_that_comes_with_a_model_is_run_only_where_that_is_asked_for(tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('this ran')\n")
    content = {"image_processor_type": "Mine", "auto_map": {"AutoImageProcessor": "mine.Mine"}}
    (tmp_path / OWN).write_text(json.dumps(content))
    with pytest.raises(UserError, match=OWN):
        read_processor(tmp_path)


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from([*KEYS, "do_center_crop", "crop_size", "do_pad", "pad_size"]), st.sampled_from(JUNK)
    )
)
def test_any_file_is_a_processor_that_works_or_a_sentence(tmp_path_factory, changes):
    folder, config = write(tmp_path_factory.mktemp("own"), **changes), model()
    try:
        processor = processor_for(ImageSpec(std=0.25), config, WHERE, folder)
    except UserError:
        return
    assert in_words(processor, config)
    if not image_troubles(processor, config):
        assert pixels(processor, config).shape == (1, 1, 8, 8)


@pytest.mark.parametrize(
    ("processor", "config", "said"),
    [
        (ViTImageProcessorPil(size=8, image_std=0.5), model(), "image_mean has 3 numbers; the model has 1 channels."),
        (ViTImageProcessorPil(size=8, image_mean=[0.5], image_std=0.0), model(), "image_std is 0.0; it divides"),
        (ViTImageProcessorPil(size=8, image_mean=0.5, image_std=0.5, do_convert_rgb=True), model(), "do_convert_rgb"),
        (ViTImageProcessorPil(size=9), model(3), "an image of 8x8 becomes 9x9; image_size of the model is 8x8."),
        (CLIPImageProcessorPil(), model(3), "becomes 224x224; image_size of the model is 8x8."),
        (ViTImageProcessorPil(size=8), model(4), "num_channels is 4"),
    ],
)
def test_what_a_model_cannot_read_is_found_before_anything_runs(processor, config, said):
    assert len(found := image_troubles(processor, config)) == 1 and said in found[0]


def test_a_processor_in_words():
    config = toy("vit", num_channels=3).config
    spec = ImageSpec(mean=[0.485, 0.456, 0.406], std=0.5)
    assert in_words(processor_for(spec, config), config) == (
        "ViTImageProcessor: RGB, resize 16x16 (bilinear), rescale 1/255, mean 0.485 0.456 0.406, std 0.5"
    )
    raw = ViTImageProcessorPil(do_resize=False, do_normalize=False, rescale_factor=0.5)
    assert in_words(raw, model()) == "ViTImageProcessor: L, rescale 1/2"


def test_a_model_of_the_hub_is_asked_there_and_nowhere_else(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(processors, "_on_hub", lambda name, revision: asked.append((name, revision)) or {})
    assert read_processor("owner/name", revision="1" * 40) is None
    assert asked == [("owner/name", "1" * 40)]
    assert read_processor(tmp_path) is None and len(asked) == 1


def test_a_hub_that_cannot_be_reached_is_a_sentence(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("transformers.models.auto.image_processing_auto.get_image_processor_config", unreachable)
    with pytest.raises(UserError, match=r"owner/name/preprocessor_config\.json at .* could not be asked of the Hub"):
        read_processor("owner/name", revision="1" * 40)
