"""Tasks that are not in a file, and small classifiers of every family."""

from typing import Any

import torch
import transformers

from headroom.config.metrics import COUNTED, METRICS
from headroom.config.tasks import Task

WHAT = {
    "translation": {"unit": "BLEU", "better": "higher", "chance": 0},
    "bits-per-byte": {"unit": "bits per byte", "better": "lower"},
}
SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
GROUPED = SMALL | {"num_key_value_heads": 1, "head_dim": 8}
PAIR = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2} | {
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
}
CLASSIFIERS = {
    "bert": ("Bert", SMALL),
    "roberta": ("Roberta", SMALL),
    "distilbert": ("DistilBert", {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}),
    "gpt2": ("GPT2", {"n_embd": 16, "n_layer": 1, "n_head": 2}),
    "gpt_neox": ("GPTNeoX", SMALL),
    "opt": (
        "OPT",
        {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 16, "word_embed_proj_dim": 16},
    ),
    "llama": ("Llama", GROUPED),
    "mistral": ("Mistral", GROUPED),
    "qwen2": ("Qwen2", GROUPED),
    "qwen3": ("Qwen3", GROUPED),
    "gemma": ("Gemma", GROUPED),
    "gemma2": ("Gemma2", GROUPED),
    "bart": ("Bart", PAIR),
    "mbart": ("MBart", PAIR),
    "t5": ("T5", {"d_model": 16, "d_kv": 8, "num_heads": 2, "num_layers": 1, "d_ff": 16}),
}


def task(evaluator: str, **keys: Any) -> Task:
    """A task of an evaluator, as ``tasks/mine.yaml`` would state it; its data are whatever it is given."""
    metric = {"name": METRICS[evaluator][0], "unit": "%", "better": "higher", "chance": COUNTED.get(evaluator, 0)}
    content = {
        "name": "mine",
        "version": 1,
        "summary": "made",
        "evaluator": evaluator,
        "data": {"made": "tasks/toys.py"},
        "splits": {"calibrate": "calibrate", "evaluate": "evaluate"},
        "metric": metric | WHAT.get(evaluator, {}),
        "licence": "none",
        "cite": "nobody",
    }
    return Task.model_validate(content | keys)


def classifier(family: str, size: int = 300, **keys: Any) -> Any:
    """A small random classifier whose weights are large enough to say something."""
    name, shape = CLASSIFIERS[family]
    config = getattr(transformers, f"{name}Config")(vocab_size=size, max_position_embeddings=64, **shape, **keys)
    config.decoder_start_token_id = 0  # T5's has no such key by itself
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{name}ForSequenceClassification")(config).eval()
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.data.normal_(0, 0.3)
    return model
