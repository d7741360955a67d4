"""What a profile runs: ``params.yaml``, checked, with every error located."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from headroom.config.located import InsidePath, Section, read_yaml, validated, wrong
from headroom.config.model_spec import ModelSpec
from headroom.config.only import Only, Seed, Target
from headroom.config.plain import shown
from headroom.config.recovery import Recover
from headroom.config.speed import Speed
from headroom.errors import UserError, suggest

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")  # of a method or a model: it names files


def one_line(text: str) -> str:
    if text != " ".join(text.split()):
        raise ValueError("wanted one line of words with single spaces between them")
    return text


About = Annotated[
    str,
    AfterValidator(one_line),
    Field(
        max_length=160,
        description="what the profile is for, in one line: it stands on its pages, and where readers switch profiles",
    ),
]

ENCODER = ("encoder.self", "encoder.mlp", "encoder.block")
DECODER = ("decoder.self", "decoder.cross", "decoder.mlp", "decoder.block")


def known(kinds: Any) -> tuple[str, ...]:
    """A list of kinds of sites, checked. Raises ``ValueError`` for anything else."""
    if not isinstance(kinds, list | tuple) or not kinds:
        raise ValueError("wanted a list of kinds of sites, such as [encoder.self]")
    for kind in kinds:
        if kind not in ENCODER + DECODER:
            raise ValueError(f"{shown(kind)} is no kind of site. {suggest(str(kind), ENCODER + DECODER)}")
    return tuple(kinds)


def kinds_of(entry: Mapping[str, Any], where: str) -> tuple[str, ...] | None:
    """The sites that an entry of ``methods`` holds its method to; None where it leaves that to the profile.

    Raises ``UserError`` for anything but a list of known kinds; ``where`` is the entry's place, for the message.
    """
    if "kinds" not in entry:
        return None
    try:
        return known(entry["kinds"])
    except ValueError as error:
        raise UserError(f"{where}.kinds is {shown(entry['kinds'])}; {str(error).rstrip('.')}.") from None


DEVICES = r"auto|cpu|cuda(:\d+)?|mps"  # where torch may compute, as people name it


class Run(Section):
    """What is asked of every cell."""

    threads: int = Field(2, ge=1, description="torch threads; trainings differ between thread counts, so it is pinned")
    device: str = Field(
        "auto",
        pattern=f"^({DEVICES})$",
        description="where models compute: cpu, cuda, cuda:1, mps, or auto: an accelerator where there is one",
    )
    seeds: tuple[Seed, ...] = Field((0,), min_length=1, description="calibration seeds")
    draws: int = Field(5, ge=1, le=1000, description="draws of a random method")
    targets: tuple[Target, ...] = Field(min_length=1, description="shares of the removable units; 1 is the floor")
    kinds: Annotated[tuple[str, ...], BeforeValidator(known)] | None = Field(
        None, description="sites whose units may go, e.g. [encoder.self]; every site where absent"
    )
    plan_seconds: float = Field(900, gt=0, description="a method that yields no plan for so long has failed")
    resamples: int = Field(1000, ge=100, description="bootstrap resamples behind an interval")
    workers: int | None = Field(
        None, ge=1, description="processes that measure, each with the run's threads; as many as the cores allow"
    )
    engine: Literal["processes", "ray"] = Field(
        "processes", description="who works: processes of this machine, or those of a Ray cluster; changes no number"
    )
    only: dict[str, Only] = Field(
        default_factory=dict, description="by model: what is asked of it alone; of the others, all"
    )

    @field_validator("targets")
    @classmethod
    def rising(cls, targets: tuple[float, ...]) -> tuple[float, ...]:
        if list(targets) != sorted(set(targets)):
            raise ValueError("targets must rise, each named once")
        return targets

    @field_validator("seeds")
    @classmethod
    def different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is named once: the same one again measures the same again")
        return seeds


class Params(Section):
    """A whole profile."""

    profile: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    about: About = ""
    results: InsidePath[Path]
    work: InsidePath[Path]
    site: InsidePath[Path]
    data: Path | None = Field(None, description="folder of local data; the environment's HEADROOM_DATA comes first")
    run: Run
    speed: Speed
    methods: dict[str, dict[str, Any] | None]
    models: dict[str, ModelSpec] = Field(min_length=1)
    recover: dict[str, Recover] = Field(
        default_factory=dict, description="by model; a model that is not named is measured as is only"
    )

    @field_validator("methods")
    @classmethod
    def dense_present(cls, methods: dict[str, Any]) -> dict[str, Any]:
        if "dense" not in methods:
            raise ValueError("the dense model is point zero of every series; add the line `dense: {}`")
        return methods

    @model_validator(mode="after")
    def _parts_fit(self) -> Params:
        lacking = sorted(set(self.speed.targets) - set(self.run.targets))
        if lacking:
            raise wrong(
                "speed.targets", f"holds {lacking[0]:g}, which run.targets lacks: nothing is pruned there to be timed"
            )
        every = {"targets": self.run.targets, "seeds": self.run.seeds, "timed": self.speed.targets}
        for model, only in self.run.only.items():
            if model not in self.models:
                raise wrong(f"run.only.{model}", f"there is no such model. {suggest(model, self.models)}")
            only.check(f"run.only.{model}", self.methods, every)
        for model, recipe in self.recover.items():
            if model not in self.models:
                raise wrong(f"recover.{model}", f"there is no such model. {suggest(model, self.models)}")
            lacking = sorted(set(recipe.targets or ()) - set(self.of(model).run.targets))
            if lacking:
                place = "run.targets" if lacking[0] not in self.run.targets else f"run.only.{model}.targets"
                raise wrong(f"recover.{model}.targets", f"holds {lacking[0]:g}, a target that {place} lacks")
        return self

    def of(self, model: str) -> Params:
        """The profile as it is asked of one model, see ``run.only``."""
        only = self.run.only.get(model)
        if only is None:
            return self
        run = self.run.model_copy(update=only.said())
        timed = self.speed.model_copy(update={"targets": tuple(t for t in self.speed.targets if t in run.targets)})
        methods = {name: entry for name, entry in self.methods.items() if only.asks(name)}
        return self.model_copy(update={"run": run, "methods": methods, "speed": timed})

    def asks(self, model: str, method: str) -> bool:
        """Whether a method is asked of a model."""
        return model not in self.run.only or self.run.only[model].asks(method)

    def entry(self, method: str) -> dict[str, Any]:
        """The parameters of a method. Raises ``UserError`` when the profile does not list it."""
        if method not in self.methods:
            raise UserError(f"profile {self.profile} has no method {method!r}. {suggest(method, self.methods)}")
        return self.methods[method] or {}

    def kinds(self, method: str) -> tuple[str, ...] | None:
        """Sites whose units a method is offered: the ``kinds`` of its entry, else of the profile; None for all."""
        return kinds_of(self.entry(method), f"methods.{method}") or self.run.kinds

    def spec(self, model: str) -> ModelSpec:
        """The spec of a model. Raises ``UserError`` when the profile does not list it."""
        if model not in self.models:
            raise UserError(f"profile {self.profile} has no model {model!r}. {suggest(model, self.models)}")
        return self.models[model]

    def model_folder(self, model: str) -> Path:
        return self.work / "models" / model

    def quality_record(self, model: str, method: str) -> Path:
        return self.results / "quality" / model / f"{method}.json"

    def speed_record(self, model: str, method: str) -> Path:
        return self.work / "speed" / model / f"{method}.json"

    @property
    def counts(self) -> Path:
        """The folder of counts per example."""
        return self.results / "scores"

    def scores(self, model: str, method: str) -> Path:
        return self.counts / model / f"{method}.npz"

    @property
    def machine(self) -> Path:
        return self.results / "machine.json"


def load(path: Path) -> Params:
    """A profile's params. Raises ``UserError`` that names the file, the key, what is allowed and the near match."""
    content = read_yaml(path)
    if of_shapes(content):
        raise UserError(
            f"{path}: a profile of shapes, which times random weights and has no methods, models or tasks to speak of. "
            f"Check it with `headroom check params --params {path}`, run it with `dvc repro "
            f"{path.with_name('dvc.yaml')}`, and build its pages with `headroom site --params {path}`."
        )
    params = validated(Params, content, str(path))
    for name in (*params.methods, *params.models):
        if not NAME.fullmatch(name):
            raise UserError(f"{path}: {shown(name)}: a name is made of lower-case letters, digits and dashes.")
    for name in params.methods:
        kinds_of(params.entry(name), f"{path}: methods.{name}")
    return params


def of_shapes(content: Mapping[str, Any]) -> bool:
    """Whether a params.yaml is of shapes, which ``headroom.shapes.params`` reads, and not of methods and models."""
    return "shapes" in content and "methods" not in content
