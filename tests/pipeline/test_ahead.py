"""``headroom ahead``: the journal of a whole profile, so that the stage only assembles."""

from __future__ import annotations

import json
import shutil

import pytest

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


def table(world, workers, *models):
    for model in models:
        world.measure(workers, model)
    collect.run(world.loaded)
    return (world.folder / "results/test/quality.csv").read_bytes()


@pytest.fixture(scope="module")
def story(shared):
    """A profile measured stage by stage; and once more ahead, with what was asked then and by the stage afterwards."""
    with shared() as world, pytest.MonkeyPatch.context() as patch:
        world.method("tested", FIRST)
        world.method("slow", f"import time; time.sleep(3)\n{FIRST}")
        world.method("broken", "raise ValueError('ran aground')\nyield")
        two_models(world)
        plain = table(world, 0, "bert-toy", "bert-two")
        shutil.rmtree(world.journal)
        shutil.rmtree(world.folder / "results")
        asked, ask = [], Workers.ask

        def noted(self, questions):
            for question, answer in ask(self, questions):
                asked.append((type(question).__name__, getattr(question, "method", ""), getattr(question, "path", "")))
                yield question, answer

        patch.setattr(Workers, "ask", noted)
        failed = ahead.run(world.loaded, "params.yaml", workers=2)
        first, asked[:] = [*asked], []
        assembled = table(world, 2, "bert-toy", "bert-two")
        return {"plain": plain, "failed": failed, "ahead": first, "assembled": assembled, "after": [*asked]}


def test_the_table_is_the_same_byte_for_byte(story):
    assert story["assembled"] == story["plain"]


def test_afterwards_no_point_is_measured_and_only_a_failed_plan_is_asked_again(story):
    kinds = {kind for kind, method, _ in story["after"] if method != "broken"}
    assert kinds == {"OfferedQuestion", "DeclaredQuestion"}
    assert {method for kind, method, _ in story["after"] if kind == "PlanQuestion"} == {"broken"}


def test_points_of_a_model_are_measured_while_plans_of_another_are_made(story):
    order = story["ahead"]
    points = [place for place, (kind, _, _) in enumerate(order) if kind == "PointQuestion"]
    plans = [place for place, (kind, _, _) in enumerate(order) if kind == "PlanQuestion"]
    assert points[0] < plans[-1]


def test_what_failed_is_counted(story):
    assert story["failed"] == 2 * 3, "three targets of the broken method on two models"


def test_each_measurement_is_asked_once(story):
    points = [path for kind, _, path in story["ahead"] if kind == "PointQuestion"]
    assert len(set(points)) == len(points) == 2 * 4, "of each model: dense, and two targets and the floor"
