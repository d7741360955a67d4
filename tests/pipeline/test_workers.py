"""Worker processes: an answer or a sentence for every question, whatever becomes of the process that works on it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import pytest

from headroom.errors import UserError
from headroom.pipeline.asking import Question
from headroom.pipeline.workers import Workers, death
from headroom.pipeline.working import Trouble


@dataclass(frozen=True)
class Lines(Question):
    """Runs lines of Python in a worker; the answer is what they leave in ``answer``."""

    lines: str
    limit: float | None = None
    fresh: bool = False
    tries: int = 1
    holds: str = ""

    @property
    def seconds(self):
        return self.limit

    def answer(self):
        from headroom.pipeline import working

        names = {"os": os, "signal": signal, "working": working, "UserError": UserError}
        exec(self.lines, names)  # noqa: S102 - lines of these tests
        return names.get("answer")


@pytest.fixture(scope="module")
def pool():
    with Workers(2, 1) as workers:
        yield workers


def asked(pool, *questions):
    """The answers, in the order of the questions."""
    found = dict(pool.ask(questions))
    return [found[question] for question in questions]


DEADLOCK = (
    "import ctypes; lock, c = ctypes.create_string_buffer(64), ctypes.PyDLL(None)\nwhile 1: c.pthread_mutex_lock(lock)"
)

ENDS = {
    "leaves": ("os._exit(3)", "left its process with exit code 3, in the middle of its work."),
    "leaves as if well": ("os._exit(0)", "left its process with exit code 0, in the middle of its work."),
    "is killed": ("os.kill(os.getpid(), 9)", "was killed by signal 9 (SIGKILL), probably out of memory."),
    "is ended": ("os.kill(os.getpid(), 15)", "was killed by signal 15 (SIGTERM)."),
    "crashes": ("import ctypes; ctypes.string_at(0)", "was killed by signal 11 (SIGSEGV), a crash of the interpreter"),
    "exits": ("raise SystemExit('enough')", "SystemExit: enough"),
    "is interrupted": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "answers what cannot be sent": ("answer = lambda: 1", "cannot be sent: "),
    "answers what is known there only": (
        "import sys, types\nsys.modules['own'] = own = types.ModuleType('own')\n"
        "exec('class Own: pass', vars(own)); answer = own.Own()",
        "answered what nobody else knows: ModuleNotFoundError: No module named 'own'",
    ),
    "blocks": (DEADLOCK, "gave no sign of life within 3 s, and was killed."),
    "leaves a child that holds the pipe": (
        "import time\nif os.fork(): os._exit(4)\ntime.sleep(5); os._exit(0)",
        "left its process with exit code 4, in the middle of its work.",
    ),
}


@pytest.fixture(scope="module")
def endings(pool):
    """What is said of each way to end, asked together with a question that is answered."""
    questions = {name: Lines(lines, 3.0 if name == "blocks" else None) for name, (lines, _) in ENDS.items()}
    well = Lines("answer = 'well'")
    found = dict(pool.ask([*questions.values(), well]))
    return {name: found[question] for name, question in questions.items()} | {"well": found[well]}


@pytest.mark.parametrize("way", ENDS)
def test_every_way_to_end_is_a_sentence(endings, way):
    assert isinstance(endings[way], Trouble)
    assert ENDS[way][1] in endings[way].reason


def test_the_others_are_answered(endings, pool):
    assert endings["well"] == "well"
    assert asked(pool, Lines("answer = 'still well'")) == ["still well"]


def test_what_raised_comes_with_its_traceback(endings):
    assert "ZeroDivisionError" in endings["raises"].trace and "Traceback" in endings["raises"].trace


def test_signs_of_life_give_a_question_more_time(pool):
    lines = "import time\nfor _ in range(8): time.sleep(0.5); working.alive()\nanswer = 'slow and well'"
    assert asked(pool, Lines(lines, 2.5)) == ["slow and well"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), MemoryError("full"), UserError("wrong")])
def test_what_is_no_finding_ends_the_run(pool, error):
    words = f"({error.errno}, 'full')" if isinstance(error, OSError) else f"({error.args[0]!r})"
    with pytest.raises(type(error)) as raised:
        asked(pool, Lines(f"raise {type(error).__name__}{words}"))
    assert raised.value.args == error.args


def test_torchs_word_for_no_memory_is_no_finding_either(pool):
    words = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    with pytest.raises(MemoryError, match="tried to allocate"):
        asked(pool, Lines(f"raise RuntimeError({words!r})"))


def test_processes_stay_and_a_fresh_one_is_of_one_question_only(pool):
    same = {answer for _ in range(3) for answer in asked(pool, Lines("answer = os.getpid()"))}
    fresh = {answer for _ in range(3) for answer in asked(pool, Lines("answer = os.getpid()", fresh=True))}
    assert len(same) <= 2 and len(fresh) == 3 and not same & fresh


def test_a_process_has_one_thing_loaded_at_a_time():
    with Workers(1, 1) as pool:
        bert, vit = Lines("answer = os.getpid()", holds="bert"), Lines("answer = -os.getpid()", holds="vit")
        first, second, third = asked(pool, bert, vit, Lines("answer = os.getpid() ", holds="bert"))
        assert first == third != -second, "the two about one model come together, the other one has its own process"
        assert len(pool.idle) == 1


def test_questions_may_come_with_the_answers(pool):
    todo = deque([Lines("answer = 1")])
    for _, answer in pool.ask(todo):
        if answer < 4:
            todo.append(Lines(f"answer = {answer} + 1"))
    assert answer == 4 and not todo


def test_one_that_died_while_it_had_nothing_to_do_is_replaced(pool):
    asked(pool, Lines("answer = 1"))
    for worker in pool.idle:
        worker.process.kill()
        worker.process.join()
    assert asked(pool, Lines("answer = 2")) == [2]


def test_a_question_whose_worker_died_is_given_to_another_one(pool, tmp_path):
    once = f"from pathlib import Path\nmark = Path({str(tmp_path / 'tried')!r})\n"
    dies_once = Lines(once + "if not mark.exists(): mark.touch(); os._exit(1)\nanswer = 'at the second try'", tries=2)
    assert asked(pool, dies_once) == ["at the second try"]
    counts = Lines(f"open({str(tmp_path / 'count')!r}, 'a').write('x'); os._exit(5)", tries=2)
    assert "exit code 5" in asked(pool, counts)[0].reason
    assert (tmp_path / "count").read_text() == "xx", "as often as it may be tried"


def test_what_raises_is_asked_once_however_many_tries_there_are(pool, tmp_path):
    counts = Lines(f"open({str(tmp_path / 'count')!r}, 'a').write('x'); raise ValueError('no more')", tries=3)
    assert asked(pool, counts)[0].reason == "ValueError: no more"
    assert (tmp_path / "count").read_text() == "x"


def test_lines_of_the_log_arrive(pool, caplog):
    caplog.set_level("INFO")
    asked(pool, Lines("import logging; logging.getLogger('headroom.method').info('a word with %d %%', 5)"))
    assert [record.getMessage() for record in caplog.records if record.name == "headroom.method"] == ["a word with 5 %"]


def test_a_worker_works_where_the_run_does(pool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(asked(pool, Lines("answer = os.getcwd()", fresh=True))[0]) == tmp_path


def test_nothing_is_left_of_a_run_that_broke_off():
    before = set(multiprocessing.active_children())
    with pytest.raises(UserError), Workers(2, 1) as pool:
        endless = Lines("import time\nwhile True: time.sleep(1)")
        asked(pool, endless, Lines("raise UserError('wrong')"))
    assert not set(multiprocessing.active_children()) - before


@pytest.mark.parametrize(("code", "said"), [(None, "exit code None"), (-64, "signal 64"), (-9, "out of memory")])
def test_every_exit_code_has_its_words(code, said):
    assert said in death(code) and death(code).endswith(".")
