"""A BERT that classifies chemical reactions, as rxnfp ships it: weights in a pickle, a list of words, a pattern.

The pattern splits a reaction in SMILES into atoms, bonds and brackets (Schwaller et al. 2019, "Molecular Transformer").
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headroom.config.located import read_json
from headroom.errors import UserError, some
from headroom.models.formats.format import Format

ARROW = ">>"  # between what reacts and what comes of it: no other BERT has it for a word
ATOMS = r"\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p"
MARKS = r"\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>>?|\*|\$|%[0-9]{2}|[0-9]"
SHAPE = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act")
REST = ("hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size")
STALE = ".position_ids"  # a buffer that older versions saved


def convert(files: Path, out: Path) -> None:
    """Write model and tokenizer. Raises ``UserError`` for a pickle that holds more than weights, or another model."""
    words = (files / "vocab.txt").read_text(encoding="utf-8").splitlines()
    if missing := [word for word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ARROW) if word not in words]:
        raise UserError(
            f"vocab.txt lacks {some(missing)}, so this is no classifier of reactions, and no other pickled model is "
            "read here. Save it with save_pretrained, as safetensors, and name it as source.folder."
        )
    tokenizer = tokenizer_of(words)
    model = model_of(read_json(files / "config.json"), weights_of(files / "pytorch_model.bin"))
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def weights_of(file: Path) -> dict[str, Any]:
    """The tensors of a pickle whose hash was checked; nothing else in it is ever made or run."""
    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged or harmful pickle raises
        raise UserError(f"{file.name} holds more than weights, or is damaged ({type(error).__name__}).") from None
    if not isinstance(found, dict) or not all(isinstance(one, torch.Tensor) for one in found.values()):
        raise UserError(f"{file.name} holds no weights by name.")
    return {name: tensor for name, tensor in found.items() if not name.endswith(STALE)}


def model_of(stated: dict[str, Any], weights: dict[str, Any]) -> Any:
    """The classifier, with as many classes as its weights have. Its config names two, and has fifty."""
    from transformers import BertConfig, BertForSequenceClassification

    try:
        keys = {key: stated[key] for key in (*SHAPE, *REST, "initializer_range", "layer_norm_eps")}
        config = BertConfig(**keys | {"pad_token_id": 0, "num_labels": len(weights["classifier.weight"])})
        model = BertForSequenceClassification(config)
        model.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        what = " ".join(str(error).split())[:200]
        raise UserError(f"config.json and pytorch_model.bin make no BERT that classifies: {what}.") from None
    return model.eval()


def tokenizer_of(words: list[str]) -> Any:
    """One word for each piece of a reaction that the pattern finds; what it does not find is left out."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {word: number for number, word in enumerate(words)}
    inner = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(f"{ATOMS}|{MARKS}"), behavior="removed", invert=True)
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(mark, numbers[mark]) for mark in ("[CLS]", "[SEP]")],
    )
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **marks,
    )


FORMAT = Format(
    "a classifier of reactions (pytorch_model.bin, config.json, vocab.txt)",
    needs=("pytorch_model.bin", "config.json", "vocab.txt"),
    convert=convert,
)
