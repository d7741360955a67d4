"""Batches have the shapes that models take, and losses belong to examples and not to batches."""

import pytest
import torch
from datasets import Dataset

from headroom.config.model_spec import TokenizerSpec, load_spec
from headroom.data.batches import IGNORED, batches, length_order, per_example_loss
from headroom.data.language import LanguageCollator
from headroom.data.text import ClassificationCollator, TranslationCollator
from headroom.data.tokenize import PAD, SPECIAL, train_tokenizer
from headroom.models.loading import build

TEXTS = ["a b", "a b c d", "a", "b c"]
PAIRS = Dataset.from_list([{"source": text, "target": text.upper()} for text in TEXTS])


def tokenizer(kind: str = "word", ends: bool = True):
    return train_tokenizer(TokenizerSpec(kind=kind, size=300), [*TEXTS, *map(str.upper, TEXTS)], ends)


def test_translation_pads_sources_and_ignores_padded_targets():
    batch = TranslationCollator(tokenizer())(list(PAIRS))
    assert batch["input_ids"].shape == batch["labels"].shape == (4, 5)
    assert batch["attention_mask"].sum(-1).tolist() == [3, 5, 2, 3]
    assert (batch["labels"] == IGNORED).sum(-1).tolist() == [2, 0, 3, 2]


def test_long_inputs_are_cut():
    assert TranslationCollator(tokenizer(), length=3)(list(PAIRS))["input_ids"].shape == (4, 3)


def test_classification_has_one_label_an_example():
    batch = ClassificationCollator(tokenizer("wordpiece"))([{"text": text, "label": 1} for text in TEXTS])
    assert batch["labels"].tolist() == [1, 1, 1, 1]
    assert batch["input_ids"][0, 0] == SPECIAL.index("<s>")


def test_language_packs_all_texts_into_full_blocks():
    coder = tokenizer("bpe", ends=False)
    collator = LanguageCollator(coder, length=4)
    blocks = collator.arrange(Dataset.from_list([{"text": text} for text in TEXTS]))
    stream = [token for block in blocks for token in block["input_ids"]]
    assert all(len(block["input_ids"]) == 4 for block in blocks)
    assert stream[0] == coder.bos_token_id == coder.eos_token_id
    assert "".join(TEXTS).startswith(coder.decode(stream, skip_special_tokens=True))
    assert collator(blocks[:2])["labels"].shape == (2, 4)


def test_shuffling_follows_the_seed_and_sorting_can_be_undone():
    collator = TranslationCollator(tokenizer())
    first, again, other = ([b["input_ids"].tolist() for b in batches(PAIRS, collator, 2, seed=s)] for s in (1, 1, 5))
    assert first == again != other
    order = length_order(PAIRS, collator)
    lengths = [n for batch in batches(PAIRS, collator, 3, length_sorted=True) for n in batch["attention_mask"].sum(-1)]
    assert lengths == sorted(lengths)
    assert [len(TEXTS[index].split()) + 1 for index in order] == [int(length) for length in lengths]


def test_endless_batches_start_over_in_a_new_order():
    stream = batches(PAIRS, TranslationCollator(tokenizer()), 4, seed=0, endless=True)
    epochs = [next(stream)["attention_mask"].sum(-1).tolist() for _ in range(6)]
    assert all(sorted(epoch) == [2, 3, 3, 5] for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 1


def test_reading_batches_takes_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    list(batches(PAIRS, TranslationCollator(tokenizer()), 1, seed=3))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_tokenizer_trained_twice_is_the_same_and_reads_back_exactly():
    for kind in ("word", "bpe", "wordpiece"):
        first, again = tokenizer(kind), tokenizer(kind)
        assert first.backend_tokenizer.to_str() == again.backend_tokenizer.to_str()
        assert first.pad_token_id == SPECIAL.index(PAD)
    text = "a  b\n\tc é"
    assert tokenizer("bpe").decode(tokenizer("bpe")(text)["input_ids"], skip_special_tokens=True) == text


SHAPES = {
    "translation": {"family": "m2m_100", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
    | {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16},
    "language": {"family": "llama", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    | {"num_attention_heads": 2, "num_key_value_heads": 1},
}


@pytest.mark.parametrize("purpose", SHAPES)
def test_losses_of_examples_average_to_the_loss_of_the_model(purpose):
    """Where all examples are equally long, the model's own loss is the mean of theirs."""
    coder = tokenizer()
    entry = {"source": {"config": SHAPES[purpose]}, "tasks": ["toy"], "tokenizer": {"kind": "word", "size": 300}}
    spec = load_spec("mine", entry | {"train": {"steps": 1, "batch": 1, "learning_rate": 1}})
    model = build(spec, purpose, coder)
    rows = [{"source": text, "target": text} for text in ("a b", "b c", "c d")]
    batch = TranslationCollator(coder)(rows)
    if purpose == "language":
        batch = {"input_ids": batch["input_ids"], "labels": batch["input_ids"]}
    losses = per_example_loss(model, batch)
    assert losses.shape == (3,)
    torch.testing.assert_close(losses.mean(), model(**batch).loss)


def test_the_loss_of_an_example_does_not_depend_on_its_neighbours():
    coder = tokenizer()
    entry = {"source": {"config": SHAPES["translation"]}, "tasks": ["toy"], "tokenizer": {"kind": "word", "size": 300}}
    model = build(
        load_spec("mine", entry | {"train": {"steps": 1, "batch": 1, "learning_rate": 1}}), "translation", coder
    )
    collator = TranslationCollator(coder)
    together = per_example_loss(model, collator(list(PAIRS)))
    alone = torch.cat([per_example_loss(model, collator([row])) for row in PAIRS])
    torch.testing.assert_close(together, alone)
