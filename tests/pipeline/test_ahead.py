"""``headroom ahead``: the journal of a whole profile, so that the stage only assembles."""

from __future__ import annotations

import json
import shutil

import pytest
from one_process import Here

from headroom.pipeline import ahead, collect
from headroom.pipeline.workers import Workers

FIRST = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"


def two_models(world):
    """The toy model under a second name and scored in other batches: another model to the journal."""
    text = world.params.read_text()
    entry = text[text.index("  bert-toy:") : text.index("recover:")]
    world.change("recover:", entry.replace("bert-toy", "bert-two") + "recover:")
    models = world.folder / "work" / "test" / "models"
    shutil.copytree(models / "bert-toy", models / "bert-two")
    notes = models / "bert-two" / "prepare.json"
    facts = json.loads(notes.read_text())
    facts["spec"]["evaluate"]["batch"] = 8
    notes.write_text(json.dumps(facts))


def table(world, *models):
    for model in models:
        world.measure(model=model)
    collect.run(world.loaded)
    return (world.folder / "results/test/quality.csv").read_bytes()


@pytest.fixture(scope="module")
def story(shared):
    """A profile measured stage by stage; and once more ahead, with what was asked then and by the stage afterwards."""
    with shared() as world, pytest.MonkeyPatch.context() as patch:
        world.method("tested", FIRST)
        world.method("broken", "raise ValueError('ran aground')\nyield")
        two_models(world)
        plain = table(world, "bert-toy", "bert-two")
        shutil.rmtree(world.journal)
        shutil.rmtree(world.folder / "results")
        asked = []

        def note(ask):
            def noted(self, questions):
                for question, answer in ask(self, questions):
                    kind = type(question).__name__
                    asked.append((kind, getattr(question, "method", ""), getattr(question, "path", "")))
                    yield question, answer

            return noted

        for pool in (Workers, Here):
            patch.setattr(pool, "ask", note(pool.ask))
        failed = ahead.run(world.loaded, "params.yaml", workers=2)
        first, asked[:] = [*asked], []
        assembled = table(world, "bert-toy", "bert-two")
        return {"plain": plain, "failed": failed, "ahead": first, "assembled": assembled, "after": [*asked]}


def test_the_table_is_the_same_byte_for_byte(story):
    assert story["assembled"] == story["plain"]


def test_afterwards_no_point_is_measured_and_only_a_failed_plan_is_asked_again(story):
    kinds = {kind for kind, method, _ in story["after"] if method != "broken"}
    assert kinds == {"OfferedQuestion", "DeclaredQuestion"}
    assert {method for kind, method, _ in story["after"] if kind == "PlanQuestion"} == {"broken"}


def test_what_failed_is_counted(story):
    assert story["failed"] == 2 * 3, "three targets of the broken method on two models"


def test_each_measurement_is_asked_once(story):
    points = [path for kind, _, path in story["ahead"] if kind == "PointQuestion"]
    assert len(set(points)) == len(points) == 2 * 4, "of each model: dense, and two targets and the floor"
