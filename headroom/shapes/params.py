"""What ``profiles/shapes/params.yaml`` says, checked, with every error located."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from headroom.api import Grain
from headroom.config.located import InsidePath, Section, read_yaml, validated, wrong
from headroom.config.params import About, Target, of_shapes
from headroom.config.plain import shown
from headroom.config.speed import Work, check_works
from headroom.errors import UserError, suggest

Purpose = Literal["classification", "translation", "image-classification", "language", "stack"]
Device = Literal["cpu", "cuda"]
SHAPE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # it names a folder


class ShapeWork(Work):
    """A workload of a shape, on all of its grains and targets unless it names some."""

    grains: tuple[Grain, ...] | None = Field(None, description="only these of the shape's grains")
    targets: tuple[Target, ...] | None = Field(None, description="only these of the profile's targets")
    long: bool = Field(False, description="takes minutes a grain: timed with `run.long: true` only")

    @property
    def plain(self) -> Work:
        """The workload alone, as every profile knows it."""
        return Work.model_validate(self.model_dump(include=set(Work.model_fields)))


class Stack(Section):
    """A model too large for one machine is timed as a stack of fewer of its layers."""

    layers: int = Field(ge=4, description="layers that are timed")
    of: int = Field(ge=4, description="layers of the whole model: times and counts are scaled to them")

    @model_validator(mode="after")
    def _part_of_a_whole(self) -> Stack:
        if self.of < self.layers:
            raise wrong("of", f"the whole has no fewer layers than the {self.layers} that are timed", self.of)
        return self


class Shape(Section):
    """One real shape."""

    config: dict[str, Any] = Field(description="family (bert, llama, ...) and the keys of its config")
    purpose: Purpose = Field(description="what the model is for; `stack`: its blocks alone, without an output layer")
    grains: tuple[Grain, ...] = Field(min_length=1)
    stack: Stack | None = None
    works: dict[Device, tuple[ShapeWork, ...]] = Field(description="workloads by device")

    @model_validator(mode="after")
    def _named(self) -> Shape:
        if "family" not in self.config:
            raise wrong("config.family", "this key is missing; a config names its family, e.g. bert")
        if (self.purpose == "stack") != (self.stack is not None):
            raise wrong("stack", "purpose 'stack' and the key 'stack' belong together; give both or neither")
        for device, works in self.works.items():
            check_works(f"works.{device}", self.purpose, works)
            for place, work in enumerate(works):
                if foreign := [grain for grain in work.grains or () if grain not in self.grains]:
                    key, allowed = f"works.{device}[{place}].grains", suggest(foreign[0], map(str, self.grains))
                    raise wrong(key, f"{foreign[0]} is none of the shape's grains. {allowed}")
        return self


class Claim(Section):
    """A published speed-up, with what it was measured on as far as the paper says."""

    paper: str
    where: str = Field(description="table or figure")
    on: str = Field(description="the paper's machine, batch and lengths")
    shape: str
    grain: Grain
    target: Target
    speedup: float = Field(gt=0)


class Run(Section):
    threads: int = Field(2, ge=1)
    long: bool = Field(False, description="also time the workloads marked long")
    targets: tuple[Target, ...] = (0.25, 0.5, 0.75)


class Pairs(Section):
    """How removed models are timed against the dense one, as in every profile."""

    pairs: int = Field(15, ge=15)
    most_pairs: int = Field(41, ge=15)
    memory_gib: float | None = Field(None, gt=0, description="GPU memory that the largest batch has to fit")


class ShapesParams(Section):
    """The whole profile."""

    profile: Literal["shapes"]
    about: About = ""
    results: InsidePath[Path]
    work: InsidePath[Path]
    site: InsidePath[Path] = Path("results/shapes/site")
    run: Run = Run()
    speed: Pairs = Pairs()
    shapes: dict[str, Shape] = Field(min_length=1)
    published: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _claims_name_shapes(self) -> ShapesParams:
        for place, claim in enumerate(self.published):
            if claim.shape not in self.shapes:
                raise wrong(
                    f"published[{place}].shape", f"no such shape. {suggest(claim.shape, self.shapes)}", claim.shape
                )
        return self

    def shape(self, name: str) -> Shape:
        """A shape by its name. Raises ``UserError`` with the near match."""
        if name not in self.shapes:
            raise UserError(f"profile shapes has no shape {name!r}. {suggest(name, self.shapes)}")
        return self.shapes[name]

    def timed(self, name: str, device: Device) -> list[ShapeWork]:
        """The works of a shape that are timed here."""
        return [work for work in self.shape(name).works.get(device, ()) if self.run.long or not work.long]

    @property
    def grains(self) -> list[str]:
        """Every grain of the profile, in the order of first mention."""
        return list(dict.fromkeys(str(grain) for shape in self.shapes.values() for grain in shape.grains))


def describes(path: Path) -> bool:
    """Whether a params.yaml is of shapes, and not of methods and models."""
    return of_shapes(read_yaml(path))


def load(path: Path) -> ShapesParams:
    """The profile's params. Raises ``UserError`` naming file, key, what is allowed and the near match."""
    params = validated(ShapesParams, read_yaml(path), str(path))
    for name in params.shapes:
        if not SHAPE_NAME.fullmatch(name):
            raise UserError(f"{path}: {shown(name)}: a name is made of lower-case letters, digits, dots and dashes.")
    return params
