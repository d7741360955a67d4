"""How fast a model is that is not here, or too large to try out: a part of its shape is timed, with random weights.

The part has the model's width and as many of its layers as make up two gigabytes, or one; the whole takes longer by the
ratio of their multiply-accumulates. Where one layer takes more than a quarter of the memory, the ceilings of the
machine say how fast it may be.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psutil
import torch

from headroom.config.speed import Work
from headroom.config.tasks import Task
from headroom.data.contract import LENGTH, longest
from headroom.estimate.examples import Expected
from headroom.estimate.footprint import REMOVED, batch_size, footprint, one_pass
from headroom.estimate.pace import NO_STEP, Pace, Step, quiet
from headroom.estimate.unprepared import Unprepared
from headroom.evaluate.scores import as_found
from headroom.measure.ceilings import measured
from headroom.measure.devices import kind
from headroom.measure.paired import threads
from headroom.measure.work import task as timed
from headroom.models.checking import LAYERS
from headroom.models.configs import auto
from headroom.models.shapes import fill

ENOUGH = 2e9  # bytes of weights that are timed: of a larger model, more layers say nothing new
PART = 4  # of the memory: one part in so many is taken for a trial
EFFICIENCY = 0.5  # of the ceiling, where nothing could be timed
BACKWARD = 2.0  # a backward pass in forward ones
READ = 1e9  # bytes a second from a disk
TRIED = 2048  # tokens of a timed pass, at most: with more it is no faster


@dataclass(frozen=True)
class Sketch:
    """A model by its config: ``shape`` is whole and without weights."""

    run: Unprepared
    shape: Any
    purpose: str

    @property
    def length(self) -> int:
        """Tokens of the longest input, as its contract will say."""
        return self.run.spec.length or min(LENGTH, longest(self.shape.config, None) or LENGTH)

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, str(self.run.placement.dtype))

    @property
    def bytes(self) -> int:
        """Of the weights."""
        return self.shape.num_parameters() * self.dtype.itemsize

    @cached_property
    def part(self) -> Any:
        """As many layers of the model as there is room for, with random weights; None where there is not for one."""
        room, config = memory(self.run.device) / PART, self.shape.config
        while self.weight(config) > min(ENOUGH, room):
            config = copy.deepcopy(config)
            deep = {key: count for key in LAYERS if isinstance(count := getattr(config, key, None), int) and count > 1}
            if not deep:
                break
            for key, count in deep.items():
                setattr(config, key, count // 2)
            if getattr(config, "layer_types", None):
                config.layer_types = config.layer_types[: max(deep.values()) // 2]
        if self.weight(config) > room:
            return None
        from transformers.initialization import no_init_weights

        with torch.device(self.run.device), no_init_weights():
            model = auto(self.purpose).from_config(config, dtype=self.dtype)
        model.tie_weights()
        fill(model)
        return model.eval()

    def weight(self, config: Any) -> int:
        """Bytes of the weights of a config."""
        with torch.device("meta"):
            return auto(self.purpose).from_config(config).num_parameters() * self.dtype.itemsize

    @cached_property
    def ratio(self) -> float:
        """How much longer the whole model takes than its part: by their multiply-accumulates, or else their weights."""
        if self.part.config is self.shape.config:
            return 1.0
        with torch.device("meta"):
            part = auto(self.purpose).from_config(self.part.config).eval()
        whole, some = self.macs(self.shape), self.macs(part)
        return whole / some if whole and some else self.shape.num_parameters() / part.num_parameters()

    def macs(self, model: Any) -> int | None:
        """Multiply-accumulates of a pass over an example of full length; None where a family looks at values."""
        from torch.utils.flop_counter import FlopCounterMode

        try:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                one_pass(model, self.purpose, self.length)()
        except (RuntimeError, NotImplementedError) as error:
            if "meta" not in str(error):
                raise
            return None
        return counter.get_total_flops() // 2

    @cached_property
    def token(self) -> float:
        """Seconds of a token in a pass of the size that is measured in."""
        per_image = self.purpose == "image-classification"
        length = 1 if per_image else self.length
        if self.part is None:
            kind_of, name = kind(self.run.device), str(self.dtype).removeprefix("torch.")
            macs = self.macs(self.shape) or self.shape.num_parameters() * length
            return macs / (EFFICIENCY * measured(kind_of, name).macs_per_second) / length
        size = max(1, min(batch_size(self.run.spec, self.purpose, self.length), TRIED // self.length))
        with as_found(self.part):
            call = one_pass(self.part, self.purpose, self.length, size)
            call()
            return self.ratio * quiet(call, self.run.device, self.run.params.run.threads, 2) / (size * length)

    def pace(self, tasks: list[tuple[Task, Expected]]) -> Pace:
        """What everything takes, as far as it follows from passes of the model."""
        spec, recover = self.run.spec, self.run.recover
        passed = {task.name: expected.tokens(self.length) for task, expected in tasks}
        tokens = sum(passed.values())
        train = spec.train
        return Pace(
            basis="assumed",
            note=self.note(),
            prepare=self.bytes / READ,
            train=Step(0.0, self.token * (1 + BACKWARD) * train.batch * train.length) if train else NO_STEP,
            recover=Step(0.0, self.token * (1 + BACKWARD) * recover.batch * self.length) if recover else NO_STEP,
            load=self.bytes / READ,
            dense=self.token * tokens,
            forward=self.token * self.length,
            backward=self.token * self.length * BACKWARD,
            calls=dict(self.calls()),
            train_tokens=train.batch * train.length if train else 0,
            recover_tokens=recover.batch * self.length if recover else 0,
            point_tokens=tokens,
            dense_tokens=tokens,
            example_tokens=self.length,
            memory=self.memory,
            calibrate=spec.calibrate.examples,
        )

    def calls(self) -> Any:
        """Seconds of each call that the stage ``time`` will time."""
        for work in self.run.params.speed.works.get(self.purpose, ()):
            yield work, self.call(work)

    def call(self, work: Work) -> float:
        if self.part is None:
            return self.token * work.batch * max(1, work.length)
        with as_found(self.part), threads(1):
            call = timed(self.part, work).call
            call()
            return self.ratio * quiet(call, self.run.device, 1, 2)

    @property
    def memory(self) -> int:
        """Bytes of a process that measures."""
        if self.part is None:
            return round(self.bytes * REMOVED)
        share = self.shape.num_parameters() / self.part.num_parameters()
        return footprint(self.part, self.run.spec, self.purpose, self.length, self.run.recover, share)

    def note(self) -> str:
        if self.part is None:
            return f"{self.run.name}: no layer of it fits here; {EFFICIENCY:.0%} of this machine's ceiling is assumed."
        share = self.part.num_parameters() / self.shape.num_parameters()
        return (
            f"{self.run.name}: a shape with {share:.0%} of its weights, random, was timed; how long texts are is "
            "assumed."
        )


def memory(device: str) -> int:
    """Bytes that a device has in all."""
    if kind(device) == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return psutil.virtual_memory().total
