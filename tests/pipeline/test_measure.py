"""A model measured by every method: none takes the others along, and only what is new is computed."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from headroom.pipeline import collect, workers
from headroom.pipeline.measure import run
from headroom.pipeline.questions import PointQuestion
from headroom.pipeline.recording import forget
from headroom.results.files import read, write
from headroom.results.records import CellRecord

FIRST = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"
NEXT = "for t in targets: yield Plan(t, frozenset((ctx.units.all[1:] + ctx.units.all[:1])[: ctx.units.count(t)]))"

DEADLOCK = """
import ctypes
lock, c = ctypes.create_string_buffer(64), ctypes.PyDLL(None)
c.pthread_mutex_lock(lock), c.pthread_mutex_lock(lock)
yield
"""
FULL = """
import psutil, resource
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2**26, -1))
bytearray(2**30)
yield
"""
DEADLY = {  # the body of `plans`, what stands in the class, what is said
    "leaves": ("import os; os._exit(3)\nyield", "", "left its process with exit code 3"),
    "is-killed": (
        "import os; os.kill(os.getpid(), 9)\nyield",
        "",
        "killed by signal 9 (SIGKILL), probably out of memory",
    ),
    "crashes": ("import ctypes; ctypes.string_at(0)\nyield", "", "killed by signal 11 (SIGSEGV), a crash"),
    "exits": ("raise SystemExit('enough')\nyield", "", "SystemExit: enough"),
    "fills-the-memory": (FULL, "", "MemoryError"),
    "blocks-in-c": (DEADLOCK, "", "gave no sign of life within 4 s, and was killed"),
    "sleeps-in-c": ("import ctypes; ctypes.PyDLL(None).sleep(1000)\nyield", "", "yielded no plan within 3 s"),
    "leaves-at-import": ("yield", "import os; os._exit(7)", "left its process with exit code 7"),
    "cannot-say": ("yield", "supports = lambda self, model: open('nowhere')", "FileNotFoundError"),
    "answers-true": ("yield", "supports = lambda self, model: True", "supports() gives True; wanted a sentence"),
    "notes-a-thing": ("yield Plan(0.25, frozenset(), note=object())", "", "has the note <object object"),
    "asks-for-more": ("yield Plan(1.5, frozenset(), natural='x')", "", "target 1.5; a target is a share of units"),
}


def points(records, names):
    return {name: records[name].points for name in names}


@pytest.fixture(scope="module")
def deaths(shared, patience):
    """The records of honest methods alone, and of all when the deadly ones are there too."""
    with shared() as world, patience(blocks_in_c=4):
        world.change("plan_seconds: 60", "plan_seconds: 3")
        world.use("random-heads")
        world.use("magnitude-heads")
        alone = world.measure()
        shutil.rmtree(world.journal)
        for name, (plans, needs, _) in DEADLY.items():
            world.method(name, plans, needs)
        yield alone, world.measure(workers=2)


@pytest.mark.parametrize("name", DEADLY)
def test_a_method_that_dies_is_a_failed_cell_that_says_how(deaths, name):
    record = deaths[1][name]
    assert record.status == "failed" and DEADLY[name][2] in record.reason, record.reason
    assert name.replace("-", "_") in record.reason or name in record.reason
    assert not [point for point in record.points if point.status == "ok"]


def test_the_cells_of_the_others_are_as_if_it_were_not_there(deaths):
    alone, together = deaths
    assert {record.status for record in alone.values()} == {"ok"}
    assert points(together, alone) == points(alone, alone)


def test_what_failed_is_taken_away_and_asked_again(world, headroom, monkeypatch):
    monkeypatch.setattr("headroom.measure.machine.note", lambda *_: None)  # seconds of counting what it can do
    world.method(
        "tested",
        f"""
        import os
        from pathlib import Path
        tried = Path("{world.folder}") / "tried"
        if not tried.exists():
            tried.touch()
            os._exit(1)
        {FIRST}
        """,
    )
    assert world.measure(workers=1)["tested"].status == "failed"
    code, said = headroom("stage", "machine")
    assert code == 0 and "results/test/quality/bert-toy: records that failed" in said
    assert not world.record("tested").exists() and world.record("dense").exists()
    assert world.measure()["tested"].status == "ok"


def test_a_run_leaves_the_failures_of_other_models_to_be_read(world):
    record = world.measure()["dense"]
    world.change("models:\n", "models:\n  other: {source: {folder: here}, tasks: [toy-classification]}\n")
    elsewhere = world.loaded.quality_record("other", "dense")
    write(elsewhere, record.model_copy(update={"model": "other", "status": "failed", "reason": "ran aground"}))
    world.measure()
    assert elsewhere.exists()
    assert forget(world.loaded) == [elsewhere], "it is gone when the next run begins"


def killed(monkeypatch, times):
    """Kill the worker that has the first question of a recovery in hand; again when that is given to another one."""
    given, give = [], workers.Worker.give

    def give_and_kill(self, question):
        give(self, question)
        if isinstance(question, PointQuestion) and question.steps and question.path in (given or [question.path]):
            given.append(question.path)
            if len(given) <= times:
                os.kill(self.process.pid, signal.SIGKILL)

    monkeypatch.setattr(workers.Worker, "give", give_and_kill)
    return given


def test_a_worker_killed_while_it_measures_is_replaced_and_the_record_is_the_same(world, monkeypatch):
    world.recover()
    world.method("tested", FIRST)
    undisturbed = world.measure()
    shutil.rmtree(world.journal)
    given = killed(monkeypatch, times=1)
    disturbed = world.measure(workers=2)
    assert len(given) == 2, "given once more"
    assert points(disturbed, undisturbed) == points(undisturbed, undisturbed)


def test_a_point_that_kills_every_worker_fails_and_the_next_run_measures_it(world, monkeypatch):
    world.recover()
    with monkeypatch.context() as patch:
        killed(patch, times=2)  # the dense model's own, with which every recovered point is compared
        record = world.measure(workers=1)["dense"]
    assert record.status == "failed" and "killed by signal 9 (SIGKILL), probably out of memory" in record.reason
    assert world.measure()["dense"].status == "ok"


def test_the_table_does_not_depend_on_the_number_of_workers(world):
    world.recover()
    world.use("random-heads")
    tables = []
    for count in (0, 2):
        shutil.rmtree(world.journal, ignore_errors=True)
        shutil.rmtree(world.folder / "results", ignore_errors=True)
        world.measure(workers=count)
        collect.run(world.loaded)
        tables.append((world.folder / "results/test/quality.csv").read_bytes())
    assert tables[0] == tables[1] and tables[0].count(b"\n") > 10


def test_only_what_is_new_is_computed_and_what_is_gone_leaves_nothing(world, caplog):
    """One test for the whole story of a profile, because it is about what one run leaves to the next."""
    caplog.set_level("INFO")

    def lines():
        caplog.clear()
        world.measure()
        return {line.split(" on ")[0]: line for line in caplog.messages if " on bert-toy: " in line}

    def plans():
        return len(list((world.journal / "plans").iterdir()))

    world.use("random-heads")
    said = lines()
    assert "random-heads on bert-toy: ok, 6 points, 5 new" in said["random-heads"], "both draws remove all at target 1"
    assert "dense on bert-toy: ok, 2 points, 1 new" in said["dense"], "its floor is that too"
    collect.run(world.loaded)
    table = (world.folder / "results/test/quality.csv").read_bytes()
    files = [path for path in (world.folder / "results/test/quality").rglob("*.json")]
    written = {path: path.stat().st_mtime_ns for path in files}

    world.method("tested", FIRST)
    known = plans()
    said = lines()
    assert "tested on bert-toy: ok, 3 points, 2 new; keeps" in said["tested"], "all units at once are known"
    assert "6 points, 0 new" in said["random-heads"] and "2 points, 0 new" in said["dense"]
    assert plans() == known + 1
    assert {path: path.stat().st_mtime_ns for path in files} == written, "what says the same is left as it is"

    file = world.folder / "methods" / "tested.py"
    file.write_text(file.read_text() + "\n# a second thought\n")
    assert "tested on bert-toy: ok, 3 points, 0 new" in lines()["tested"], "the same units from an edited file"
    assert plans() == known + 2, "though it had to be asked"

    file.write_text(file.read_text().replace(FIRST, NEXT))
    assert "tested on bert-toy: ok, 3 points, 2 new" in lines()["tested"]

    world.method("twin", NEXT)
    assert "twin on bert-toy: ok, 3 points, 0 new" in lines()["twin"], "the same units by another method"

    for name in ("tested", "twin"):
        world.change(f"  {name}: {{}}\n", "")
    lines()
    for name in ("tested", "twin"):
        assert not world.record(name).exists() and not world.loaded.scores("bert-toy", name).exists()
    collect.run(world.loaded)
    assert (world.folder / "results/test/quality.csv").read_bytes() == table


def test_draws_that_hit_the_same_units_are_one_measurement(world, caplog):
    """What is learned afterwards does not depend on the draw."""
    world.method("tested", FIRST, needs="stochastic = True")
    world.recover()
    caplog.set_level("INFO")
    record = world.measure()["tested"]
    assert {point.seed for point in record.points} == {0, 1} and len(record.points) == 12
    assert "tested on bert-toy: ok, 12 points, 6 new" in caplog.text


def test_a_model_that_is_not_prepared_is_said_to_be_so(world, headroom):
    shutil.rmtree(world.folder / "work/test/models/bert-toy")
    code, said = headroom("stage", "measure", "bert-toy")
    assert code == 2 and "Run `dvc repro prepare@bert-toy` first." in said


def test_records_come_in_the_order_of_the_profile_and_are_on_the_disk(world):
    world.use("random-heads")
    records = run(world.loaded, "params.yaml", "bert-toy", 2)
    assert [record.method for record in records] == ["random-heads", "dense"]
    assert [read(world.record(record.method), CellRecord) for record in records] == records
