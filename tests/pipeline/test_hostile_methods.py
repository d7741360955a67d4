"""Methods that answer what nobody asked, do what they deny, or reach for what is not theirs: each is a failed cell."""

from __future__ import annotations

import shutil

import pytest

from headroom.config.tasks import tasks_folder

ALL = "[Plan(t, ctx.units.first(ctx.units.all, t)) for t in targets]"
HONEST = f"yield from {ALL}"
BATCH = "batch = next(iter(ctx.calibration(8)))\n"
STEP = "ctx.loss(batch).backward()\n"

# the body of `plans`, what stands in the class, words of the reason
ANSWERS = {
    "unasked": (f"{HONEST}\nyield Plan(0.9, frozenset(), note='more')", "", "for target 0.9, which was not asked for"),
    "nearly": ("import numpy\nyield Plan(numpy.float32(0.3), frozenset())", "", "which was not asked for"),
    "twice": (f"{HONEST}\n{HONEST}", "", "yielded the point 0.25 twice"),
    "label-twice": ("yield Plan(0.25, label='x')\nyield Plan(0.5, label='x')", "", "the label 'x' twice"),
    "name-twice": ("yield Plan(0.25, natural='x')\nyield Plan(0.5, natural='x')", "natural = True", "'x' twice"),
    "no-plan": ("yield 0.25", "", "yielded float, wanted a Plan"),
    "nothing": ("return None", "", "plans() gave NoneType; it has to yield a Plan"),
    "eager": ("raise ValueError('at once')", "", "ValueError: at once"),
    "truth": ("yield Plan(True, frozenset(ctx.units))", "", "for target True; a target is a share"),
    "not-a-number": ("yield Plan(float('nan'), frozenset())", "", "for target nan; a target is a share"),
    "words": ("yield Plan('half', frozenset())", "", "for target 'half'; a target is a share"),
    "list": ("yield Plan(0.25, list(ctx.units)[:2])", "", "removes a list; wanted a frozenset of units"),
    "texts": ("yield Plan(0.25, frozenset(map(str, ctx.units)))", "", "which is none of the 8 units offered"),
    "unhashable": ("yield Plan(0.25, {1: 2})", "", "removes a dict; wanted a frozenset"),
    "number-as-note": ("yield Plan(0.25, frozenset(), note=3)", "", "has the note 3; wanted text"),
    "endless-note": ("yield Plan(0.25, frozenset(), note='x' * 10**6)", "", "letters at most"),
    "turned-round": ("yield Plan(0.25, label='\\u202ex')", "", "a name holds no control characters"),
    "undeclared": ("yield Plan(0.25, natural='mine')", "", "declares natural = False; declare natural = True"),
    "unnamed": (HONEST, "natural = True", "declares natural = True, so its points need names"),
    "endless": ("while True: yield Plan(0.25, label=str(object()))", "", "the label"),
    "endless-and-new": ("for i in range(10**9): yield Plan(0.25, label=str(i))", "", "more than 1000 plans"),
    "borrowed": ("from pathlib import Path\nyield Plan(0.25, note='x', weights=Path('x'))", "", "names weights that"),
    "weights-as-text": ("yield Plan(0.25, note='x', weights='x')", "", "names weights that"),
    "stops": ("raise StopIteration('early')\nyield", "", "RuntimeError"),
    "interrupts": ("raise KeyboardInterrupt\nyield", "", "KeyboardInterrupt"),
    "recurses": ("def again(): again()\nagain()\nyield", "", "RecursionError"),
}
TIME = {
    "sleeps-on": (
        "import time\nwhile True:\n    try: time.sleep(60)\n    except Exception: pass\nyield",
        "",
        "yielded no plan within 2 s",
    ),
    "sleeps-through": (
        "import time\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass\nyield",
        "",
        "gave no sign of life within 4 s, and was killed",
    ),
    "deaf": (
        "import signal, time\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(60)\nyield",
        "",
        "gave no sign of life within 4 s, and was killed",
    ),
    "eager-and-slow": ("import time\ntime.sleep(60)\nreturn []", "", "yielded no plan within 2 s"),
}
DEEDS = {
    "backward": (f"{BATCH}with ctx.gates() as g: g.slopes(ctx.loss(batch))\n{HONEST}", "", "ran 8 examples backward"),
    "backward-by-hand": (f"{BATCH}ctx.model(**batch).logits.sum().backward()\n{HONEST}", "", "8 examples backward"),
    "backward-in-a-copy": (
        f"import copy\n{BATCH}copy.deepcopy(ctx.model)(**batch).logits.sum().backward()\n{HONEST}",
        "",
        "8 examples backward",
    ),
    "draws": (f"{BATCH}{HONEST}", "calibrated = False", "drew 8 calibration examples and declares calibrated = False"),
    "chance": (
        "from random import Random\norder = Random(ctx.seed).sample(ctx.units.all, len(ctx.units))\n"
        "for t in targets: yield Plan(t, ctx.units.first(order, t))",
        "calibrated = False",
        "looked at the seed and declares calibrated = False",
    ),
    "no-chance": (HONEST, "stochastic = True", "declares stochastic = True, and 5 draws gave the same plans"),
    "peeks-at-weights": (
        f"ctx.weights(ctx.units.all[0])\n{HONEST}",
        "scores = False",
        "looked at the model and declares scores = False",
    ),
    "trains-by-hand": (
        "import torch\n" + BATCH + "with ctx.edited():\n"
        "    optimiser = torch.optim.SGD(ctx.model.parameters(), 0.1)\n"
        "    ctx.loss(batch).backward()\n    optimiser.step()\n"
        "    for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t), ctx.keep())",
        "from headroom.api import Track\n    track = Track.GRADIENT",
        "kept weights after updates of its own, which nobody counted",
    ),
    "steps-by-hand": (
        "import torch\n" + BATCH + "with ctx.edited():\n"
        "    ctx.loss(batch).backward()\n"
        "    for p in ctx.model.parameters(): p.data -= 0.1 * (0 if p.grad is None else p.grad)\n"
        "    for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t), ctx.keep())",
        "from headroom.api import Track\n    track = Track.GRADIENT",
        "kept weights after updates of its own, which nobody counted",
    ),
    "trains-a-copy": (
        "import copy, torch\n" + BATCH + "twin = copy.deepcopy(ctx.model)\n"
        "twin(**batch).logits.sum().backward()\n"
        "torch.optim.SGD(twin.parameters(), 0.1).step()\n"
        "with ctx.edited():\n    ctx.model.load_state_dict(twin.state_dict())\n"
        "    for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t), ctx.keep())",
        "from headroom.api import Track\n    track = Track.GRADIENT",
        "kept weights after updates of its own, which nobody counted",
    ),
}
REACHES = {
    "opens-the-data": ("open('{work}/models/bert-toy/prepare.json')\nyield", "", "reached for prepare.json"),
    "reads-a-split": (
        "from pathlib import Path\nfrom headroom.data.loading import read_split\n"
        "read_split(Path('{work}/models/bert-toy'), 'toy-classification', 'evaluate')\nyield",
        "",
        "reached for bert-toy",
    ),
    "lists-the-work": ("import os\nos.listdir('{here}/work')\nyield", "", "reached for work"),
    "walks": ("import os\nlist(os.scandir('{here}/results/test'))\nyield", "", "reached for test"),
    "goes-round": (
        "open('{here}/methods/../work/test/models/bert-toy/prepare.json')\nyield",
        "",
        "reached for prepare",
    ),
    "links": (
        "import os, tempfile\nos.symlink('{here}/work', tempfile.mkdtemp() + '/w')\nyield",
        "",
        "reached for work",
    ),
    "starts-a-program": (
        "import subprocess\nsubprocess.run(['cat', '{here}/params.yaml'])\nyield",
        "",
        "starts no program",
    ),
    "uses-the-shell": ("import os\nos.system('ls {here}/work')\nyield", "", "starts no program"),
    "forks": ("import os\nos.fork()\nyield", "", "starts no program"),
    "connects": (
        "import socket\nsocket.create_connection(('127.0.0.1', 9))\nyield",
        "",
        "starts no program and no connection",
    ),
    "makes-the-data": ("import runpy\nrunpy.run_path('{tasks}/constructed_pair.py')\nyield", "", "reached for"),
    "looks-for-the-data": ("import os\nopen(os.environ['HEADROOM_DATA'])\nyield", "", "KeyError: 'HEADROOM_DATA'"),
    "looks-around": ("import os\nassert os.listdir('.'), 'nothing here'\nyield", "", "nothing here"),
    "reads-at-import": ("yield", "open('{work}/models/bert-toy/prepare.json')", "reached for prepare.json"),
}
BAD = ANSWERS | TIME | DEEDS | REACHES
IN_A_PROCESS = {name: BAD[name] for name in ("unasked", "trains-a-copy", "opens-the-data", "looks-for-the-data")}

