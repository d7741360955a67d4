"""The ideal is the slower of two bounds, dense over removed; ceilings are measured once and stay in the record."""

from headroom.measure.ceilings import bound, ceilings_of, ideal, measured, with_ceilings
from headroom.measure.counter import Cost
from headroom.measure.machine import machine, note
from headroom.results.files import read
from headroom.results.speed_records import Ceilings, Machine

CEILINGS = Ceilings(macs_per_second=100.0, bytes_per_second=10.0)


def test_arithmetic_bounds_a_call_with_few_bytes():
    dense, removed = Cost(1000, 1, 0), Cost(500, 1, 0)
    assert bound(removed, CEILINGS) == (5.0, "compute")
    assert ideal(dense, removed, CEILINGS) == 2.0


def test_memory_bounds_a_call_with_many_bytes():
    dense, removed = Cost(10, 100, 0), Cost(1, 80, 0)
    assert bound(removed, CEILINGS) == (8.0, "memory")
    assert ideal(dense, removed, CEILINGS) == 1.25


def test_a_removal_can_move_a_call_from_one_bound_to_the_other():
    assert ideal(Cost(1000, 40, 0), Cost(100, 40, 0), CEILINGS) == 10 / 4


def test_the_ceilings_of_the_record_are_used_where_there_are_some():
    here = machine(1).model_copy(update={"ceilings": {"float32": CEILINGS}})
    assert ceilings_of(here, "cpu", "torch.float32") is CEILINGS
    assert with_ceilings(machine(1), here).ceilings == here.ceilings


def test_a_machine_is_measured_once_and_its_record_stays_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("headroom.measure.ceilings.SIDE", {"cpu": 64})
    monkeypatch.setattr("headroom.measure.ceilings.COPIED", {"cpu": 4096})
    measured.cache_clear()
    first = note(tmp_path, 1)
    measured.cache_clear()
    again = note(tmp_path, 1)
    measured.cache_clear()
    assert again == first == read(tmp_path / "machine.json", Machine)
    assert set(first.ceilings) == {"float32", "bfloat16"}
    assert all(found.macs_per_second > 0 and found.bytes_per_second > 0 for found in first.ceilings.values())
    assert first.fingerprint == machine(1).fingerprint, "ceilings are measured and no part of the fingerprint"


def test_nothing_removed_is_no_speed_up():
    assert ideal(Cost(8, 8, 0), Cost(8, 8, 0), CEILINGS) == 1.0


def test_where_nothing_counted_is_left_nothing_is_predicted():
    assert ideal(Cost(1000, 40, 0), Cost(0, 0, 8), CEILINGS) is None
