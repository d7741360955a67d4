"""A Ray cluster of two nodes on this machine: the answers of processes, whatever becomes of a node or a seat."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's word for: everything on the loopback address
ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")

from headroom.errors import UserError  # noqa: E402
from headroom.pipeline import ahead, cluster, collect, fence  # noqa: E402
from headroom.pipeline.asking import Question  # noqa: E402
from headroom.pipeline.cluster import Seats  # noqa: E402
from headroom.pipeline.joining import joined  # noqa: E402
from headroom.pipeline.room import Room  # noqa: E402
from headroom.pipeline.working import Trouble  # noqa: E402

pytestmark = pytest.mark.slow

FIRST = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"
TRAINED = """
with ctx.trained(lambda batch: ctx.loss(batch)) as weights:
    for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target), weights=weights)
"""
PEEKS = "open('{cache}/files/x').read()\nyield"
DEADLY = {
    "leaves": ("import os; os._exit(3)\nyield", "left its process with exit code 3"),
    "crashes": ("import ctypes; ctypes.string_at(0)\nyield", "killed by signal 11 (SIGSEGV), a crash"),
    "hangs": (
        "import signal, time\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(600)\nyield",
        "gave no sign of life within",
    ),
}
ONE = {"num_cpus": 1, "object_store_memory": 200 * 2**20, "node_ip_address": "127.0.0.1"}


@dataclass(frozen=True)
class Lines(Question):
    """Runs lines of Python in a worker; the answer is what they leave in ``answer``."""

    lines: str
    fresh: bool = False
    tries: int = 1
    reads: tuple = ()
    writes: tuple = ()

    def written(self, answer):
        return self.writes

    def answer(self):
        names = {"os": os}
        exec(self.lines, names)  # noqa: S102 - lines of these tests
        return names.get("answer")


@pytest.fixture(scope="module")
def nodes():
    """Two nodes of one core each, which know the classes of these tests."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "error")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]))
        made = Cluster(initialize_head=True, head_node_args={**ONE, "include_dashboard": False})
        made.add_node(**ONE)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@contextmanager
def seats(folder, count=2):
    with joined(), Seats(Room(count, 1, 1, 0.0), [], folder / "work") as pool:
        yield pool


@pytest.fixture
def alone(monkeypatch):
    """No node has the driver's disk, as far as it can see."""
    monkeypatch.setattr(cluster.Mark, "__reduce__", lambda self: (cluster.Mark, (self.folder, "/nowhere", "")))


def asked(pool, *questions):
    found = dict(pool.ask(questions))
    return [found[question] for question in questions]


def table(world):
    collect.run(world.loaded)
    return (world.folder / "results/test/quality.csv").read_bytes()


def again(world):
    """All that was measured is forgotten."""
    for folder in (world.journal, world.folder / "results", world.folder / "work/test/weights"):
        shutil.rmtree(folder, ignore_errors=True)


def use_methods(world):
    """Trained weights, draws, recovery, and methods that end badly."""
    world.change("plan_seconds: 60", "plan_seconds: 4")
    world.recover()
    world.use("random-heads")
    world.method("trained", TRAINED, needs="track = Track.TRAINED")
    file = world.folder / "methods" / "trained.py"
    file.write_text(file.read_text().replace("Method, Plan", "Method, Plan, Track"))
    for name, (plans, _) in DEADLY.items():
        world.method(name, plans)


def test_a_project_that_only_the_driver_has_gives_the_same_bytes(nodes, world, alone):
    use_methods(world)
    world.method("peeks", PEEKS.format(cache=fence.node_cache()))
    plain = world.measure(2)
    expected = table(world)
    weights = {path.name for path in (world.folder / "work/test/weights").iterdir()}
    assert weights and plain["trained"].status == "ok", "there is something to bring back"
    again(world)
    world.change("threads: 1,", "threads: 1, engine: ray,")
    records = world.measure(None)
    assert table(world) == expected
    assert {path.name for path in (world.folder / "work/test/weights").iterdir()} == weights
    for name, (_, said) in DEADLY.items():
        assert records[name].status == "failed" and said in records[name].reason
    assert "it reached for" in records["peeks"].reason, "the cache of a node is behind the fence too"
    assert not list((world.folder / "work/test").glob(".seats-*"))


