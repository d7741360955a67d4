"""The fingerprint of a machine is the same in every process and says nothing about people."""

import getpass
import json
import platform
import subprocess
import sys

from headroom.measure.machine import machine

SAY = "from headroom.measure.machine import machine; print(machine(2).model_dump_json())"


def said(*flags):
    """What a fresh process says of this machine."""
    done = subprocess.run([sys.executable, *flags, "-c", SAY], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_fingerprint_is_stable_in_two_processes():
    first, second = said(), said("-X", "utf8")
    assert first == second == machine(2).model_dump()


def test_fingerprint_covers_the_threads_and_the_torch_build(monkeypatch):
    before = machine(2)
    assert machine(1).fingerprint != before.fingerprint
    monkeypatch.setattr("headroom.measure.machine.version", lambda name: "2.99.0+cpu")
    assert machine(2).fingerprint != before.fingerprint


def test_fingerprint_does_not_cover_python(monkeypatch):
    before = machine(2)
    monkeypatch.setattr(platform, "python_version", lambda: "3.99")
    assert machine(2).fingerprint == before.fingerprint


def test_no_host_and_no_user_is_named():
    text = machine(2).model_dump_json()
    assert platform.node() not in text
    assert f'"{getpass.getuser()}"' not in text


def test_asking_loads_no_torch():
    code = f"import sys, headroom.measure; {SAY}; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_processors_of_one_name_and_two_kinds_are_two_machines(monkeypatch, tmp_path):
    """Rented machines call all of them by one name; their speeds and the bits of their sums differ."""
    found = set()
    for model, flags in ((1, "sse2 avx2"), (17, "sse2 avx2 avx512f")):
        told = tmp_path / f"{model}"
        told.write_text(f"model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: {model}\nflags\t\t: {flags}\n")
        monkeypatch.setattr("headroom.measure.machine.CPUINFO", told)
        found.add((machine(2).processor, machine(2).fingerprint))
    assert {name for name, _ in found} == {"AMD EPYC, family 25 model 1, avx2", "AMD EPYC, family 25 model 17, avx512f"}
    assert len({fingerprint for _, fingerprint in found}) == 2
