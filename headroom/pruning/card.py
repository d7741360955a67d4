"""The card of a smaller model, README.md of its folder, in the form of the Hub's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headroom.attention.state import Removal
from headroom.config.registry import load_method
from headroom.config.tasks import Task
from headroom.measure.machine import machine
from headroom.pruning.asked_again import command, in_python
from headroom.pruning.attempts import Attempt
from headroom.pruning.comparison import rows
from headroom.pruning.loading_words import LIBRARIES, how
from headroom.pruning.markdown import code, fenced, table, words
from headroom.pruning.origin import Origin
from headroom.pruning.shrinking import Outcome, Written
from headroom.pruning.subject import IN_MEMORY
from headroom.shipping import notes
from headroom.shipping.inspecting import GONE, LEFT, NO_BLOCK, layers_of, said_of

CARD = "README.md"
PIPELINES = {
    "language": "text-generation",
    "translation": "translation",
    "classification": "text-classification",
    "image-classification": "image-classification",
}
HUB = "https://huggingface.co"
ARXIV = "arXiv:"


def card_of(outcome: Outcome, found: Written, folder: Path, called: str) -> str:
    """The card of a folder in which all else lies already; ``called`` is what it is called in the end."""
    from huggingface_hub import ModelCard

    note = notes.read(folder)
    assert note is not None
    title = f"# {words(outcome.bench.subject.origin.name)}, pruned: {words(said_of(note.removal))} removed"
    parts = [title, *gone(outcome, note.removal), *kept(outcome, found), *loaded(outcome, found, called)]
    parts += [*came_from(outcome.bench.subject.origin), *made(outcome)]
    data = front_matter(outcome, found, called).to_yaml()
    return str(ModelCard(f"---\n{data}\n---\n\n" + "\n\n".join(parts) + "\n"))


def front_matter(outcome: Outcome, found: Written, called: str) -> Any:
    """What the Hub reads. What nobody stated is left out."""
    from huggingface_hub import ModelCardData

    subject, taken = outcome.bench.subject, outcome.taken
    assert taken is not None
    origin, task = subject.origin, subject.task
    base = [origin.hub] if origin.hub else list(origin.base)
    spoken = [task.languages.source, task.languages.target] if task and task.languages else list(origin.languages)
    tags = ["headroom", "pruned", taken.request.method, *(["custom_code"] if found.shipped.kind == "code" else [])]
    given: dict[str, Any] = {
        "base_model": base[0] if len(base) == 1 else base or None,
        "base_model_relation": "finetune" if base else None,  # the nearest of the Hub's four words
        "license": origin.licence.id or None,
        "license_name": origin.licence.name or None,
        "license_link": origin.licence.link or None,
        "language": spoken or None,
        "pipeline_tag": PIPELINES[subject.purpose],
        "library_name": LIBRARIES[found.shipped.kind],
        "tags": tags,
        "datasets": [task.data.hub] if task and task.data.hub else None,
        "metrics": [task.metric.name] if task else None,
        "model_name": called,
        "eval_results": results(task, outcome, found) if task else None,
    }
    return ModelCardData(**{key: value for key, value in given.items() if value is not None})


def results(task: Task, outcome: Outcome, found: Written) -> list[Any] | None:
    """The score of the task, as the Hub's model index has it; intervals stand in the card."""
    from huggingface_hub import EvalResult

    score = outcome.after_healing(found.found).score
    if score is None:
        return None
    return [
        EvalResult(
            task_type=PIPELINES[task.purpose],
            dataset_type=task.data.hub or task.name,
            dataset_name=task.name,
            dataset_revision=task.data.revision,
            metric_type=task.metric.name,
            metric_value=round(score.value, 6),
        )
    ]


def gone(outcome: Outcome, removal: Removal) -> Iterator[str]:
    """What was removed, and the map of it."""
    taken, origin, step = outcome.taken, outcome.bench.subject.origin, outcome.step
    assert taken is not None
    at = f" at commit {code(origin.commit)}" if origin.commit else ""
    name = f"[{words(origin.hub)}]({HUB}/{origin.hub}){at}" if origin.hub else code(origin.name)
    how_many = f"{len(step.drop)} of its {step.units} units ({step.share:.1%})"
    yield f"{name} without {how_many}: their weights are gone{changed(outcome)}."
    yield "## What is gone"
    yield fenced("\n".join(drawn(removal)))
    yield f"{LEFT} left, {GONE} gone, {NO_BLOCK} gone with its block. Rows are the layers of the dense model."
    method = load_method(taken.request.method, {}, "--method")
    paper = method.paper
    link = f" ([{words(paper)}](https://arxiv.org/abs/{paper.removeprefix(ARXIV)}))" if paper.startswith(ARXIV) else ""
    yield f"Chosen by {words(method.title)}{link}, {code(taken.request.method)} of Headroom."
    if outcome.advice:
        yield from advice(outcome)


