"""A pretrained model where it lies, in a folder or on the Hub: its small files, and the model, whole or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.model_spec import ModelSpec
from headroom.config.plain import shown
from headroom.config.tasks import tasks_folder
from headroom.data.hub import sentence
from headroom.data.loading import data_folder
from headroom.data.words import said, silent
from headroom.errors import UserError
from headroom.models import heads, ours, stated
from headroom.models.checking import skeleton
from headroom.models.configs import auto
from headroom.models.packages import package_folder
from headroom.models.snapshots import cached, fetched, snapshot_folder
from headroom.models.weights import check_files, check_values, check_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ENCODERS = ("bert", "roberta")  # families with a class for language, which is no decoder unless the config says so


@dataclass(frozen=True)
class Source:
    """The files of one pretrained model. Raises ``UserError`` in one sentence for whatever cannot be had from them."""

    place: Path | str  # a folder, or a Hub id
    revision: str | None = None
    trust_remote_code: bool = False
    called: str = ""  # in messages, where that says more than the place
    head: tuple[str, ...] = ()  # classes of a new head, for a training; without it the head is that of the files

    @classmethod
    def of(cls, spec: ModelSpec, data_dir: Path | None = None) -> Source:
        """Where the model of a spec is that is not made from a config."""
        if spec.source.folder is not None:
            return cls(local_folder(spec, data_dir), trust_remote_code=spec.trust_remote_code)
        if spec.source.package is not None:
            return cls(package_folder(spec.source.package), called=str(spec.source.package))
        return cls(str(spec.source.hub), spec.source.revision, spec.trust_remote_code)

    def __str__(self) -> str:
        return self.called or str(self.place)

    @property
    def local(self) -> bool:
        return isinstance(self.place, Path)

    def with_head(self, classes: Sequence[str]) -> Source:
        """The same source, but for a head that is new and knows these classes."""
        return replace(self, head=tuple(classes))

    def fetched(self) -> Source:
        """The same source as a folder: of a model of the Hub the one in its cache, after everything was fetched."""
        if isinstance(self.place, Path):
            return self
        return self._in_cache(fetched(self.place, str(self.revision), self.trust_remote_code))

    def kept(self) -> Source:
        """The same source as a folder, where it has been fetched. Nobody is asked, so it takes a commit."""
        return self if isinstance(self.place, Path) else self._in_cache(cached(self.place, str(self.revision)))

    @property
    def there(self) -> bool:
        """Whether its weights, or some of them, are on this machine."""
        if isinstance(self.place, Path):
            return True
        folder = snapshot_folder(self.place, str(self.revision))
        return any(folder.glob("*.safetensors")) if folder.is_dir() else False

    def _in_cache(self, folder: Path) -> Source:
        return replace(self, place=folder, revision=None, called=f"{self.place} at {folder.name}")

    @cached_property
    def _view(self) -> Any:
        return ours.view_of(self.place) if isinstance(self.place, Path) else None

    @property
    def reads(self) -> Path | str:
        """Where its files are read: in its place, or in a view of a folder with code of Headroom's: that is not run."""
        return Path(self._view.name) if self._view else self.place

    @property
    def pruned(self) -> bool:
        """Whether Headroom has saved it, with the list of what is gone from it."""
        from headroom.attention.saving import PLAN  # imports torch, which not all who ask for a folder need

        return self._holds(PLAN) and self.local

    @property
    def folder(self) -> Path:
        """The folder of a source that is one, as after ``fetched`` or ``kept``."""
        assert isinstance(self.place, Path)
        return self.place

    @property
    def _from(self) -> dict[str, Any]:
        return {"local_files_only": True} if self.local else {"revision": self.revision}

    @property
    def _how(self) -> dict[str, Any]:
        return self._from | {"trust_remote_code": self.trust_remote_code}  # without the key, it would ask the terminal

    def _holds(self, name: str) -> bool:
        return not isinstance(self.reads, Path) or (self.reads / name).is_file()

    @cached_property
    def config(self) -> Any:
        """The model's config, if it is that of one that Headroom can prune: no other class, and not quantised."""
        from transformers import AutoConfig, PretrainedConfig

        from headroom.attention.own import told  # imports torch, as the next lines do

        told()
        if isinstance(self.place, Path):
            stated.check_readable(self.place, ("config.json",))
        try:
            with silent():
                content, _ = PretrainedConfig.get_config_dict(self.reads, **self._from)
        except Exception as error:  # of many kinds of files, read by many kinds of code
            raise self.trouble("config.json", error) from None
        stated.check(content, f"{self}: config.json", self.trust_remote_code)
        try:
            with silent():
                config = AutoConfig.from_pretrained(self.reads, **self._how)
        except Exception as error:
            raise self.trouble("config.json", error) from None
        return heads.headed(config, self.head) if self.head else config

    @property
    def named(self) -> str | None:
        """The class that the config names, or else the list of what is gone."""
        of_config = next(iter(getattr(self.config, "architectures", None) or ()), None)
        return of_config or (ours.class_in(Path(self.reads)) if self.pruned else None)

    @property
    def purpose(self) -> str | None:
        """What the class that the config names is for; None where it names none, or one without a head."""
        from headroom.attention import purpose_of_class

        return purpose_of_class(self.named or "")

    @cached_property
    def generation(self) -> Any:
        """The generation_config, or None where there is none."""
        from transformers import GenerationConfig

        if not self._holds("generation_config.json"):
            return None
        try:
            with silent():
                config = GenerationConfig.from_pretrained(self.reads, **self._from)
        except Exception as error:
            if not self.local and isinstance(error, OSError):
                return None  # the Hub has none of this model
            raise self.trouble("generation_config.json", error) from None
        stated.check_marks(config.to_dict(), f"{self}: generation_config.json")
        return config

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase | None:
        """The tokenizer, or None for a folder that has none, as a model of images."""
        from transformers import AutoTokenizer

        if not self._holds("tokenizer_config.json"):
            return None
        if isinstance(self.place, Path):
            stated.check_readable(self.place, ("tokenizer_config.json", "tokenizer.json", "special_tokens_map.json"))
        try:
            with silent():
                tokenizer = AutoTokenizer.from_pretrained(self.reads, **self._how)
        except ImportError as error:
            raise UserError(
                f"{self}: its tokenizer needs a package that is not installed: {said(error)} "
                "Install it, e.g. `pip install sentencepiece`."
            ) from None
        except Exception as error:
            raise self.trouble("tokenizer_config.json", error) from None
        stated.check_tokenizer(tokenizer, str(self))
        return tokenizer

    def model(self, purpose: str, **options: Any) -> PreTrainedModel:
        """The model in eval mode with every weight from its files; ``options`` are ``from_pretrained``'s.

        A folder that Headroom has pruned gives the pruned model. Raises ``UserError`` for a head of another purpose,
        for weights that are missing, left over, of another shape or no numbers, and for files that cannot be read.
        """
        self._check_made(purpose)
        model = self._smaller(**options) if self.pruned else self._load(purpose, **options)
        check_values(model, str(self))
        return model.eval()

    def shape(self, purpose: str) -> PreTrainedModel:
        """The same model without its weights: those of a folder are looked at, those on the Hub are not fetched.

        One that Headroom has pruned has them, for only they say its shape. Raises ``UserError`` as ``model`` does.
        """
        made = self._check_made(purpose)
        if self.pruned:
            return self._smaller()
        if self.local:
            return self._load(purpose, device_map="meta")
        return made

    def _smaller(self, dtype: str | None = None, **_: Any) -> PreTrainedModel:
        """One that Headroom has pruned; it is not spread over devices, for it is smaller than it was."""
        from headroom.attention import load_removed

        with ours.named(self.place, str(self.reads)):
            return load_removed(self.reads, dtype=dtype)

    def _load(self, purpose: str, **how: Any) -> PreTrainedModel:
        try:
            with silent():
                model, found = auto(purpose).from_pretrained(
                    self.place,
                    config=self.config,
                    use_safetensors=True,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,  # they are named below, in words
                    **self._how,
                    **how,
                )
        except Exception as error:
            raise self.trouble("the weights", error) from None
        if self.head:
            found = heads.but_head(found, model)
            heads.draw(model, found["poolers"])
        check_whole(found, purpose, str(self))
        return model.eval()

    def _check_made(self, purpose: str) -> Any:
        """The model that the config makes. Raises ``UserError`` where it is not what was saved, or not for this."""
        where = f"{self}: config.json"
        if self.named and self.purpose != purpose:
            has = f"one for {self.purpose}" if self.purpose else "none"
            raise UserError(
                f"{where}: architectures names {self.named}; a head for {purpose} is needed, and that class has {has}. "
                "Fine-tune it for the task first, or name another task."
            )
        made = skeleton(self.config, purpose, where, self.trust_remote_code)
        if self.named not in (None, type(made).__name__):
            raise UserError(
                f"{where}: architectures names {self.named}, and model_type {self.config.model_type} makes "
                f"{type(made).__name__} of it for {purpose}. Mend the one that is wrong."
            )
        if purpose == "language" and self.config.model_type in ENCODERS and not self.config.is_decoder:
            raise UserError(
                f"{where}: is_decoder is false, so each word sees those behind it, and foretells none. Name a task for "
                "which the model was trained."
            )
        if made.can_generate() and self.generation is not None:
            made.generation_config = self.generation
        if isinstance(self.reads, Path):
            with ours.named(self.place, str(self.reads)):
                check_files(self.reads)
        return made

    def trouble(self, what: str, error: Exception) -> UserError:
        """The error of a file that cannot be read, or of a Hub that gives nothing, in one sentence."""
        if not self.local:
            return UserError(sentence(str(self), self.revision, error))
        name = f"{self}: {what}" if " " in what else f"{self}/{what}"
        return UserError(f"{name} cannot be read: {said(error)} Fetch or save it again.")


def local_folder(spec: ModelSpec, data_dir: Path | None) -> Path:
    """The folder of a pretrained model: under HEADROOM_DATA, or else under the project."""
    inside = str(spec.source.folder)
    places = [folder for folder in (data_folder(data_dir), tasks_folder().parent) if folder is not None]
    for place in places:
        if (place / inside).is_dir():
            return place / inside
    raise UserError(
        f"params.yaml: source.folder is {shown(inside)}, which is not in {' or '.join(map(str, places))}. "
        "Set HEADROOM_DATA to the folder that holds it."
    )


def source_of(folder: Path, facts: Mapping[str, Any], data_dir: Path | None = None) -> Source:
    """Where the files of a prepared model are: its own, or those that it was prepared from.

    Raises ``UserError`` with the next step where these have gone.
    """
    if not facts.get("source"):
        return Source(folder / "model")
    return Source.of(ModelSpec.model_validate(facts["spec"]), data_dir).kept()
