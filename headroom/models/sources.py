"""A pretrained model where it lies, in a folder or on the Hub: its small files, and the model, whole or refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import tasks_folder
from headroom.data.loading import data_folder, quiet
from headroom.errors import UserError, suggest
from headroom.models.configs import auto

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PLAN = "headroom_plan.json"  # what a model that Headroom has pruned is read back with
LEFTOVERS = (".position_ids", ".attn.bias", ".masked_bias", ".inv_freq")  # buffers that older versions saved


@dataclass(frozen=True)
class Source:
    """The files of one pretrained model. Raises ``UserError`` in one sentence for whatever cannot be had from them."""

    place: Path | str  # a folder, or a Hub id
    revision: str | None = None
    trust_remote_code: bool = False

    @classmethod
    def of(cls, spec: ModelSpec, data_dir: Path | None = None) -> Source:
        """Where the model of a spec is that is not made from a config."""
        if spec.source.folder is not None:
            return cls(local_folder(spec, data_dir))
        return cls(str(spec.source.hub), spec.source.revision, spec.trust_remote_code)

    def __str__(self) -> str:
        return str(self.place)

    @property
    def local(self) -> bool:
        return isinstance(self.place, Path)

    @property
    def _how(self) -> dict[str, Any]:
        if self.local:
            return {"local_files_only": True}
        return {"revision": self.revision, "trust_remote_code": self.trust_remote_code}

    @property
    def pruned(self) -> bool:
        """Whether Headroom has saved it, with the list of what is gone from it."""
        return isinstance(self.place, Path) and (self.place / PLAN).is_file()

    @cached_property
    def config(self) -> Any:
        """The model's config, if it is that of one that Headroom can prune: no other class, and not quantised."""
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(self.place, **self._how)
        except (OSError, ValueError, KeyError, TypeError, StrictDataclassError) as error:
            raise self.trouble("config.json", error) from None
        self._check_class(config)
        if stated := getattr(config, "quantization_config", None):
            how = stated.get("quant_method") if isinstance(stated, dict) else getattr(stated, "quant_method", None)
            raise UserError(
                f"{self}: config.json: quantization_config says {how or 'the weights are quantised'}; heads cannot be "
                "cut out of such weights. Prune the model in full precision first, quantise after."
            )
        return config

    def _check_class(self, config: Any) -> None:
        from headroom.attention.families import CLASS_NAMES

        for name in (getattr(config, "architectures", None) or [])[:1]:
            if name not in CLASS_NAMES:
                raise UserError(
                    f"{self}: config.json: architectures names {name}, which Headroom does not prune. "
                    f"{suggest(name, CLASS_NAMES)}"
                )

    @property
    def purpose(self) -> str | None:
        """What the class that the config names is for; None where it names none, or one without a head."""
        from headroom.attention import purpose_of_class

        names = getattr(self.config, "architectures", None) or [""]
        return purpose_of_class(names[0])

    @cached_property
    def generation(self) -> Any:
        """The generation_config, or None where there is none."""
        from transformers import GenerationConfig

        if isinstance(self.place, Path) and not (self.place / "generation_config.json").is_file():
            return None
        try:
            return GenerationConfig.from_pretrained(
                self.place, **{k: v for k, v in self._how.items() if k != "trust_remote_code"}
            )
        except OSError:
            return None  # the Hub has none of this model
        except (ValueError, TypeError) as error:
            raise self.trouble("generation_config.json", error) from None

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase | None:
        """The tokenizer, or None for a folder that has none, as a model of images."""
        from transformers import AutoTokenizer

        if isinstance(self.place, Path) and not (self.place / "tokenizer_config.json").is_file():
            return None
        try:
            with quiet():
                return AutoTokenizer.from_pretrained(self.place, **self._how)
        except ImportError as error:
            raise UserError(
                f"{self}: its tokenizer needs a package that is not installed: {first_line(error)} "
                "Install it, e.g. `pip install sentencepiece`."
            ) from None
        except Exception as error:  # of many kinds of files, read by many kinds of code
            raise self.trouble("tokenizer_config.json", error) from None

    def model(self, purpose: str, device: str | None = None) -> PreTrainedModel:
        """The model in eval mode with every weight from its files. ``device`` "meta": the same looked at, without them.

        A folder that Headroom has pruned gives the pruned model. Raises ``UserError`` for a head of another purpose,
        for weights that are missing, left over or of another shape, and for files that cannot be read.
        """
        from huggingface_hub.errors import StrictDataclassError
        from safetensors import SafetensorError

        self._check_head(purpose)
        if isinstance(self.place, Path):
            check_weights(self.place)
            if self.pruned:
                from headroom.attention import load_removed

                return load_removed(self.place)
        try:
            with quiet():
                model, found = auto(purpose).from_pretrained(
                    self.place,
                    config=self.config,
                    use_safetensors=True,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,  # they are named below, in words
                    device_map=device,
                    **self._how,
                )
        except (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
            raise self.trouble(f"no model that can be loaded for {purpose}", error) from None
        self._check_whole(found, purpose)
        return model.eval()

    def _check_head(self, purpose: str) -> None:
        names = getattr(self.config, "architectures", None) or []
        if names and self.purpose != purpose:
            has = f"one for {self.purpose}" if self.purpose else "none"
            raise UserError(
                f"{self}: config.json: architectures names {names[0]}; the task needs a head for {purpose}, and that "
                f"class has {has}. Fine-tune it for the task first, or name another task."
            )

    def _check_whole(self, found: dict[str, Any], purpose: str) -> None:
        """The library fills what is missing with random numbers, and says so in a warning at most."""
        left = [name for name in found["unexpected_keys"] if not name.endswith(LEFTOVERS)]
        of_another = [f"{name} {tuple(here)} for {tuple(there)}" for name, here, there in found["mismatched_keys"]]
        for names, what in (
            (found["missing_keys"], f"lacks weights that its config says a model for {purpose} has"),
            (of_another, "has weights of another shape than its config says"),
            (left, "has weights that no model of its config has"),
        ):
            if names:
                raise UserError(
                    f"{self}: {what}: {some(names)}. Fetch or save it again, whole, with its own config.json."
                )

    def trouble(self, what: str, error: Exception) -> UserError:
        """The error of a file that cannot be read, or of a Hub that gives nothing, in one sentence."""
        if self.local:
            if what.startswith("no model"):
                return UserError(f"{self} holds {what}: {first_line(error)}")
            return UserError(f"{self}/{what} cannot be read: {first_line(error)} Fetch or save it again.")
        return UserError(
            f"params.yaml: {self} at {self.revision} could not be loaded from the Hub: {first_line(error)} "
            "Without a network, set HF_HOME to a folder where the Hub's files are cached, or put the model below the "
            "folder HEADROOM_DATA and name it as source.folder."
        )


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
            raise UserError(
                f"{file} is corrupt ({first_line(error)}). Delete it and fetch or prepare it again."
            ) from None


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few names of many, for a sentence."""
    listed = sorted(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def first_line(error: Exception) -> str:
    """What a library says, as one sentence of one line."""
    line = (str(error).strip().splitlines() or [""])[0][:300].rstrip(".")
    return f"{line or type(error).__name__}."