def test_a_node_that_is_lost_takes_nothing_along(nodes, world, monkeypatch):
    world.use("random-heads")
    world.recover()
    world.measure(2)
    expected = table(world)
    again(world)
    world.change("threads: 1,", "threads: 1, engine: ray,")
    nodes.add_node(**ONE)
    lost, given, give = [], [], cluster.Seats._give

    def give_and_lose(self, chair, question):
        give(self, chair, question)
        if type(question).__name__ == "PointQuestion":
            given.append(question.path)
            mine = [node for node in nodes.worker_nodes if node.node_id == chair.seated.node_id]
            if mine and not lost:
                lost.append(question.path)
                time.sleep(0.5)  # it works on it by now
                nodes.remove_node(mine[0], allow_graceful=False)

    monkeypatch.setattr(cluster.Seats, "_give", give_and_lose)
    world.measure(3)
    assert lost and table(world) == expected
    assert len(given) - len(set(given)) == given.count(lost[0]) - 1 == 1, "what was on its way there, and nothing else"


KILLS = "import psutil, time; os.kill(psutil.Process(os.getpid()).parents()[1].pid, 9); time.sleep(60)"


def test_a_seat_that_is_killed_gives_its_question_to_another(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    once = f"from pathlib import Path\nmark = Path({str(tmp_path / 'tried')!r})\n"
    with seats(tmp_path) as pool:
        lines = once + f"if not mark.exists(): mark.touch(); {KILLS}\nanswer = 'at the second try'"
        assert asked(pool, Lines(lines)) == ["at the second try"]


def test_a_question_that_loses_every_seat_is_trouble(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with seats(tmp_path) as pool:
        found, well = asked(pool, Lines(KILLS), Lines("answer = 'well'"))
    assert isinstance(found, Trouble) and "lost its worker 3 times" in found.reason
    assert well == "well"


def test_what_a_worker_logs_arrives_while_it_works(nodes, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    heard = []
    say = "import logging, time; logging.getLogger('method').info('so far'); time.sleep(6)"
    monkeypatch.setattr(cluster, "say", lambda lines: heard.extend((time.monotonic(), line) for line in lines))
    with seats(tmp_path, 1) as pool:
        asked(pool, Lines(say))
        ended = time.monotonic()
    assert any(line == ("method", 20, "so far") and ended - when > 1 for when, line in heard)


def test_files_go_there_and_come_back(nodes, tmp_path, monkeypatch, alone):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    content = os.urandom(3 * 10**5)
    Path("work").mkdir()
    Path("work/there.bin").write_bytes(content)
    monkeypatch.setattr("headroom.pipeline.parcels.PIECE", 10**5)
    lines = "data = open('work/there.bin', 'rb').read(); open('work/back.bin', 'wb').write(data[::-1])\n"
    lines += "answer = os.getcwd(), open(os.environ['HF_HUB_CACHE'] + '/models--a--b/snapshots/1/model.txt').read()"
    snapshot = tmp_path / "hub" / "models--a--b" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (tmp_path / "blob").write_text("of the Hub")
    (snapshot / "model.txt").symlink_to(tmp_path / "blob")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    reads = (Path("work/there.bin"), snapshot)
    with seats(tmp_path, 1) as pool:
        ((where, model),) = asked(pool, Lines(lines, reads=reads, writes=(Path("work/back.bin"),)))
    assert model == "of the Hub"
    assert where != str(tmp_path) and Path("work/back.bin").read_bytes() == content[::-1]


def test_what_ends_a_run_ends_it_here_too(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="wrong"), seats(tmp_path) as pool:
        asked(pool, Lines("from headroom.errors import UserError; raise UserError('wrong')"))


def test_the_environment_and_the_threads_reach_the_workers(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", "/some/where")
    monkeypatch.setenv("HEADROOM_WORD", "here")
    read = "import torch\nnames = ('HF_HOME', 'HEADROOM_WORD', 'OMP_NUM_THREADS')\n"
    read += "answer = [os.environ[name] for name in names], torch.get_num_threads(), os.getcwd()"
    with seats(tmp_path, 1) as pool:
        (answer,) = asked(pool, Lines(read))
    assert answer == (["/some/where", "here", "1"], 1, str(tmp_path))


def test_a_node_with_another_version_is_refused(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = cluster.versions() | {"torch": "1.0"}
    monkeypatch.setattr(cluster, "versions", lambda: here)
    with pytest.raises(UserError, match=r"has torch .*, and this machine 1\.0"), seats(tmp_path) as pool:
        asked(pool, Lines("answer = 1"))


def test_a_cluster_is_started_here_where_none_is_named(world, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    world.method("tested", FIRST)
    world.measure(1)
    expected = table(world)
    again(world)
    world.change("threads: 1,", "threads: 1, engine: ray,")
    assert ahead.run(world.loaded, "params.yaml", 1) == 0
    world.change("engine: ray,", "engine: processes,")
    world.measure(1)
    assert table(world) == expected
