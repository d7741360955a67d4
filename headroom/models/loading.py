"""Models: built from a config, loaded from a local folder or the Hub, and read back as ``prepare`` wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import load_task
from headroom.errors import UserError
from headroom.models.configs import auto, config_of, of_tokenizer
from headroom.models.placement import HERE, Placement
from headroom.models.readers import readers
from headroom.models.saving import begin
from headroom.models.sources import Source, source_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from headroom.data.batches import Collator
    from headroom.data.contract import Contract

Names = Mapping[str, Sequence[str] | None]  # of the classes of each task's data


@dataclass(frozen=True)
class Prepared:
    """A dense model with all that is needed to feed it."""

    model: PreTrainedModel  # in eval mode
    tokenizer: PreTrainedTokenizerBase | None
    processor: Any  # the image processor, None for a model of texts
    spec: ModelSpec
    facts: dict[str, Any]  # prepare.json
    folder: Path
    where: str  # its weights are, for messages

    @property
    def purpose(self) -> str:
        """``translation``, ``classification``, ``image-classification`` or ``language``."""
        return self.facts["purpose"]

    @cached_property
    def contract(self) -> Contract:
        """What the model wants of its input, as it was prepared."""
        named = {task: facts["classes"] for task, facts in self.facts["tasks"].items()}
        return contract_of(self.spec, self.model, self.tokenizer, self.processor, named, self.where)

    @property
    def collator(self) -> Collator:
        """What makes batches of the examples of the model's first task, with inputs as long as its spec says."""
        return self.contract.collator(load_task(self.spec.tasks[0]))


def contract_of(
    spec: ModelSpec, model: Any, tokenizer: Any, processor: Any, named: Names | None = None, where: str = "the model"
) -> Contract:
    """The contract of a model of a spec; ``model`` may be one without weights."""
    from headroom.data.contract import LENGTH, Contract, longest

    return Contract(
        config=model.config,
        tokenizer=tokenizer,
        processor=processor,
        generation=getattr(model, "generation_config", None),
        length=spec.length or min(LENGTH, longest(model.config, tokenizer) or LENGTH),
        trained_here=spec.source.config is not None,  # what came trained goes on as it began
        classes=spec.classes,
        languages=spec.languages,
        named=named or {},
        where=where,
    )


def purpose_of(spec: ModelSpec) -> str:
    """What the tasks of a model ask of it. Raises ``UserError`` when they ask for different things."""
    purposes = {name: load_task(name).purpose for name in spec.tasks}
    if len(set(purposes.values())) > 1:
        said = ", ".join(f"{name}: {purpose}" for name, purpose in purposes.items())
        raise UserError(f"params.yaml: the tasks of one model need one kind of model, and these differ ({said}).")
    return next(iter(purposes.values()))


def build(
    spec: ModelSpec,
    purpose: str | None = None,
    tokenizer: Any = None,
    data_dir: Path | None = None,
    classes: Sequence[str] | None = None,
) -> PreTrainedModel:
    """The model of a spec: random weights for a ``config``, loaded ones otherwise.

    ``tokenizer`` gives a config its vocabulary and special tokens, ``classes`` the names of what a classifier learns.
    Random weights come from torch's global generator. Raises ``UserError`` for unknown config keys, missing folders,
    corrupt or missing weights and an unreachable Hub.
    """
    purpose = purpose or purpose_of(spec)
    if spec.source.config is None:
        return Source.of(spec, data_dir).model(purpose)
    filled = of_tokenizer(tokenizer, purpose)
    config = config_of(spec.source.config, "params.yaml: source.config", **filled)
    if classes and config.num_labels == len(classes):
        config.id2label = dict(enumerate(classes))
        config.label2id = {name: number for number, name in enumerate(classes)}
    return auto(purpose).from_config(config).eval()


def classes_of(spec: ModelSpec, source: Source | None = None) -> tuple[int, str]:
    """How many classes a classifier tells apart, known before it is built, and which key or file says so."""
    if source is None:
        key = "source.config"
        return config_of(spec.source.config or {}, f"params.yaml: {key}").num_labels, f"{key}.num_labels"
    return source.config.num_labels, f"{source}/config.json: num_labels"


def load_prepared(folder: Path, data_dir: Path | None = None, placement: Placement = HERE) -> Prepared:
    """What ``prepare`` wrote to a folder, or names by reference: a model that came whole stays where it was.

    ``data_dir`` is where one of a local folder lies. Raises ``UserError`` when it is not there or not whole.
    """
    notes = folder / "prepare.json"
    if not notes.is_file():
        raise UserError(f"{folder} holds no prepared model. Run `dvc repro prepare@{folder.name}` first.")
    facts = json.loads(notes.read_text(encoding="utf-8"))
    spec = ModelSpec.model_validate(facts["spec"])
    source = source_of(folder, facts, data_dir)
    model = placement.put(source.model(facts["purpose"], **placement.options))
    tokenizer, processor = readers(spec, facts["purpose"], model.config, str(source), source)
    prepared = Prepared(model, tokenizer, processor, spec, facts, folder, str(source))
    if facts.get("source"):
        begin(model, prepared.contract, [load_task(name) for name in spec.tasks])
    return prepared
