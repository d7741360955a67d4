"""Tiny random lookalikes of the models of a profile: the same classes, config keys and kinds of tokenizers.

Where the original comes in several files of weights, its lookalike does too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

sys.path.append(str(Path(__file__).parents[1] / "data"))
TEXTS = [
    "the cat says no",
    "a dog says the cat is a dog",
    "is it a cat? the dog says it is 0 dogs: yes.",
    "A B C D",
] * 3
NAMES = Path(__file__).parents[2] / "tasks" / "imagenet-classes.txt"
SHARD = "40KB"


def save(model: Any, reader: Any, folder: Path, parts: bool = False) -> Path:
    model.save_pretrained(folder, **({"max_shard_size": SHARD} if parts else {}))
    reader.save_pretrained(folder)
    return folder


def of_bytes(*specials: str, start: str | None = None) -> Any:
    """A byte-level BPE, as GPT-NeoX, Llama-3, Qwen and SmolLM have; ``start`` stands in front of each text."""
    whole = Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    how = {"vocab_size": 300, "initial_alphabet": alphabet, "special_tokens": [*specials], "show_progress": False}
    whole.train_from_iterator(TEXTS, trainers.BpeTrainer(**how))
    if start:
        number = whole.token_to_id(start)
        whole.post_processor = processors.TemplateProcessing(single=f"{start} $A", special_tokens=[(start, number)])
    named = {"bos_token": start} if start else {}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=whole, eos_token=specials[-1], **named)


def of_llama() -> Any:
    """Pieces with a fallback to bytes and a start mark, as Llama-2 and Mistral have."""
    whole = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    whole.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    whole.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    marks = ["<unk>", "<s>", "</s>", *(f"<0x{number:02X}>" for number in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=marks, show_progress=False)
    whole.train_from_iterator(["▁" + text.replace(" ", "▁") for text in TEXTS], trainer)
    whole.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=whole, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def causal(kind: str, reader: Any, groups: int = 4, **more: Any) -> Any:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    sizes |= {"max_position_embeddings": 4096, "vocab_size": len(reader), "eos_token_id": reader.eos_token_id}
    if kind != "GPTNeoX":
        sizes["num_key_value_heads"] = groups
    config = getattr(transformers, f"{kind}Config")(**sizes, bos_token_id=reader.bos_token_id, **more)
    return getattr(transformers, f"{kind}ForCausalLM")(config)


def language(kind: str, make: Callable[[], Any], **how: Any) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        reader = make()
        return save(causal(kind, reader, **how).to(torch.bfloat16), reader, folder, parts=True)

    return made


def opus(folder: Path) -> Path:
    from translator_kinds import marian

    reader = marian()
    sizes = dict.fromkeys(("encoder_layers", "decoder_layers"), 6)
    sizes |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 8)
    sizes |= dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 64)
    pad, end = reader.pad_token_id, reader.eos_token_id
    marks = {"pad_token_id": pad, "eos_token_id": end, "decoder_start_token_id": pad, "forced_eos_token_id": end}
    config = transformers.MarianConfig(
        d_model=32, max_position_embeddings=512, vocab_size=len(reader), scale_embedding=True, **sizes, **marks
    )
    model = transformers.MarianMTModel(config)
    model.generation_config.update(max_length=512, num_beams=1, bad_words_ids=[[pad]], **marks)
    return save(model, reader, folder)


def bert(folder: Path) -> Path:
    """A model that foretells hidden words, as the one on the Hub: it has no head for a task, and no pooler."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    whole = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(lowercase=True)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    whole.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=marks, show_progress=False)
    )
    whole.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    reader = transformers.BertTokenizerFast(tokenizer_object=whole, **dict(zip(names, marks, strict=True)))
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = transformers.BertConfig(vocab_size=len(reader), pad_token_id=0, **sizes)
    return save(transformers.BertForMaskedLM(config), reader, folder)


def deit(folder: Path) -> Path:
    names = NAMES.read_text(encoding="utf-8").split("\n")[:1000]
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = transformers.ViTConfig(image_size=32, patch_size=8, **sizes)
    config.num_labels = 1000
    config.id2label = dict(enumerate(names))
    config.label2id = {name: number for number, name in enumerate(names)}
    reader = transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )
    return save(transformers.ViTForImageClassification(config), reader, folder)


END = "<|endoftext|>"
LLAMA_3 = ("<|begin_of_text|>", "<|end_of_text|>")
llama_3 = language("Llama", lambda: of_bytes(*LLAMA_3, start=LLAMA_3[0]), groups=2, rope_theta=500000.0)
pythia = language("GPTNeoX", lambda: of_bytes(END), rotary_pct=0.25)
qwen = language("Qwen3", lambda: of_bytes(END), groups=2, head_dim=8, tie_word_embeddings=True)

MODELS: dict[str, Callable[[Path], Path]] = {
    "Helsinki-NLP/opus-mt-en-ru": opus,
    "Helsinki-NLP/opus-mt-en-de": opus,
    "google-bert/bert-base-uncased": bert,
    "meta-llama/Llama-2-7b-hf": language("Llama", of_llama),
    "meta-llama/Llama-2-13b-hf": language("Llama", of_llama),
    "meta-llama/Llama-2-70b-hf": language("Llama", of_llama, groups=1),
    "meta-llama/Meta-Llama-3-8B": llama_3,
    "meta-llama/Meta-Llama-3-70B": llama_3,
    "mistralai/Mistral-7B-v0.1": language("Mistral", of_llama, groups=2, sliding_window=4096),
    "Qwen/Qwen3-8B-Base": qwen,
    "Qwen/Qwen3-1.7B-Base": qwen,
    "HuggingFaceTB/SmolLM2-1.7B": language("Llama", lambda: of_bytes(END), tie_word_embeddings=True),
    "EleutherAI/pythia-1.4b": pythia,
    "EleutherAI/pythia-410m": pythia,
    "facebook/deit-base-patch16-224": deit,
}
