"""A model made and measured in small, in a folder of its own: the pipeline's code on real data, a step of training.

Nothing is fetched for it. How fast a model is does not depend on what its weights are, but for how long a translation
gets: one that was hardly trained writes to the limit, and is counted as if it wrote half of what it has too much.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from math import ceil
from pathlib import Path
from random import Random
from typing import Any

import torch

from headroom import attention
from headroom.api import Unit
from headroom.config.speed import Work
from headroom.data.batches import batches, per_example_loss
from headroom.data.loading import read_split
from headroom.estimate.fed import Fed
from headroom.estimate.footprint import footprint
from headroom.estimate.pace import NO_STEP, Offer, Pace, Step, each, quiet
from headroom.estimate.unprepared import Unprepared
from headroom.estimate.writing import Writing, written
from headroom.evaluate import Evaluation
from headroom.evaluate.agreement import logits
from headroom.evaluate.scores import as_found
from headroom.measure.paired import threads
from headroom.measure.work import task as timed
from headroom.pipeline.bench import Bench
from headroom.pipeline.prepare import prepare
from headroom.results import stats
from headroom.training.fit import fit
from headroom.training.recovery import recovered

SECONDS = 6.0  # that scoring the dense model may take; of a longer evaluation a part stands for the whole
PASS = 3.0  # seconds that a forward pass of calibration examples may take; of a longer one a part stands for the whole
LEAST = 32  # examples of a task that are scored
WRITES = 20  # passes of the decoder that an answer in words takes, to choose how many examples are scored
SEVERAL = 3  # steps whose tokens are counted
RATE = 1e-6  # of a training that is of speed and not of learning


class Sampled(Bench):
    """A bench that scores every so many-th example of each task."""

    every = 1

    @cached_property
    def evaluation(self) -> Evaluation:
        splits = [(task, read_split(self.folder, task.name, "evaluate")) for task in self.tasks]
        some = [(task, rows.select(range(0, len(rows), self.every))) for task, rows in splits]
        return Evaluation.of(self.prepared, some, self.tokens)

    @property
    def examples(self) -> int:
        """Evaluation examples of all tasks."""
        return sum(len(read_split(self.folder, task.name, "evaluate")) for task in self.tasks)


class Rehearsal:
    """A model of a profile after one step of training, to try out what it takes to make, load and measure it."""

    def __init__(self, run: Unprepared, folder: Path) -> None:
        """Raises ``UserError`` where ``prepare`` would."""
        self.run, self.place, self.threads = run, folder / run.name, run.params.run.threads
        spec = run.spec
        least = {"steps": 1, "warmup": 0, "checkpoints": ()}
        short = {"train": spec.train.model_copy(update=least)} if spec.train else {}
        used = (spec.train.threads if spec.train else None) or self.threads
        with unheard():
            make = partial(prepare, run.name, spec.model_copy(update=short), self.place, run.params.data)
            self.making = quiet(lambda: make(self.threads, run.device), "cpu", used)
        torch.set_num_threads(self.threads)
        self.reload = self.time(self.load)
        self.bench = self.load()
        self.model = self.bench.prepared.model
        if spec.train and getattr(self.model, "generation_config", None) is not None:
            self.model.generation_config.eos_token_id = None  # see above

    def load(self) -> Sampled:
        bench = Sampled(self.place, self.run.params.data, self.run.placement, self.run.tokens)
        assert bench.collator is not None and bench.calibration is not None
        return bench

    def time(self, call: Callable[[], Any], turns: int = 1) -> float:
        """Seconds of a call on a quiet machine, with the run's threads."""
        return quiet(call, self.run.device, self.threads, turns)

    def pace(self, offers: Iterable[Offer]) -> Pace:
        """What everything takes; a point with half of each of ``offers`` removed is measured too."""
        spec, recover, bench = self.run.spec, self.run.recover, self.bench
        fed, total = Fed(self.model), bench.examples
        forward, backward = self.example()
        bench.every = self.enough(forward, total)
        encode = self.time(lambda: bench.evaluation)
        assert bench.remembered is not None  # the dense model is scored, so that all that follows is compared with it
        sampled = sum(-(-len(read_split(self.place, task.name, "evaluate")) // bench.every) for task in bench.tasks)
        scale, write = total / sampled, self.writing
        answered, scored = (fed.during(call) for call in (lambda: bench.answer([]), self.score))
        example_tokens = fed.during(lambda: logits(self.model, bench.batch)) / rows_of(bench.batch)
        train_tokens = fed.during(lambda: self.trained(SEVERAL)) / SEVERAL if spec.train else 0
        recover_tokens = fed.during(lambda: self.recovered(SEVERAL)) / SEVERAL if recover else 0
        fed.off()
        return Pace(
            basis="measured",
            note=self.note(sampled, total),
            prepare=self.making,
            train=self.training() if spec.train else NO_STEP,
            recover=each(self.recovered, self.run.device, self.threads) if recover else NO_STEP,
            load=self.reload + encode * scale,
            dense=self.point((), scale),
            half={offer: self.point(offer, scale) for offer in dict.fromkeys(offers)},
            book=self.book(scale),
            forward=forward,
            backward=backward,
            calls=dict(self.calls()),
            train_tokens=train_tokens,
            recover_tokens=recover_tokens,
            point_tokens=answered + scale * (scored - write.tokens),
            dense_tokens=scale * (scored - write.tokens),
            example_tokens=example_tokens,
            memory=footprint(self.model, spec, bench.prepared.purpose, bench.prepared.contract.length, recover),
            calibrate=len(bench.calibration),
        )

    def example(self) -> tuple[float, float]:
        """Seconds of a calibration example, forward and backward, in a batch as methods ask for, or a part of it."""
        size = min(32, self.run.spec.calibrate.batch or 32)
        whole = next(iter(batches(self.bench.calibration, self.bench.collator, size)))

        def there(batch: dict[str, Any]) -> None:
            with torch.no_grad():
                per_example_loss(self.model, batch)

        def and_back(batch: dict[str, Any]) -> None:
            per_example_loss(self.model, batch).sum().backward()
            self.model.zero_grad(set_to_none=True)

        def rows(count: int) -> dict[str, Any]:
            return {name: tensor[:count].to(self.model.device) for name, tensor in whole.items()}

        there(rows(1))
        count = max(1, min(rows_of(whole), int(PASS / self.time(partial(there, rows(1))))))
        some = rows(count)
        there(some)
        forward, both = self.time(partial(there, some), 3), self.time(partial(and_back, some), 2)
        return forward / count, max(0.0, both - forward) / count

    def enough(self, forward: float, total: int) -> int:
        """Every how many-th example is scored."""
        passes = WRITES if self.bench.prepared.purpose == "translation" else 1
        return max(1, min(ceil(forward * passes * total / SECONDS), total // LEAST))

    def score(self) -> Any:
        return self.bench.evaluation.score(self.model)

    @cached_property
    def writing(self) -> Writing:
        """What answers are too long by, see above; a pretrained model's are as long as they will be."""
        return written(self.bench.evaluation, self.model, self.time) if self.run.spec.train else Writing()

    def point(self, offer: Offer, scale: float) -> float:
        """Seconds of a point with half of these units removed."""
        units = [Unit.parse(unit) for unit in sorted(Random(0).sample(offer, len(offer) // 2))]
        found = self.time(lambda: self.bench.answer(units))
        scored = 1 if units else 0  # the dense model's answer takes the scores that are remembered
        if scale > scored:
            model = attention.without(self.bench.dense(), self.bench.without_empty_stacks(set(units)))
            found += (scale - scored) * self.time(lambda: self.bench.evaluation.score(model))
        return found - scale * self.writing.seconds

    def book(self, scale: float) -> float:
        """Seconds of the intervals of a point."""
        resamples = self.run.params.run.resamples
        found = self.score()

        def intervals() -> None:
            for task in self.bench.tasks:
                scores, level = found[task.name], -1e9 if task.metric.better == "higher" else 1e9
                stats.task_score(
                    scores.stats, scores.stats, scores.aggregate, level, task.metric.better, resamples=resamples
                )

        return scale * self.time(intervals)

    def training(self) -> Step:
        """The training that makes the model, with its own threads."""
        count = (self.run.spec.train.threads if self.run.spec.train else None) or self.threads
        with threads(count):
            return each(self.trained, self.run.device, count)

    @cached_property
    def learner(self) -> Any:
        return copy.deepcopy(self.model)

    def trained(self, steps: int) -> None:
        """Some steps of the training, as ``prepare`` does them."""
        train, task = self.run.spec.train, self.bench.tasks[0]
        assert train
        there = (self.place / "data" / task.name / "train.parquet").is_file()
        data = read_split(self.place, task.name, "train" if there else "calibrate")
        collator = replace(self.bench.prepared.contract, length=train.length).collator(task)
        stream = batches(data, collator, train.batch, seed=train.seed, endless=True)
        fit(self.learner, stream, steps, RATE, label_smoothing=train.label_smoothing, shown=False)

    def recovered(self, steps: int) -> None:
        """Some steps of the fine-tuning of a plan, which begins with a copy of the model."""
        assert self.run.recover
        recovered(self.model, self.model, self.bench.lessons(self.run.recover), steps, 0)

    def calls(self) -> Iterator[tuple[Work, float]]:
        """Seconds of each call that the stage ``time`` will time, on one thread."""
        with as_found(self.model), threads(1):
            for work in self.run.params.speed.works.get(self.bench.prepared.purpose, ()):
                call = timed(self.model, work).call
                call()
                yield work, quiet(call, self.run.device, 1, 3)

    def note(self, sampled: int, total: int) -> str:
        some = "all" if sampled == total else f"{sampled:,} of"
        made = "made with one step of training" if self.run.spec.train else "loaded"
        return f"{self.run.name}: {made} and tried out on {some} {total:,} evaluation examples."


def rows_of(batch: dict[str, Any]) -> int:
    """Examples of a batch."""
    return len(next(iter(batch.values())))


@contextmanager
def unheard() -> Iterator[None]:
    """Without the lines of the log that are of a run, which this is none."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
