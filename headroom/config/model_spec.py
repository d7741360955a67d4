"""What an entry of ``params.yaml: models`` says: where a model comes from, how it is trained and scored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from headroom.config.data_source import Revision
from headroom.config.located import InsidePath, Section, validated, wrong

WEIGHTS = "headroom_weights"  # key of a model's config.json: what its weights were before they became these numbers


class PackageSource(Section):
    """Weights that ship inside a wheel, of one version and hash. Nothing of the package is imported or run."""

    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", description="on the package index")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.!+_]*$", description="exactly this one")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the wheel, 64 hex digits")
    file: InsidePath[str] = Field(min_length=1, description="the model in the wheel: its file, or its files' folder")

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class ModelSource(Section):
    """Where the model comes from: built from a config, a local folder, the Hub, or a package. Exactly one."""

    config: dict[str, Any] | None = Field(default=None, description="family (m2m_100, llama, ...) and its config keys")
    folder: InsidePath[str] | None = Field(default=None, description="under HEADROOM_DATA, or else under the project")
    hub: str | None = Field(default=None, description="a Hub id, owner/name; the model stays in the Hub's cache")
    revision: Revision | None = Field(
        default=None, description="commit on the Hub, 40 hex digits; or a branch or a tag, see `headroom pin`"
    )
    package: PackageSource | None = Field(default=None, description="a wheel that holds the weights")

    @model_validator(mode="after")
    def _one(self) -> ModelSource:
        if sum(value is not None for value in (self.config, self.folder, self.hub, self.package)) != 1:
            raise ValueError("give exactly one of 'config', 'folder', 'hub' and 'package'")
        if self.revision and not self.hub:
            raise wrong("revision", "belongs to a 'hub' id, and there is none; leave the key out")
        if self.config is not None and "family" not in self.config:
            raise wrong("config.family", "this key is missing; a config names its family, e.g. bert")
        if self.hub and not self.revision:
            raise wrong(
                "revision",
                "this key is missing; a Hub id needs a commit of 40 hex digits, so that the weights cannot change. Say "
                "main and run `headroom pin`, which writes the one of today",
            )
        return self


class TokenizerSpec(Section):
    """A tokenizer trained on the train split; ``none`` uses the one that comes with the model, if any."""

    kind: Literal["word", "bpe", "wordpiece", "none"] = "none"
    size: int = Field(default=0, ge=0, description="largest number of pieces")


class ImageSpec(Section):
    """What the image processor of a model is made of that comes without one, or a word on the one it comes with.

    Pixels become (pixel / 255 - mean) / std, for all channels or each its own, after a resize to the model's size.
    """

    mean: float | list[float] | None = None
    std: float | list[float] | None = None
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = Field(
        default=None, description="of images that have another size than the model's; bilinear where absent"
    )

    @model_validator(mode="after")
    def _divides(self) -> ImageSpec:
        for key, value in (("mean", self.mean), ("std", self.std)):
            if value is None:
                continue
            channels = value if isinstance(value, list) else [value]
            if not channels:
                raise wrong(key, "give a number, or one for each channel", value)
            if key == "std" and min(channels) <= 0:
                raise wrong(key, "it divides, so it has to be above 0", value)
        return self


MOST_STEPS, MOST_RATE = 10**9, 100.0  # of a training: what is above is a slip of the keyboard


def check_warmup(warmup: int, steps: int) -> None:
    """Raises the error of a validator for a learning rate that never gets where it was to go."""
    if warmup > steps:
        raise wrong("warmup", f"the learning rate would still rise at the last of the {steps} steps", warmup)


class TrainSpec(Section):
    """The training in the pipeline, on the train split of the first task: of a new model, or a pretrained one."""

    steps: int = Field(ge=1, le=MOST_STEPS)
    batch: int = Field(ge=1, description="examples a step; blocks of `length` tokens for language models")
    learning_rate: float = Field(gt=0, le=MOST_RATE)
    warmup: int = Field(default=0, ge=0, description="steps over which the learning rate rises")
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    length: int = Field(default=128, ge=1, description="longest input, tokens")
    seed: int = Field(default=0, ge=0, lt=2**32)
    threads: int | None = Field(
        default=None, ge=1, description="torch threads of this training; run.threads where absent. Weights depend on it"
    )
    checkpoints: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="steps after which the weights are kept as well, for claims about the training"
    )

    @model_validator(mode="after")
    def _rises_in_time(self) -> TrainSpec:
        check_warmup(self.warmup, self.steps)
        return self

    @model_validator(mode="after")
    def _kept_on_the_way(self) -> TrainSpec:
        if list(self.checkpoints) != sorted(set(self.checkpoints)):
            raise wrong("checkpoints", "steps must rise, each named once", list(self.checkpoints))
        if self.checkpoints and self.checkpoints[-1] >= self.steps:
            why = f"the training has {self.steps} steps, after the last of which the weights are the model itself"
            raise wrong("checkpoints", f"{why}; name earlier ones", list(self.checkpoints))
        return self


class DistilSpec(Section):
    """A train split for a pretrained translator without parallel texts: sentences in its own translations."""

    task: str = Field(description="a task whose train split lends its sentences")
    examples: int = Field(default=1000, ge=1)


class CalibrateSpec(Section):
    """What methods may look at."""

    examples: int = Field(default=256, ge=1, description="most that a method gets, whatever it asks for")
    batch: int | None = Field(default=None, ge=1, description="most examples a batch, whatever a method asks for")


class EvaluateSpec(Section):
    """How the model is scored.

    Inputs go in batches of like length: ``batch`` examples, or as many as have ``tokens`` tokens with their padding.
    Where neither is stated there are 4,096 tokens on the CPU, and on an accelerator as many as its memory holds.
    """

    batch: int | None = Field(default=None, ge=1, description="examples in one forward pass")
    tokens: int | None = Field(default=None, ge=1, description="tokens in one forward pass, padding included")
    length: int | None = Field(default=None, ge=1, description="longest input, tokens; as in training where absent")
    max_new_tokens: int = Field(default=64, ge=1)
    decoding: Literal["greedy", "beam"] = "greedy"
    beams: int = Field(default=4, ge=1, description="used with beam only")

    @model_validator(mode="after")
    def _by_one_measure(self) -> EvaluateSpec:
        if self.batch and self.tokens:
            raise wrong(
                "tokens", "belongs to batches by tokens, and `batch` counts examples; leave one out", self.tokens
            )
        return self


class ModelSpec(Section):
    """One entry of ``params.yaml: models``."""

    source: ModelSource
    tokenizer: TokenizerSpec = TokenizerSpec()
    image: ImageSpec = ImageSpec()
    tasks: list[str] = Field(min_length=1, description="the first one trains and calibrates")
    classes: list[str] | None = Field(
        default=None,
        min_length=2,
        description="names of a pretrained classifier's classes in the order of its logits, where its config has none",
    )
    languages: dict[str, str] = Field(
        default_factory=dict, description="the tokenizer's code for a task's language, where it is not the same"
    )
    train: TrainSpec | None = None
    distil: DistilSpec | None = Field(
        default=None, description="what a pretrained translator is fine-tuned on where its task has no train split"
    )
    calibrate: CalibrateSpec = CalibrateSpec()
    evaluate: EvaluateSpec = EvaluateSpec()
    dtype: Literal["float32", "bfloat16", "float16"] | None = Field(
        default=None,
        description="number format of the weights; else bfloat16 for a pretrained model on an accelerator, or as saved",
    )
    device_map: Literal["auto"] | None = Field(
        default=None, description="auto: spread a pretrained model over all cards of the machine, as accelerate does"
    )
    trust_remote_code: bool = Field(default=False, description="run python code that comes with a Hub model")

    @property
    def reads(self) -> list[str]:
        """The tasks whose data are needed."""
        return list(dict.fromkeys([*self.tasks, *([self.distil.task] if self.distil else [])]))

    @model_validator(mode="after")
    def _made(self) -> ModelSpec:
        if self.source.config is not None and self.train is None:
            raise wrong("train", "this key is missing; it belongs to a model that is built from a 'config'")
        if self.tokenizer.kind == "none" and self.tokenizer.size:
            raise wrong("tokenizer.kind", "nothing is trained to that size; name a kind, or leave both out", "none")
        if self.tokenizer.kind != "none" and self.source.config is None:
            raise wrong("tokenizer.kind", "a pretrained model brings its tokenizer; leave it out", self.tokenizer.kind)
        if self.tokenizer.kind != "none" and not self.tokenizer.size:
            raise wrong("tokenizer.size", "give a size to every kind but 'none': the largest number of pieces", 0)
        if self.distil and self.train:
            raise wrong("distil", "a model that is trained here has a train split; leave the key out")
        if self.classes and self.train:
            raise wrong("classes", "a model that is trained here has those of its task; leave the key out")
        if len(set(self.tasks)) < len(self.tasks):
            raise wrong("tasks", "names a task twice", self.tasks)
        return self

    @property
    def length(self) -> int | None:
        """The longest input in tokens, where it is stated; else the model decides, see ``data.contract.longest``."""
        return self.evaluate.length or (self.train.length if self.train else None)


def load_spec(name: str, entry: Any, where: str = "params.yaml") -> ModelSpec:
    """Check the entry of one model. Raises ``UserError`` naming file, key, what is allowed and the near match."""
    return validated(ModelSpec, entry, f"{where}: models.{name}")
