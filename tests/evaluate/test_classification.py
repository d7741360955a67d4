"""Accuracy of texts and images equals a hand count, whatever the batch."""

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, sentences, state, task, tokenizer
from PIL import Image

from headroom.attention import toy
from headroom.config.model_spec import ImageSpec
from headroom.data.images import ImageCollator
from headroom.data.processors import processor_for
from headroom.evaluate import NotFinite, Settings, score
from headroom.results.aggregates import per_cent


@pytest.fixture(scope="module")
def reader():
    return tokenizer("wordpiece")


@pytest.fixture(scope="module")
def examples():
    return [{"text": text, "label": place % 3} for place, text in enumerate(sentences(23))]


@torch.no_grad()
def by_hand(model, reader, examples):
    """Whether each text alone is classified rightly."""
    answers = [model(**reader(example["text"], return_tensors="pt")).logits.argmax().item() for example in examples]
    return np.array([answer == example["label"] for answer, example in zip(answers, examples, strict=True)], float)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_accuracy_equals_a_count_by_hand(reader, examples, batch_size):
    model = fitting("bert", reader)
    stats = score(model, task("classification"), examples, reader, Settings(batch_size, 64)).stats
    expected = by_hand(model, reader, examples)
    np.testing.assert_array_equal(stats[:, 0], expected)
    assert float(per_cent(stats.sum(axis=0))) == pytest.approx(100 * expected.mean())


def test_images_are_scored_in_their_order():
    model = toy("vit", num_channels=1)
    processor = processor_for(ImageSpec(mean=0.5, std=0.5), model.config)
    pixels = np.random.default_rng(0).integers(0, 255, (9, 16, 16), dtype=np.uint8)
    examples = [{"image": Image.fromarray(image), "label": place % 3} for place, image in enumerate(pixels)]
    stats = score(model, task("image-classification"), examples, processor, Settings(batch_size=4)).stats
    collator = ImageCollator(processor, model.config)
    with torch.no_grad():
        answers = [
            model(pixel_values=collator([example])["pixel_values"]).logits.argmax().item() for example in examples
        ]
    np.testing.assert_array_equal(stats[:, 0], [float(answer == place % 3) for place, answer in enumerate(answers)])


def test_the_model_is_left_as_it_was_found(reader, examples):
    model = fitting("bert", reader)
    model.bert.train()
    before = state(model)
    score(model, task("classification"), examples, reader, Settings(8, 64))
    assert state(model) == before


def test_nan_logits_raise_and_name_the_task(reader, examples):
    model = fitting("bert", reader)
    with torch.no_grad():
        model.classifier.bias[0] = float("nan")
    with pytest.raises(NotFinite, match="reviews"):
        score(model, task("classification", "reviews"), examples, reader, Settings(8, 64))
    with torch.no_grad():
        model.classifier.bias[0] = float("inf")
    with pytest.raises(NotFinite, match="reviews"):
        score(model, task("classification", "reviews"), examples, reader, Settings(8, 64))