POISON = f"""
import torch
whole = torch.nn.functional.scaled_dot_product_attention
torch.nn.functional.scaled_dot_product_attention = lambda q, k, v, **more: whole(q, k, v, **more) * 0
torch.set_default_dtype(torch.float64)
print('I was here')
{HONEST}
"""


def write(world, methods):
    """Methods of these tests, the places of this project in their words."""
    places = {"{here}": world.folder, "{work}": world.folder / "work/test", "{tasks}": tasks_folder()}
    for name, (plans, needs, _) in methods.items():
        for word, place in places.items():
            plans, needs = plans.replace(word, str(place)), needs.replace(word, str(place))
        world.method(name, plans, needs)


@pytest.fixture(scope="module")
def records(shared):
    """What becomes of the bad ones, one after the other in one process."""
    with shared() as world, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADROOM_DATA", str(world.folder / "data"))
        world.change("draws: 2", "draws: 5")  # two draws of eight units may well agree
        write(world, ANSWERS | DEEDS | REACHES)
        yield world.measure()


@pytest.fixture(scope="module")
def campaign(shared, patience):
    """The records of an honest method alone, and of all in processes when the worst are there, the poisoner first."""
    with shared() as world, pytest.MonkeyPatch.context() as patch, patience(sleeps_through=4, deaf=4):
        patch.setenv("HEADROOM_DATA", str(world.folder / "data"))
        world.change("plan_seconds: 60", "plan_seconds: 2")
        world.method("honest", HONEST)
        alone = world.measure()
        shutil.rmtree(world.journal)
        write(world, TIME | IN_A_PROCESS)
        world.method("poisons", POISON)
        yield alone, world.measure(workers=2)


def failed(record, words):
    assert record.status == "failed" and words in record.reason, record.reason
    assert not [point for point in record.points if point.status == "ok"]
    assert {point.target for point in record.points} <= {0.25, 0.5, 1.0}, "no target appears that nobody asked for"


@pytest.mark.parametrize("name", ANSWERS | DEEDS | REACHES)
def test_a_method_that_is_not_what_it_says_is_a_failed_cell_that_says_how(records, name):
    failed(records[name], BAD[name][2])


@pytest.mark.parametrize("name", TIME | IN_A_PROCESS)
def test_so_it_is_in_a_process_of_its_own_and_one_that_does_not_come_back_is_ended(campaign, name):
    failed(campaign[1][name], BAD[name][2])


def test_what_a_method_does_to_its_process_stays_there(campaign):
    """One that patches attention and leaves it so once poisoned the journal for whoever removes the same units."""
    alone, together = campaign
    assert together["honest"].points == alone["honest"].points == together["poisons"].points
    assert together["dense"].points == alone["dense"].points
