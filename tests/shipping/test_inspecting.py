"""``headroom inspect``: every kind of folder is told for what it is, and what is not whole is said."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from headroom import attention
from headroom.api import Unit
from headroom.cli import main
from headroom.errors import UserError
from headroom.models.ours import as_headroom
from headroom.shipping import Loaded, opened, ship
from headroom.shipping.inspecting import inspect
from headroom.site.numbers import size


@pytest.fixture(autouse=True)
def trusting(monkeypatch):
    """Folders are not loaded again when they are written: that is tested elsewhere."""
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))


@pytest.fixture(scope="module")
def of():
    """A toy without some units."""

    def made(family, *units):
        return attention.without(attention.toy(family), [Unit.parse(unit) for unit in units])

    return made


@pytest.fixture
def run(monkeypatch, capsys):
    """The command: exit code and what it printed."""

    def call(folder):
        monkeypatch.setattr("sys.argv", ["headroom", "inspect", str(folder)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return call


@pytest.mark.parametrize(
    ("family", "units", "kind", "gone", "row", "loader"),
    [
        ("llama", ["block:decoder.block.1"], "stock", "1 of 4 blocks", "1 ········ ·", "AutoModelForCausalLM"),
        (
            "bert",
            ["head:encoder.self.1.0", "attention:encoder.self.2"],
            "code",
            "1 of 3 attentions, 1 of 12 heads",
            "1 □■■■ ■",
            "trust_remote_code=True",
        ),
        (
            "m2m_100",
            ["head:decoder.cross.1.0", "mlp:decoder.mlp.1"],
            "code",
            "1 of 6 MLPs, 1 of 36 heads",
            "1 ■■■■ □■■■ □",
            "transformers.AutoModelForSeq2SeqLM",
        ),
        (
            "t5",
            ["head:decoder.cross.1.0"],
            "headroom",
            "1 of 36 heads",
            "1 ■■■■ □■■■ ■",
            "headroom.attention.load_removed",
        ),
    ],
)
def test_every_kind_of_folder_is_told_for_what_it_is(of, run, tmp_path, family, units, kind, gone, row, loader):
    model = of(family, *units)
    assert ship(model, tmp_path / "small").kind == kind
    code, said = run(tmp_path / "small")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert code == 0 and f"gone: {gone}" in lines and row in lines, said
    assert any(line.startswith("loads with: ") and loader in line for line in lines)
    assert lines[-1] == "whole: every file and weight is there."
    counts = attention.count(model, attention.toy_batch(family))
    assert f"costs: {counts.parameters:,} parameters ({counts.attention_parameters:,} of attention)" in said
    cache = counts.kv_bytes_per_token + counts.cross_kv_bytes_per_token
    assert (f"{size(cache)} of cache in float32 per token" in said) == bool(cache)


def test_dense_folders_and_those_of_before_are_told_too(of, tmp_path):
    attention.toy("vit").save_pretrained(tmp_path / "dense")
    dense = inspect(tmp_path / "dense")
    assert dense.kind == "stock" and not dense.layers and not dense.troubles
    assert dense.costs.of == "image" and dense.costs.kv_bytes == 0
    attention.save_removed(of("gpt2", "head:decoder.self.1.0"), tmp_path / "before")
    before = inspect(tmp_path / "before")
    assert before.kind == "headroom" and before.gone == "1 of 12 heads" and not before.troubles


def test_what_is_missing_or_damaged_is_said_with_all_that_is_still_known(of, run, tmp_path):
    folder = tmp_path / "small"
    ship(of("llama", "head:decoder.self.1.0"), folder)
    code = (folder / "modeling_pruned.py").read_text()
    (folder / "modeling_pruned.py").write_text(code + "\n# mine\n")
    assert inspect(folder).troubles == ["modeling_pruned.py is not what was written: its SHA-256 differs"]
    (folder / "modeling_pruned.py").write_text(code)
    weights = (folder / "headroom.safetensors").read_bytes()
    (folder / "headroom.safetensors").write_bytes(weights[:-100])
    ended, said = run(folder)
    assert ended == 1 and "not whole:" in said and "headroom.safetensors is damaged and cannot be read" in said
    assert "gone: 1 of 32 heads" in said
    (folder / "headroom.safetensors").unlink()
    assert "headroom.safetensors is missing" in inspect(folder).troubles


def test_a_stock_folder_that_would_be_filled_with_random_numbers_is_not_whole(tmp_path):
    attention.toy("llama").save_pretrained(tmp_path / "dense")
    config = json.loads((tmp_path / "dense" / "config.json").read_text())
    (tmp_path / "dense" / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5, "layer_types": None}))
    (trouble,) = inspect(tmp_path / "dense").troubles
    assert "lacks weights that its config.json says" in trouble


def test_folders_that_hold_no_model_are_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no config.json, so it is no model of transformers"):
        inspect(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        inspect(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json cannot be read"):
        inspect(tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": ["BertModle"]}')
    (trouble,) = inspect(tmp_path).troubles
    assert "names BertModle, which Headroom does not prune. Did you mean 'BertModel'?" in trouble


def test_a_damaged_note_is_a_trouble_and_no_traceback(of, tmp_path):
    ship(of("llama", "block:decoder.block.1"), tmp_path / "small")
    note = tmp_path / "small" / "headroom_shipped.json"
    for text in ("[]", '{"version": 1, "removed": ["head:nowhere"]}'):
        note.write_text(text)
        (trouble,) = inspect(tmp_path / "small").troubles
        assert "headroom_shipped.json cannot be read" in trouble
    note.write_text('{"version": 99}')
    assert "has version 99; this Headroom reads version 1" in inspect(tmp_path / "small").troubles[0]


def test_what_was_shipped_opens_again_and_its_code_is_not_run_by_headroom(of, tmp_path):
    ship(of("bert", "head:encoder.self.1.0"), tmp_path / "small")
    (tmp_path / "small" / "modeling_pruned.py").write_text("raise SystemExit('this was run')")
    assert len(attention.removed_units(opened(tmp_path / "small"))) == 1
    with as_headroom(tmp_path / "small") as view:
        config = json.loads((view / "config.json").read_text())
        assert config["model_type"] == "bert" and "auto_map" not in config and "per_layer_config" not in config
        assert len(attention.removed_units(attention.load_removed(view))) == 1
    assert not view.exists() and (tmp_path / "small" / "headroom.safetensors").is_file()
    ship(of("llama", "block:decoder.block.1"), tmp_path / "stock")
    with as_headroom(tmp_path / "stock") as place:
        assert place == tmp_path / "stock"
    assert opened(tmp_path / "stock").config.num_hidden_layers == 3


def test_help_imports_no_torch():
    code = "import sys; import headroom.terminal.inspecting; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
