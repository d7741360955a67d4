"""What one point of a language model of 135 M parameters costs beyond the model's own forward passes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from headroom.api import Grain
from headroom.measure.clock import Stopwatch, now
from headroom.measure.memory import forget_peak, resident_mb
from headroom.models.shapes import dense, plan

# SmolLM2-135M but for its vocabulary, which is that of the tokenizer that is trained here
SHAPE = {
    "family": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
TASK = "pydocs-language"
PIECES = 2048
LENGTH = 512  # tokens of a window
EXAMPLES = 40  # texts that are scored: minutes of one core


def points() -> Iterator[Figure]:
    """The dense model once, to compare with, then half of its KV groups and half of its attention sublayers gone."""
    from headroom.data.loading import read_split
    from headroom.evaluate import Evaluation
    from headroom.pipeline.bench import Bench

    with tempfile.TemporaryDirectory() as name:
        bench = Bench(prepared(Path(name)), Path(name))
        rows = read_split(bench.folder, TASK, "evaluate").select(range(EXAMPLES))
        bench.evaluation = Evaluation.of(bench.prepared, [(bench.tasks[0], rows)])
        _, whole = peak(lambda: bench.evaluation.score(bench.prepared.model))
        for grain, aim in ((Grain.KV_GROUP, 1.25), (Grain.ATTENTION, 1.05)):
            units = plan(bench.prepared.model, grain, 0.5)
            with forwards(bench) as spent, Stopwatch() as watch:
                _, most = peak(lambda units=units: bench.answer(units))
            yield Figure(f"point_{grain}_s", watch.seconds, "s", "lower")
            yield Figure(f"point_{grain}_forward_share", sum(spent) / watch.seconds, "ratio", "higher", 0.85)
            yield Figure(f"point_{grain}_memory_over_dense", most / whole, "ratio", "lower", aim)


def prepared(folder: Path) -> Path:
    """A random model of the shape with a tokenizer of the documentation, prepared as a pretrained one is."""
    from headroom.config.model_spec import TokenizerSpec, load_spec
    from headroom.config.tasks import load_task
    from headroom.data.loading import load_splits
    from headroom.data.tokenize import train_tokenizer
    from headroom.models.configs import of_tokenizer
    from headroom.pipeline.prepare import prepare

    texts = load_splits(load_task(TASK))["train"]["text"]
    tokenizer = train_tokenizer(TokenizerSpec(kind="bpe", size=PIECES), texts, ends=False)
    dense(SHAPE | of_tokenizer(tokenizer, "language"), "language", "float32", "cpu").save_pretrained(folder / "llama")
    tokenizer.save_pretrained(folder / "llama")
    entry = {"source": {"folder": "llama"}, "tasks": [TASK], "evaluate": {"length": LENGTH}}
    prepare("llama", load_spec("llama", entry, "benchmarks"), folder / "prepared", folder, threads=1)
    return folder / "prepared"


@contextmanager
def forwards(bench: Any) -> Iterator[list[float]]:
    """Seconds of every forward pass inside the block, of the dense model and of all that share its modules' class."""
    spent, kind = list[float](), type(bench.prepared.model)
    forward = kind.forward

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        start = now()
        try:
            return forward(self, *args, **kwargs)
        finally:
            spent.append(now() - start)

    kind.forward = timed
    try:
        yield spent
    finally:
        kind.forward = forward


def peak(call: Any) -> tuple[Any, float]:
    """What a call gives, and the largest memory of this process meanwhile, MiB, libraries included."""
    forget_peak(on_gpu=False)
    found = call()
    most = resident_mb("VmHWM")
    if most is None:
        raise SystemExit("peak memory can be measured on Linux only")
    return found, most
