"""`headroom estimate`: what it says of the toy project is what the pipeline then really does."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from headroom.errors import UserError
from headroom.estimate import hours, whole
from headroom.estimate.examples import sliced
from headroom.estimate.figures import Estimate, ModelEstimate, Needs, Part
from headroom.estimate.pace import Pace, Step
from headroom.estimate.whole import estimate
from headroom.pipeline.crew import processes
from headroom.terminal.estimating import facts, missing, sentences
from headroom.training.fit import TrainingError


@contextmanager
def counted():
    """The tokens that any model looks up inside the block: word tables are those that know a padding word."""
    seen = [0]

    def read(module, given):
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            seen[0] += given[0].numel()

    hook = torch.nn.modules.module.register_module_forward_pre_hook(read)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.fixture(autouse=True)
def quick_start(monkeypatch):
    """A process with the libraries in it takes seconds to begin, which are measured once; not in every test."""
    monkeypatch.setattr(whole, "starting", lambda: 1.0)


@pytest.fixture
def paced(monkeypatch):
    """How fast a model is is tried out by other tests."""
    known = Pace(
        "measured",
        "tried.",
        train=Step(0, 1),
        dense=2.0,
        forward=0.1,
        train_tokens=10,
        point_tokens=5,
        example_tokens=3,
    )
    monkeypatch.setattr(whole, "paced", lambda *_: (known, ()))


def foreseen(project, **options):
    return estimate(project.loaded, "params.yaml", **options)


def files(project):
    """Everything in the project's folder but compiled methods."""
    return {path for path in project.folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def known(shared):
    """The toy project with methods whose plans can be known, estimated and then measured."""
    with pytest.MonkeyPatch.context() as patch, shared() as world:
        patch.setattr(whole, "starting", lambda: 1.0)
        patch.setattr(hours, "processes", lambda *_: 1)  # each scores the dense model
        world.use("random-heads")
        world.use("deepest-first", "{method: by-depth, order: deepest}")
        before = files(world)
        found = foreseen(world)
        written = files(world) - before
        with counted() as seen:
            records = world.measure()
        answers = [path for path in (world.journal / "answers").rglob("*") if path.is_file()]
        return found, len(answers), seen[0], records, written


def test_points_are_exactly_those_that_measure_asks(known):
    found, asked, _, records, _ = known
    (row,) = found.rows
    assert row.points == asked
    assert row.points < sum(len(record.points) for record in records.values()), "shared points are counted once"
    assert not row.bound


def test_tokens_are_exactly_those_that_the_model_is_fed(known):
    found, _, fed, *_ = known
    (row,) = found.rows
    assert row.tokens_of["points"] == fed
    assert row.tokens_of["plans"] == 0
    assert row.tokens == sum(row.tokens_of.values())


def test_nothing_is_left_behind_and_nothing_is_fetched(known):
    found, *_, written = known
    assert found.rows[0].needs == Needs(0, 0)
    assert found.rows[0].memory > 0
    assert written == set()


def test_methods_that_look_at_the_model_have_at_most_so_many_points_and_share_the_floor(world):
    world.use("magnitude-heads")
    world.use("michel-greedy", "{examples: 8}")
    world.recover()
    (row,) = foreseen(world).rows
    world.measure()
    asked = sum(path.is_file() for path in (world.journal / "answers").rglob("*"))
    assert row.bound
    assert asked <= row.points <= asked + 8  # they may choose the same heads at two targets, as is and recovered
    assert row.tokens_of["plans"] > 0


def test_hours_come_in_parts_that_say_what_they_rest_on(known):
    (row,) = known[0].rows
    assert {part.stage for part in row.parts} == {"prepare", "measure", "time", "other"}
    assert {part.basis for part in row.parts} == {"measured", "assumed"}
    assert row.seconds == pytest.approx(sum(part.seconds for part in row.parts))
    assert known[0].shares["measured"] + known[0].shares["assumed"] == pytest.approx(1)
    low, high = known[0].span
    assert low < known[0].seconds < high


def test_a_training_of_more_steps_and_a_second_seed_take_longer(world, paced):
    world.use("michel-greedy", "{examples: 8}")
    before = foreseen(world).rows[0]
    world.change("steps: 60", "steps: 600")
    world.change("seeds: [0]", "seeds: [0, 1]")
    after = foreseen(world).rows[0]
    assert after.tokens_of["training"] == 10 * before.tokens_of["training"]
    assert after.tokens_of["plans"] == 2 * before.tokens_of["plans"]
    assert after.points == before.points + 2  # two targets; the floor is the same with any seed


UNKNOWN = Needs(None, 0, ("the Hub said no.",))
PARTS = (Part("measure", "points", 3600.0, "measured"), Part("measure", "plans", 3600.0, "assumed"))


def test_unknown_stays_unknown_and_is_no_zero():
    known = ModelEstimate("one", Needs(10, 5), 10**9, 1, 7, False, {"points": 9}, PARTS)
    lost = ModelEstimate("two", UNKNOWN, reasons=("it is gated.",))
    content = Estimate("test", (known, lost), unshared={"rows": 5}).content()
    assert content["models"]["two"]["fetch_bytes"] is None
    assert content["models"]["two"]["unknown"] == ["the Hub said no.", "it is gated."]
    whole_ = content["all"]
    assert [whole_[key] for key in ("fetch_bytes", "points", "tokens", "seconds", "memory_bytes")] == [None] * 5
    assert (whole_["fetch_bytes_known"], whole_["seconds_known"]) == (15, 7200.0)
    assert facts(lost)[1:] == ("unknown",) * 5


def test_a_price_makes_dollars_with_their_span():
    row = ModelEstimate("one", points=7, tokens_of={"points": 9}, parts=PARTS)
    found = Estimate("test", (row,), price=3.0)
    assert found.dollars == pytest.approx(6.0)
    assert found.span == (0.8 * 3600 + 0.5 * 3600, 1.2 * 3600 + 2.0 * 3600)
    assert any("Dollars: 6.00, between 3.90 and 9.60, at 3.00 an hour." in line for line in sentences(found))
    assert not any("Dollars" in line for line in sentences(Estimate("test", (row,))))


def test_the_command_prints_a_table_or_json(headroom, paced):
    code, said = headroom("estimate", "--price", "2")
    assert code == 0
    for words in ("Profile test, before it runs", "bert-toy", "in all", "on measurement", "Dollars:"):
        assert words in said
    code, said = headroom("estimate", "--json", "--model", "bert-toy")
    content = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert content["models"]["bert-toy"]["points"] == content["all"]["points"] > 0


def test_a_misspelt_model_is_named(world):
    with pytest.raises(UserError, match="no model 'bert-tor'"):
        foreseen(world, models=["bert-tor"])


def test_a_model_that_cannot_be_had_has_a_row_with_the_reason_and_the_others_stay(world, paced, monkeypatch):
    world.change(
        "models:\n",
        f"models:\n  far:\n    source: {{hub: some/model, revision: {'a' * 40}}}\n    tasks: [toy-classification]\n",
    )
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = foreseen(world)
    far, near = found.rows
    assert (far.needs.weights, far.points, far.seconds) == (None, None, None)
    assert "some/model" in far.needs.reasons[0]
    assert near.points and near.seconds and not found.known


def test_a_package_that_is_not_here_is_not_fetched_to_find_out(world, paced, monkeypatch, tmp_path):
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    package = f"{{name: some-weights, version: '1.0', sha256: {'a' * 64}, file: some/model}}"
    world.change(
        "models:\n", f"models:\n  packed:\n    source: {{package: {package}}}\n    tasks: [toy-classification]\n"
    )
    packed, near = foreseen(world).rows
    assert (packed.needs.weights, packed.points) == (None, None)
    assert "does not say how large some-weights 1.0 is" in packed.needs.reasons[0]
    assert "its shape is known once `headroom fetch` got it" in packed.reasons[0]
    assert near.points


def test_costs_of_plans_come_from_published_records_of_the_same_method(world, paced):
    world.use("michel-greedy", "{examples: 8}")
    world.measure()
    (before,) = foreseen(world).rows
    assert any("Costs of plans from results of test on bert-toy: michel-greedy." in note for note in before.notes)
    assert before.tokens_of["plans"] == 8 * 3
    world.change("michel-greedy: {examples: 8}", "michel-greedy: {examples: 9}")
    (after,) = foreseen(world).rows
    assert any("for want of published results: michel-greedy." in note for note in after.notes)
    assert after.tokens_of["plans"] == 9 * 3


def test_memory_is_that_of_the_plans_where_a_record_says_that_they_took_more_than_scoring(world, paced, monkeypatch):
    world.use("michel-greedy", "{examples: 8}")
    took = round(world.measure()["michel-greedy"].costs[0].peak_memory_mb * 2**20)
    monkeypatch.setattr(whole, "LIBRARIES_TAKE", took - 1)
    (row,) = foreseen(world).rows
    assert row.memory == took
    assert any(note.startswith(f"michel-greedy took {took / 1e9:.1f} GB to make its plans") for note in row.notes)
    monkeypatch.setattr(whole, "LIBRARIES_TAKE", took + 1)
    (row,) = foreseen(world).rows
    assert row.memory == took + 1 and not any("to make its plans" in note for note in row.notes)


def test_a_model_that_breaks_when_it_is_tried_out_has_a_row_that_says_so(world, monkeypatch):
    def broken(*_):
        raise TrainingError("the loss is nan at step 1")

    monkeypatch.setattr(whole, "paced", broken)
    (row,) = foreseen(world).rows
    assert row.seconds is None
    assert row.reasons == ("bert-toy could not be tried out: the loss is nan at step 1.",)


def test_processes_that_share_a_card_wait_for_each_other(world, paced, monkeypatch):
    monkeypatch.setattr("headroom.pipeline.crew.cores", lambda: 4)
    apart = foreseen(world).rows[0]
    monkeypatch.setattr("headroom.estimate.hours.resolved", lambda _: "cuda")
    together = foreseen(world).rows[0]
    points = [sum(part.seconds for part in row.parts if part.what == "points") for row in (apart, together)]
    assert points[1] == pytest.approx(4 * points[0])


def test_why_figures_are_unknown_is_said_once_with_the_models():
    rows = tuple(ModelEstimate(name, UNKNOWN) for name in ("one", "two"))
    assert missing(Estimate("test", rows)) == ["Unknown of one, two: the Hub said no."]


def test_data_that_are_not_here_leave_the_hours_unknown_and_points_known(world, monkeypatch):
    monkeypatch.setattr(whole, "at_hand", lambda *_: False)
    monkeypatch.setattr("headroom.estimate.examples.at_hand", lambda *_: False)
    monkeypatch.setattr("headroom.estimate.examples.sliced", lambda _: None)
    (row,) = foreseen(world).rows
    assert row.points and row.seconds is None and row.tokens is None
    assert "how many examples it scores is not known" in row.reasons[0]


def test_a_shape_is_timed_where_nothing_can_be_tried_out(world, monkeypatch):
    monkeypatch.setattr(whole, "at_hand", lambda *_: False)
    monkeypatch.setattr("headroom.estimate.examples.at_hand", lambda *_: False)
    monkeypatch.setattr("headroom.estimate.examples.sliced", lambda _: 40)
    (row,) = foreseen(world).rows
    assert row.seconds > 0
    passes = row.points - 1 + min(row.workers, row.points)  # each process scores the dense model: point zero is that
    assert row.tokens_of["points"] == passes * 40 * 16  # half of the longest input
    assert "100% of its weights, random" in row.notes[0]


def test_of_a_shape_that_does_not_fit_fewer_layers_are_timed(world, monkeypatch):
    monkeypatch.setattr(whole, "at_hand", lambda *_: False)
    monkeypatch.setattr("headroom.estimate.examples.at_hand", lambda *_: False)
    monkeypatch.setattr("headroom.estimate.examples.sliced", lambda _: 40)
    monkeypatch.setattr("headroom.estimate.sketch.memory", lambda _: 4 * 4 * 17_000)
    assert "100%" not in foreseen(world).rows[0].notes[0]
    monkeypatch.setattr("headroom.estimate.sketch.memory", lambda _: 10)
    assert "no layer of it fits here" in foreseen(world).rows[0].notes[0]


@pytest.mark.parametrize(
    ("text", "rows"), [("test[:100]", 100), ("all[50:150:10]", 10), ("test", None), ("test[-5:]", None)]
)
def test_a_slice_says_how_many_rows_it_takes_where_it_has_an_end(text, rows):
    assert sliced(text) == rows


def test_as_many_work_as_the_cores_allow(world):
    params = world.loaded
    several = params.model_copy(update={"run": params.run.model_copy(update={"workers": 7})})
    assert (processes(several.run, "cpu"), processes(params.run, "cpu") >= 1) == (7, True)
    assert processes(params.run, "cuda") == 1, "one to a card"


def test_help_imports_no_torch():
    code = "import sys; sys.argv = ['headroom', 'estimate', '--help']\nfrom headroom.cli import main\n"
    code += "try: main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
