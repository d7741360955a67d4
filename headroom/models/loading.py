"""Models: built from a config, loaded from a local folder or the Hub, and read back as ``prepare`` wrote them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import load_task, tasks_folder
from headroom.data.loading import data_folder, quiet
from headroom.data.processors import read_processor
from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from headroom.data.batches import Collator

CLASSES = {
    "translation": "AutoModelForSeq2SeqLM",
    "classification": "AutoModelForSequenceClassification",
    "image-classification": "AutoModelForImageClassification",
    "language": "AutoModelForCausalLM",
}


@dataclass(frozen=True)
class Prepared:
    """A dense model with all that is needed to feed it."""

    model: PreTrainedModel  # in eval mode, on the CPU
    tokenizer: PreTrainedTokenizerBase | None
    processor: Any  # the image processor, None for a model of texts
    spec: ModelSpec
    facts: dict[str, Any]  # prepare.json
    folder: Path

    @property
    def purpose(self) -> str:
        """``translation``, ``classification``, ``image-classification`` or ``language``."""
        return self.facts["purpose"]

    @property
    def collator(self) -> Collator:
        """What makes batches for the model, with inputs as long as its spec says."""
        from headroom.data.contract import make_collator

        return make_collator(self.purpose, self.model, self.tokenizer, self.processor, self.spec.length)


def purpose_of(spec: ModelSpec) -> str:
    """What the tasks of a model ask of it. Raises ``UserError`` when they ask for different things."""
    purposes = {name: load_task(name).purpose for name in spec.tasks}
    if len(set(purposes.values())) > 1:
        said = ", ".join(f"{name}: {purpose}" for name, purpose in purposes.items())
        raise UserError(f"params.yaml: the tasks of one model need one kind of model, and these differ ({said}).")
    return next(iter(purposes.values()))


def build(
    spec: ModelSpec, purpose: str | None = None, tokenizer: Any = None, data_dir: Path | None = None
) -> PreTrainedModel:
    """The model of a spec: random weights for a ``config``, loaded ones otherwise.

    ``tokenizer`` gives a config its vocabulary and special tokens. Random weights come from torch's global generator.
    Raises ``UserError`` for unknown config keys, missing folders, corrupt weights and an unreachable Hub.
    """
    purpose = purpose or purpose_of(spec)
    if spec.source.config is not None:
        filled = _from_tokenizer(tokenizer, purpose)
        config = config_of(spec.source.config, "params.yaml: source.config", **filled)
        return _auto(purpose).from_config(config).eval()
    if spec.source.folder is not None:
        return load_model(local_folder(spec, data_dir), purpose)
    return _from_hub(spec, purpose)


def classes_of(spec: ModelSpec, data_dir: Path | None = None) -> tuple[int, str]:
    """How many classes a classifier tells apart, known before it is built, and which key or file says so."""
    from transformers import AutoConfig

    if spec.source.config is not None:
        key = "source.config"
        return config_of(spec.source.config, f"params.yaml: {key}").num_labels, f"{key}.num_labels"
    if spec.source.folder is not None:
        folder = local_folder(spec, data_dir)
        return AutoConfig.from_pretrained(folder).num_labels, f"{spec.source.folder}/config.json: num_labels"
    try:
        known = AutoConfig.from_pretrained(
            str(spec.source.hub), revision=spec.source.revision, trust_remote_code=spec.trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise UserError(hub_trouble(spec, error)) from None
    return known.num_labels, f"{spec.source.hub}: num_labels"


def _auto(purpose: str) -> Any:
    import transformers

    return getattr(transformers, CLASSES[purpose])


def config_of(keys: dict[str, Any], where: str, **filled: Any) -> Any:
    """The library's config for ``keys``, which name a ``family``; ``filled`` come on top and are not checked.

    Raises ``UserError`` below ``where`` for an unknown family or key: the library would swallow a misspelt key.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    keys = dict(keys)
    family = str(keys.pop("family"))
    try:
        known = AutoConfig.for_model(family)
    except ValueError:
        from headroom.attention import FAMILY_NAMES

        raise UserError(f"{where}.family is {family!r}. {suggest(family, FAMILY_NAMES)}") from None
    allowed = set(known.to_dict()) | set(known.attribute_map) | {"num_labels", "head_dim", "attn_implementation"}
    for key in keys:
        if key not in allowed:
            raise UserError(f"{where}.{key}: unknown key of {family}. {suggest(key, allowed)}")
    try:
        return AutoConfig.for_model(family, **keys | filled)
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise UserError(f"{where}: {' '.join(str(error).split())[:200].rstrip('.')}.") from None


