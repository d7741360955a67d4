"""What a user of a Ray cluster can have wrong is one sentence each; nothing here needs Ray."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from headroom.errors import UserError
from headroom.pipeline import desk, joining, room
from headroom.pipeline.parcels import place_of

CPU, GPU = {"Alive": True, "Resources": {"CPU": 4.0}}, {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 2.0}}


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"run.engine is ray, which is not installed.*pip install 'headroom\[ray\]'"):
        joining.library()


def test_the_default_pipeline_imports_no_ray():
    modules = "headroom.cli, headroom.pipeline.measure, headroom.pipeline.ahead"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert 'ray' not in sys.modules"], check=True)


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:", ":6379", "head:port"])
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(UserError, match="wanted HOST:PORT"):
        joining.check(address)


def test_where_nobody_answers_it_is_said_at_once():
    with pytest.raises(UserError, match=r"RAY_ADDRESS is 127.0.0.1:1, and no Ray cluster answers there"):
        joining.check("127.0.0.1:1")


def test_another_version_is_named():
    error = RuntimeError("Version mismatch: The cluster was started with: Ray: 2.9\n Python: 3.10")
    assert "another version than here" in joining.refused("a:1", error)


def test_a_gpu_is_asked_for_only_where_there_is_one():
    assert room.settled("auto", [CPU]) == "cpu" and room.settled("auto", [CPU, GPU]) == "cuda"
    with pytest.raises(UserError, match="no node of the Ray cluster has a GPU"):
        room.settled("cuda", [CPU, GPU | {"Alive": False}])
    with pytest.raises(UserError, match="Ray chooses the card"):
        room.settled("cuda:1", [GPU])


def test_a_card_is_shared_without_a_rest_and_a_large_model_has_several():
    assert [room.share(needed, 80) for needed in (1, 20, 30, 41, 80, 81, 200)] == [1 / 8, 1 / 4, 1 / 2, 1, 1, 2, 3]


def test_the_bundle_is_laid_out_as_a_checkout_and_the_same_every_time(tmp_path):
    one, two = joining.bundle(tmp_path / "one.zip"), joining.bundle(tmp_path / "two.zip")
    assert one.read_bytes() == two.read_bytes()
    names = zipfile.ZipFile(one).namelist()
    assert {"headroom/api.py", "methods/dense.py", "params.yaml"} <= set(names)
    assert any(name.startswith("tasks/") for name in names)


def test_files_outside_of_the_project_have_a_place_on_a_desk_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", "/hub")
    monkeypatch.setenv("HEADROOM_DATA", "/data")
    assert place_of(Path("work/x")) == Path("work/x")
    assert place_of(Path("/hub/models--a/x")) == Path("elsewhere/hf_hub_cache/models--a/x")
    assert place_of(Path("/data/x")) == Path("elsewhere/headroom_data/x")
    with pytest.raises(UserError, match="lies outside"):
        place_of(Path("/nowhere/x"))


def test_what_killed_workers_left_is_swept(tmp_path):
    for name in ("999999999-x", "1-y"):
        (tmp_path / name).mkdir()
    desk.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1-y"]
