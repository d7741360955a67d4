"""What the tests of gates and removal share."""

import copy
import random
from contextlib import contextmanager

import torch

from headroom.api import Grain
from headroom.attention import FAMILY_NAMES, anatomy, remove, toy, toy_batch

GRAINS = (Grain.HEAD, Grain.KV_GROUP, Grain.ATTENTION, Grain.MLP, Grain.BLOCK)
GROUPED = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3")
GENERATING = tuple(name for name in FAMILY_NAMES if name not in ("bert", "roberta", "distilbert", "vit", "deit"))
PAIRS = ("bart", "marian", "marian_ssru", "mbart", "m2m_100", "t5")
CAUSAL = tuple(name for name in GENERATING if name not in PAIRS)


def logits(model, batch):
    with torch.no_grad():
        return model(**batch).logits


def apart(one, other):
    """Largest difference, as a share of the largest value where values are above one."""
    return ((one - other).abs().max() / max(1.0, other.abs().max().item())).item()


def removed(model, units, policy="heads"):
    model = copy.deepcopy(model)
    remove(model, units, policy)
    return model


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def per_example_loss(model, batch):
    """A smooth loss per example, in the precision of the model; the library's own is computed in float32."""
    out = model(**{name: value for name, value in batch.items() if name != "labels" or "input_ids" in batch}).logits
    weights = torch.linspace(-1.0, 1.0, out[0].numel(), dtype=torch.float64).reshape(out[0].shape)
    value = torch.tanh(out.double()) * weights
    mask = batch.get("attention_mask")
    if mask is not None and mask.shape == value.shape[:2]:
        value = value * mask.unsqueeze(-1)  # a padded query attends nothing: its scores are rounded away, not constant
    return value.flatten(1).sum(1)


def random_units(model, grains, share, seed):
    chosen = [unit for unit in anatomy(model).units(grains)]
    return random.Random(seed).sample(chosen, int(share * len(chosen)))


def attention_units(model, kind="self", stack="decoder"):
    found = anatomy(model).units((Grain.ATTENTION,))
    return [unit for unit in found if unit.site.kind == kind and unit.site.stack == stack]


def block_units(model, stack="decoder"):
    return [unit for unit in anatomy(model).units((Grain.BLOCK,)) if unit.site.stack == stack]


def generate(model, family, cached, words=6, **kwargs):
    """Logits of every step, of greedy or beam search from a padded prompt."""
    prompt = {name: value for name, value in toy_batch(family).items() if name != "labels"}
    # M2M100 counts positions over words that are no padding, so padding may not be generated
    return model.generate(
        **prompt,
        max_new_tokens=words,
        min_new_tokens=words,
        do_sample=False,
        use_cache=cached,
        suppress_tokens=[0],
        output_logits=True,
        return_dict_in_generate=True,
        pad_token_id=0,
        **kwargs,
    )


def worst_step(model, family, words=6, **kwargs):
    """How far the logits with a cache are from those without, at the worst step."""
    cached = generate(model, family, True, words, **kwargs)
    kwargs.pop("cache_implementation", None)
    uncached = generate(model, family, False, words, **kwargs)
    assert torch.equal(cached.sequences, uncached.sequences)
    pairs = zip(cached.logits, uncached.logits, strict=True)
    return max(apart(one, other) for one, other in pairs)


@contextmanager
def float64():
    """Models made inside are in float64, their norms included as far as the library lets them."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def toy64(family, **changes):
    return toy(family, **changes).double()