def _from_tokenizer(tokenizer: Any, purpose: str) -> dict[str, Any]:
    if tokenizer is None:
        return {}
    keys = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if purpose == "translation":
        keys |= {"decoder_start_token_id": tokenizer.bos_token_id, "forced_eos_token_id": None}
    return keys


def local_folder(spec: ModelSpec, data_dir: Path | None) -> Path:
    """The folder of a pretrained model: under HEADROOM_DATA, or else under the project."""
    inside = str(spec.source.folder)
    places = [folder for folder in (data_folder(data_dir), tasks_folder().parent) if folder is not None]
    for place in places:
        if (place / inside).is_dir():
            return place / inside
    raise UserError(
        f"params.yaml: source.folder is {inside!r}, which is not in {' or '.join(map(str, places))}. "
        "Set HEADROOM_DATA to the folder that holds it."
    )


def load_model(folder: Path, purpose: str) -> PreTrainedModel:
    """A model from a local folder; safetensors only. Raises ``UserError`` naming a weight file that cannot be read."""
    from huggingface_hub.errors import StrictDataclassError

    check_weights(folder)
    try:
        with quiet():
            return _auto(purpose).from_pretrained(folder, use_safetensors=True, local_files_only=True).eval()
    except (OSError, ValueError, StrictDataclassError) as error:  # the last: a config with a value of another type
        raise UserError(f"{folder} holds no model that can be loaded for {purpose}: {_line(error)}") from None


def check_weights(folder: Path) -> None:
    """Raises ``UserError`` when a folder has no safetensors file or one that is cut off or damaged."""
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} has no *.safetensors file. Headroom loads no other kind of weights.")
    for file in files:
        try:
            with safe_open(file, framework="pt") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise UserError(f"{file} is corrupt ({_line(error)}). Delete it and fetch or prepare it again.") from None


def _from_hub(spec: ModelSpec, purpose: str) -> PreTrainedModel:
    from safetensors import SafetensorError

    try:
        model = _auto(purpose).from_pretrained(
            spec.source.hub,
            revision=spec.source.revision,
            use_safetensors=True,
            trust_remote_code=spec.trust_remote_code,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(hub_trouble(spec, error)) from None
    return model.eval()


def hub_trouble(spec: ModelSpec, error: Exception) -> str:
    """What to do when the Hub gives nothing."""
    return (
        f"params.yaml: {spec.source.hub} at {spec.source.revision} could not be loaded from the Hub: {_line(error)} "
        "Without a network, set HF_HOME to a folder where the Hub's files are cached, or put the model below the "
        "folder HEADROOM_DATA and name it as source.folder."
    )


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def load_tokenizer(spec: ModelSpec, data_dir: Path | None = None) -> PreTrainedTokenizerBase | None:
    """The tokenizer that comes with a pretrained model, or None for a model of images."""
    from transformers import AutoTokenizer

    if spec.source.folder is not None:
        folder = local_folder(spec, data_dir)
        return AutoTokenizer.from_pretrained(folder) if (folder / "tokenizer_config.json").is_file() else None
    try:
        return AutoTokenizer.from_pretrained(
            spec.source.hub, revision=spec.source.revision, trust_remote_code=spec.trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise UserError(hub_trouble(spec, error)) from None


def load_prepared(folder: Path) -> Prepared:
    """What ``prepare`` wrote to a folder. Raises ``UserError`` when it is not there or not whole."""
    from transformers import AutoTokenizer

    notes = folder / "prepare.json"
    if not notes.is_file():
        raise UserError(f"{folder} holds no prepared model. Run `dvc repro prepare` or `headroom prepare` first.")
    facts = json.loads(notes.read_text(encoding="utf-8"))
    spec = ModelSpec.model_validate(facts["spec"])
    inside = folder / "model"
    texts = (inside / "tokenizer_config.json").is_file()
    return Prepared(
        model=load_model(inside, facts["purpose"]),
        tokenizer=AutoTokenizer.from_pretrained(inside) if texts else None,
        processor=None if texts else read_processor(inside),
        spec=spec,
        facts=facts,
        folder=folder,
    )