def changed(outcome: Outcome) -> str:
    """What became of the weights that are left, as the end of a sentence."""
    if healed := outcome.learned:
        return f", and what is left was fine-tuned for {healed.steps} steps ({words(healed.recipe.kind)})"
    return ", and the method set others of its weights" if outcome.step.weights else ", and nothing else was changed"


def drawn(removal: Removal) -> Iterator[str]:
    """Layers by units, as text."""
    for layers in layers_of(removal):
        rows = [("layer", *layers.kinds), *((str(layer), *marks) for layer, marks in layers.rows)]
        wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        yield layers.stack
        yield from ("  ".join(map(str.ljust, row, wide)).rstrip() for row in rows)


def advice(outcome: Outcome) -> Iterator[str]:
    """Why ``auto`` took this method, and what the others gave."""
    assert outcome.advice is not None
    of = f" (results of commit {code(outcome.advice.commit)})" if outcome.advice.commit else ""
    yield f"{words(outcome.advice.why)}{of}"
    others = [attempt for attempt in outcome.tries if attempt is not outcome.taken]
    yield from (f"{code(one.request.method)} was tried too: {words(came_of(outcome, one))}" for one in others)


def came_of(outcome: Outcome, attempt: Attempt) -> str:
    """What an attempt that was not taken gave, in a sentence."""
    if attempt.step is None:
        return attempt.nothing
    if outcome.stopped:
        return f"{len(attempt.step.drop)} of {attempt.step.units} units; it was not measured whole."
    trial = outcome.bench.whole(attempt.step)
    sizes, score = trial.sizes, trial.score
    size = f", {sizes.parameters:,} parameters are left" if sizes else ""
    keeps = f", {score.retained:.1%} of the quality kept" if score else ""
    return f"{len(attempt.step.drop)} of {attempt.step.units} units go{size}{keeps}."


def kept(outcome: Outcome, found: Written) -> Iterator[str]:
    """Sizes, quality and speed beside the dense model's, each with what it holds for."""
    bench, sure = outcome.bench, outcome.request.wanted.confidence
    subject, task = bench.subject, bench.subject.task
    yield "## What it keeps and costs"
    trial = outcome.after_healing(found.found)
    score, lines = trial.score, rows(found.dense, trial, task, bench.work, found.difference)
    yield table(("", "dense", "pruned", "change"), ([words(cell) for cell in row] for row in lines))
    here = machine(bench.threads, str(subject.model.device))
    place = here.accelerator or here.processor
    kept_share = ""
    if task and score:
        kept_share = (
            f" Of the quality above chance it keeps {score.retained:.1%} "
            f"({score.retained_low:.1%} to {score.retained_high:.1%})."
        )
    yield (
        f"In brackets: intervals at {100 * sure:.4g} %.{kept_share} Timed on {words(place)}, {words(here.system)}, "
        f"torch {words(here.torch)}."
    )
    if task:
        counts = ", ".join(f"{len(rows_)} to {name}" for name, rows_ in sorted(subject.splits.items()))
        yield f"Examples: {words(task.name)}, version {task.version} ({words(counts)}). {words(task.summary)}"


def loaded(outcome: Outcome, found: Written, called: str) -> Iterator[str]:
    """How to load it, and how it was loaded here."""
    yield "## How to load it"
    yield f"It is {words(found.shipped.sentence)}."
    yield from how(found.shipped.kind, outcome.model, outcome.bench.subject.contract, called)
    yield "\n".join(f"- loaded again by {words(one)}" for one in found.shipped.loaded)


def came_from(origin: Origin) -> Iterator[str]:
    """The dense model, as far as its own files speak."""
    yield "## Where it comes from"
    said = [f"The dense model: {code(origin.hub or origin.name)}"]
    said += [f"at commit {code(origin.commit)}"] if origin.commit else []
    said += [f"from the package {code(origin.package)}"] if origin.package else []
    said += [f"which calls itself {code(origin.called)}"] if origin.called and origin.called != origin.hub else []
    said += [f"whose card names {', '.join(map(code, origin.base))} as its base"] if origin.base else []
    yield f"{', '.join(said)}. The SHA-256 of its files are in {code('headroom.json')}."
    licence = origin.licence
    more = " ".join(filter(None, (licence.name and words(licence.name), licence.link and words(licence.link))))
    named = f"{words(licence.id)}{f' ({more})' if more else ''}, as {words(licence.by)} says" if licence.id else ""
    yield f"Licence: {named or 'not stated by the files of the dense model'}. {words(origin.said)}".rstrip()


def made(outcome: Outcome) -> Iterator[str]:
    """The command."""
    from headroom.pipeline.provenance import git_state

    assert outcome.taken is not None
    yield "## How it was made"
    live, name = IN_MEMORY in outcome.bench.subject.files, outcome.bench.subject.origin.name
    request = outcome.request
    yield fenced(in_python(request) if live else command(request, name), "python" if live else "bash")
    commit, changed = git_state()
    at = "" if commit == "unknown" else f" at commit {code(commit)}{', with changes' if changed else ''}"
    yield f"With Headroom{at}, seed {request.seed}. All of it for machines: {code('headroom.json')}."
