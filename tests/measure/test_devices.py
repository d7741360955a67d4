"""`run.device` stands for a device of torch's that is there, or is refused in a sentence."""

import platform

import pytest
import torch

from headroom.errors import UserError
from headroom.measure import devices
from headroom.measure.clock import AppleClock, CudaClock, ProcessClock, clock_for
from headroom.measure.machine import machine


@pytest.fixture
def with_gpus(monkeypatch):
    """A machine with two cards of NVIDIA's, as far as its programs say, and a torch that was built for them."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "version", lambda name: "2.13.0+cu130")
    monkeypatch.setattr(devices, "answer", lambda *command: "NVIDIA A, 570.1\nNVIDIA B, 570.1")
    return monkeypatch


def test_auto_is_the_cpu_where_torch_was_built_without_anything_else(monkeypatch):
    monkeypatch.setattr(devices, "version", lambda name: "2.13.0+cpu")
    monkeypatch.setattr(devices, "answer", lambda *command: "NVIDIA A, 570.1")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert devices.resolved("auto") == "cpu"


def test_auto_is_a_gpu_where_there_is_one_and_it_is_not_hidden(with_gpus):
    assert devices.resolved("auto") == "cuda"
    with_gpus.setenv("CUDA_VISIBLE_DEVICES", "")
    with_gpus.setattr(platform, "system", lambda: "Linux")
    assert devices.resolved("auto") == "cpu"


def test_auto_is_the_gpu_of_an_apple_processor(monkeypatch):
    monkeypatch.setattr(devices, "version", lambda name: "2.13.0+cpu")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert devices.resolved("auto") == "mps"


@pytest.mark.parametrize("asked", ["cpu", "cuda", "cuda:1", "mps"])
def test_what_is_named_is_taken_as_it_is(asked):
    assert devices.resolved(asked) == asked
    assert devices.kind(asked) == asked.partition(":")[0]


def test_the_machine_of_a_run_on_the_cpu_has_no_accelerator_and_that_of_the_second_card_has_that_one(with_gpus):
    alone, second = machine(1, "cpu"), machine(1, "cuda:1")
    assert (alone.accelerator, second.accelerator, second.driver) == ("", "NVIDIA B", "570.1")
    assert alone.fingerprint != second.fingerprint


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_torch_cannot_use_is_refused_with_the_key_and_the_next_step():
    with pytest.raises(UserError, match=r"params.yaml: run.device is cuda, and torch .* Name cpu"):
        devices.check("cuda")


def test_a_card_beyond_the_last_is_refused_with_the_name_of_the_last(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    devices.check("cuda:1")
    with pytest.raises(UserError, match="the last GPU of this machine is cuda:1"):
        devices.check("cuda:2")


def test_each_kind_of_device_has_its_clock():
    clocks = [type(clock_for(torch.device(kind))) for kind in ("cpu", "cuda", "mps")]
    assert clocks == [ProcessClock, CudaClock, AppleClock]
