"""`headroom estimate` asks the Hub how much there is to fetch, and fetches nothing but a config."""

from __future__ import annotations

from pathlib import Path

import pytest
from lookalikes import MODELS
from loopback import Hub
from tiny_data import pages

from headroom.config.params import Params
from headroom.config.tasks import load_task
from headroom.estimate import needs, whole
from headroom.estimate.whole import estimate
from headroom.models.snapshots import fetched

OPUS, GATED = "Helsinki-NLP/opus-mt-en-ru", "meta-llama/Meta-Llama-3-8B"


@pytest.fixture(scope="module")
def served(hub: Hub, tmp_path_factory) -> Path:
    """A model for all, one for those who asked, and a data set in parts."""
    made = tmp_path_factory.mktemp("made")
    folder = MODELS[OPUS](made / "opus")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"of another kind")
    hub.put(OPUS, folder)
    hub.put(GATED, MODELS[GATED](made / "llama"), gated=True)
    for part in range(2):
        pages(made / "c4" / "en" / f"c4-validation.{part:05}-of-00008.json.gz")
    (made / "c4" / "README.md").write_text("what nobody needs")
    hub.put("allenai/c4", made / "c4", "datasets")
    return folder


def profile(**models) -> Params:
    run = {"threads": 1, "draws": 2, "targets": [0.5, 1.0], "workers": 1}
    works = {"translation": [{"kind": "encode", "batch": 2, "length": 8}]}
    rest = {"results": "r", "work": "w", "site": "s", "speed": {"targets": [0.5], "works": works}}
    methods = {"dense": {}, "random-heads": {}, "deepest-first": {"method": "by-depth"}}
    return Params.model_validate({"profile": "far", "run": run, "methods": methods, "models": models, **rest})


def of_hub(name: str, *tasks: str) -> dict:
    return {"source": {"hub": name, "revision": "main"}, "tasks": list(tasks), "evaluate": {"batch": 4, "length": 16}}


@pytest.fixture
def unasked(monkeypatch, tmp_path):
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.delenv("HEADROOM_DATA", raising=False)
    monkeypatch.setattr(whole, "starting", lambda: 1.0)


def weights_in(folder: Path) -> int:
    kept = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    return sum(size for name, size in kept.items() if not name.endswith((".py", ".md", ".bin")))


def test_what_the_hub_has_is_counted_and_not_fetched(hub: Hub, served: Path, unasked, monkeypatch):
    monkeypatch.setattr(needs, "rows", lambda *_: (0, ""))
    monkeypatch.setattr("headroom.estimate.examples.sliced", lambda _: 12)
    hub.asked.clear()
    (row,) = estimate(profile(opus=of_hub(OPUS, "wmt16-en-ru")), "params.yaml").rows
    assert row.needs.weights == weights_in(served)
    assert row.points and row.seconds and row.tokens and row.memory and not row.reasons
    assert not [asked for asked in hub.asked if "safetensors" in asked]


def test_a_gated_model_has_a_row_with_its_size_and_the_reason(served: Path, unasked, monkeypatch):
    monkeypatch.setattr(needs, "rows", lambda *_: (0, ""))
    models = {"llama": of_hub(GATED, "c4"), "opus": of_hub(OPUS, "wmt16-en-ru")}
    gated, free = estimate(profile(**models), "params.yaml").rows
    assert gated.needs.weights and gated.points is None and gated.seconds is None
    assert "those who have asked" in " ".join(gated.reasons) and "hf auth login" in " ".join(gated.reasons)
    assert free.points


def test_of_a_data_set_only_the_files_that_a_task_names_count(served: Path, unasked):
    size, why = needs.rows(load_task("c4"), None)
    folder = served.parent / "c4" / "en"
    assert (size, why) == (sum(path.stat().st_size for path in folder.iterdir()), "")


def test_nothing_is_left_to_fetch_of_a_model_that_is_here(served: Path, unasked):
    spec = profile(opus=of_hub(OPUS, "wmt16-en-ru")).models["opus"]
    assert needs.weights(spec, None)[0] == weights_in(served)
    fetched(OPUS, "main")
    assert needs.weights(spec, None) == (0, "")


def test_a_model_that_is_not_there_is_unknown_with_the_reason(served: Path, unasked):
    size, why = needs.weights(profile(gone=of_hub("nobody/nothing", "c4")).models["gone"], None)
    assert size is None
    assert "nobody/nothing" in why
