"""Pretrained models as people have them: loaded whole, from whatever wrote them, or refused in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from model_folders import TASKS, edit, reweigh
from safetensors.torch import load_file

from headroom.attention import load_removed
from headroom.data.words import quiet
from headroom.errors import UserError
from headroom.models.sources import Source

QUANTISED = (
    {"quant_method": "bitsandbytes", "load_in_8bit": True},
    {"quant_method": "gptq", "bits": 4},
    {"quant_method": "awq", "bits": 4, "version": "gemm"},
    {"bits": 8},
)


def renamed(old: str, new: str) -> Any:
    """A change of weights: every name with ``old`` gets ``new`` for it."""

    def change(weights: dict[str, Any]) -> None:
        for name in [name for name in weights if old in name]:
            weights[name.replace(old, new)] = weights.pop(name)

    return change


def added(**weights: Any) -> Any:
    """A change of weights: more of them; two underscores stand for a dot."""
    return lambda have: have.update({name.replace("__", "."): value for name, value in weights.items()})


def every(change: Any) -> Any:
    """A change of weights: of every tensor."""
    return lambda have: have.update({name: change(weight) for name, weight in have.items()})


def parts(folder: Path) -> list[Path]:
    """Save the weights of a folder in parts; their files."""
    model = Source(folder).model("classification")
    (folder / "model.safetensors").unlink()
    with quiet():
        model.save_pretrained(folder, max_shard_size="20KB")
    return sorted(folder.glob("*.safetensors"))


@pytest.mark.parametrize(
    ("family", "keys", "says"),
    [
        (
            "bert",
            {"architectures": ["BertModel"]},
            "names BertModel; a head for classification is needed, and that class",
        ),
        ("bert", {"architectures": ["BertForMaskedLM"]}, "that class has none. Fine-tune it for the task first"),
        ("llama", {"architectures": ["LlamaForSequenceClassification"]}, "that class has one for classification"),
        ("bert", {"architectures": "BertForSequenceClassification"}, "wanted a list with the name of one class"),
        ("bert", {"num_hidden_layers": 5}, "lacks weights that its config.json says a model for classification has:"),
        ("bert", {"num_hidden_layers": 1}, "has weights that no model of its config.json has: bert.encoder.layer.1."),
        ("bert", {"hidden_size": 64}, "has weights of another shape than its config.json says:"),
        (
            "bert",
            {"num_labels": 7, "id2label": None, "label2id": None},
            "another shape than its config.json says: classifier",
        ),
        ("bert", {"hidden_size": "wide"}, "config.json cannot be read:"),
        ("bert", {"num_attention_heads": 3}, "config.json: makes no model for classification: The hidden size (32)"),
        ("bert", {"hidden_act": "nosuch"}, "config.json: makes no model for classification: KeyError"),
        ("llama", {"model_type": "nosuch"}, "has model type `nosuch` but Transformers does not recognize"),
        ("llama", {"model_type": None}, "Should have a `model_type` key in its config.json"),
        ("llama", {"model_type": "mistral"}, "names LlamaForCausalLM, and model_type mistral makes MistralForCausalLM"),
        ("llama", {"dtype": "nosuch"}, "config.json cannot be read: AttributeError: module 'torch' has no attribute"),
        ("llama", {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3"}, "Gemma3ForCausalLM."),
        ("llama", {"architectures": ["MambaForCausalLM"]}, "does not prune. Families that it prunes: bert,"),
        (
            "t5",
            {"architectures": ["MT5ForConditionalGeneration"]},
            "MT5ForConditionalGeneration, which Headroom does not",
        ),
        *(("llama", {"quantization_config": how}, "Prune the model in full precision first") for how in QUANTISED),
    ],
)
def test_a_config_that_does_not_fit_is_refused(folder, refused, family, keys, says):
    model = folder(family)
    edit(model, **keys)
    said = refused(model, TASKS[family])
    assert says in said and "config.json" in said


@pytest.mark.parametrize(
    ("family", "change", "says"),
    [
        ("bert", lambda have: have.pop("classifier.weight"), "lacks weights that its config.json says"),
        ("vit", lambda have: have.pop("classifier.bias"), "a model for image-classification has: classifier.bias."),
        ("t5", lambda have: have.pop("shared.weight"), "lacks weights"),
        ("bert", added(extra=torch.ones(3)), "has weights that no model of its config.json has: extra."),
        ("bert", renamed("layer.2", "layer.7"), "lacks weights"),
        ("bert", added(classifier__weight=torch.ones(5, 32)), "classifier.weight (5, 32) for (2, 32)"),
        ("llama", every(lambda weight: weight.to(torch.int8)), "36 more are of type I8; heads are cut out of"),
        ("llama", every(lambda weight: weight.to(torch.float8_e4m3fn)), "are of type F8_E4M3; heads are cut out of"),
        ("gpt2", every(lambda weight: weight * float("nan")), "weights hold NaN or infinity: transformer.h.0."),
        ("bert", every(lambda weight: weight / 0), "weights hold NaN or infinity"),
    ],
)
def test_weights_that_are_not_a_whole_model_are_refused(folder, refused, family, change, says):
    model = folder(family)
    reweigh(model, change)
    assert says in refused(model, TASKS[family])


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("gpt2", added(**{f"transformer__h__{layer}__attn__bias": torch.ones(1, 1, 8, 8) > 0 for layer in range(4)})),
        ("gpt2", added(transformer__h__0__attn__masked_bias=torch.tensor(-1e4))),
        ("gpt2", renamed("transformer.", "")),
        ("bert", added(bert__embeddings__position_ids=torch.arange(64)[None])),
        ("bert", renamed("LayerNorm.weight", "LayerNorm.gamma")),
        (
            "roberta",
            added(roberta__pooler__dense__weight=torch.ones(32, 32), roberta__pooler__dense__bias=torch.ones(32)),
        ),
        ("llama", added(model__layers__0__self_attn__rotary_emb__inv_freq=torch.ones(4))),
        ("m2m_100", added(model__encoder__embed_positions__weights=torch.ones(66, 32))),
        ("t5", added(decoder__block__0__layer__1__EncDecAttention__relative_attention_bias__weight=torch.ones(32, 4))),
    ],
)
def test_what_older_versions_saved_beside_the_weights_is_no_reason_to_refuse(folder, family, change):
    model = folder(family)
    purpose = Source(model).purpose
    before = Source(model).model(purpose).state_dict()
    reweigh(model, change)
    after = Source(model).model(purpose).state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("family", ["gpt2", "t5", "m2m_100"])
def test_tied_weights_are_in_the_file_once(folder, family):
    model = folder(family)
    assert "lm_head.weight" not in load_file(model / "model.safetensors")
    loaded = Source(model).model(Source(model).purpose)
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


def test_an_output_layer_that_is_missing_and_not_tied_is_refused(folder, refused):
    model = folder("llama")
    reweigh(model, lambda have: have.pop("lm_head.weight"))
    assert "lacks weights that its config.json says a model for language has: lm_head.weight." in refused(
        model, "toy-language"
    )


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_weights_of_sixteen_bits_stay_so(folder, prune, key):
    model = folder("llama")
    reweigh(model, every(lambda weight: weight.bfloat16()))
    edit(model, **{"dtype": None, "torch_dtype": None} | {key: "bfloat16"})
    code, said, out = prune(model, "toy-language")
    assert code == 0, said
    assert {weight.dtype for weight in load_removed(out).parameters()} == {torch.bfloat16}


def test_weights_in_parts_are_one_model_as_long_as_all_parts_are_there(folder, refused, prune):
    model = folder("bert")
    whole = load_file(model / "model.safetensors")
    files, index = parts(model), model / "model.safetensors.index.json"
    loaded = Source(model).model("classification").state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in whole.items()) and len(files) > 3
    text = index.read_text()
    for content, says in (
        ("{", "model.safetensors.index.json: weight_map cannot be read: Expecting property name"),
        ("[]", "model.safetensors.index.json: weight_map cannot be read"),
        ('{"weight_map": {"a": 3}}', "weight_map names 3, which is no file of this folder"),
        ('{"weight_map": {"a": "../other.safetensors"}}', "names '../other.safetensors', which is no file"),
    ):
        index.write_text(content)
        assert says in refused(model, "toy-classification")
    index.unlink()
    assert "has neither model.safetensors nor model.safetensors.index.json" in refused(model, "toy-classification")
    index.write_text(text)
    files[1].unlink()
    assert f"lacks {files[1].name}, which model.safetensors.index.json names" in refused(model, "toy-classification")


@pytest.mark.parametrize("kept", [0, 5, 100, 5000])
def test_weights_that_are_cut_off_are_named(folder, refused, kept):
    weights = folder("bert") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    assert "model.safetensors is corrupt: " in refused(weights.parent, "toy-classification")


def test_a_folder_of_links_is_a_folder(folder, tmp_path, prune, refused):
    model, linked, to_folder = folder("bert"), tmp_path / "links", tmp_path / "link"
    linked.mkdir()
    for file in model.iterdir():
        (linked / file.name).symlink_to(file)
    to_folder.symlink_to(linked)
    assert prune(to_folder, "toy-classification").code == 0
    (model / "model.safetensors").rename(tmp_path / "elsewhere")
    assert "has neither model.safetensors nor" in refused(to_folder, "toy-classification")
    to_folder.unlink()
    to_folder.symlink_to(tmp_path / "nowhere")
    assert "is neither a folder nor a Hub id" in refused(to_folder, "toy-classification")


def test_a_folder_that_names_no_class_is_what_its_weights_are(folder, prune, refused):
    model = folder("bert")
    edit(model, architectures=None)
    assert prune(model, "toy-classification").code == 0
    assert "config.json: architectures is missing; wanted a class that ends in one of" in refused(model)
    reweigh(model, lambda have: [have.pop(name) for name in list(have) if name.startswith("classifier")])
    assert "lacks weights" in refused(model, "toy-classification")


def test_an_encoder_is_no_language_model(folder, refused):
    model = folder("bert")
    edit(model, architectures=["BertLMHeadModel"])
    assert "is_decoder is false, so each word sees those behind it" in refused(model, "toy-language")


def test_an_adapter_is_to_be_merged_first(folder, refused):
    model = folder("llama")
    (model / "model.safetensors").rename(model / "adapter_model.safetensors")
    edit_new = {"peft_type": "LORA", "base_model_name_or_path": "base", "target_modules": ["q_proj"]}
    (model / "adapter_config.json").write_text(json.dumps(edit_new))
    assert "adapter_config.json makes it an adapter, not a model. Merge it" in refused(model, "toy-language")


def test_modules_that_compute_otherwise_than_their_weights_are_all_named(folder, refused, monkeypatch):
    model, shape = folder("llama"), Source.shape

    def parametrised(self: Source, purpose: str) -> Any:
        made = shape(self, purpose)
        for layer in made.model.layers[:2]:
            torch.nn.utils.parametrizations.weight_norm(layer.self_attn.q_proj)
        return made

    monkeypatch.setattr(Source, "shape", parametrised)
    said = refused(model, "toy-language")
    assert "decoder.self.0: self_attn.q_proj" in said and "decoder.self.1: self_attn.q_proj" in said
    assert "remove_parametrizations" in said


@pytest.mark.parametrize("model_type", ["llama", "nosuch"])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
def test_code_that_comes_with_a_model_never_runs_unasked(folder, refused, tmp_path, monkeypatch, file, model_type):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked the terminal"))
    family = "vit" if file.startswith("preprocessor") else "llama"
    model = folder(family)
    (model / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    classes = {name: "own.Made" for name in ("AutoConfig", "AutoModelForCausalLM", "AutoImageProcessor")}
    edit(model, file, auto_map=classes | {"AutoTokenizer": ["own.Made", None]})
    if family == "llama":
        edit(model, model_type=model_type)
    if file != "config.json":
        edit(model, file, tokenizer_class="Made", image_processor_type="Made")
    said = refused(model, TASKS[family])
    assert not (tmp_path / "ran").exists()
    if file == "config.json":
        assert "auto_map names python code that comes with the model ('own.Made')" in said


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("tokenizer.json", "{", "tokenizer.json cannot be read: Expecting property name"),
        ("tokenizer.json", "[]", "tokenizer.json holds no mapping of keys to values"),
        ("tokenizer.json", '{"model": 3}', "tokenizer_config.json cannot be read"),
        ("tokenizer.json", None, "tokenizer_config.json cannot be read: Couldn't instantiate the backend tokenizer"),
        ("tokenizer_config.json", "", "tokenizer_config.json cannot be read"),
        ("tokenizer_config.json", '"words"', "tokenizer_config.json holds no mapping"),
        (
            "tokenizer_config.json",
            None,
            "holds no tokenizer_config.json, and a task for language is made of texts",
        ),
        ("generation_config.json", "{", "generation_config.json cannot be read"),
        ("config.json", "\x00", "config.json cannot be read"),
        ("config.json", "[]", "config.json holds no mapping of keys to values"),
    ],
)
def test_a_small_file_that_cannot_be_read_is_named(folder, refused, file, text, says):
    model = folder("llama")
    (model / file).unlink(missing_ok=True)
    if text is not None:
        (model / file).write_text(text)
    said = refused(model, "toy-language")
    assert says in said and str(model) in said


@pytest.mark.parametrize("kind", ["BertTokenizer", "GPT2Tokenizer", "T5Tokenizer", "LlamaTokenizer"])
def test_a_tokenizer_without_its_words_is_refused(folder, refused, kind):
    """The library makes one that knows no word, so that all texts are alike, and says nothing."""
    model = folder("bert")
    (model / "tokenizer.json").unlink()
    edit(model, "tokenizer_config.json", tokenizer_class=kind)
    assert "the tokenizer knows no word: " in refused(model, "toy-classification")


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
@pytest.mark.parametrize("token", ["3", 1.5, True, {}])
def test_a_mark_that_is_no_number_is_named(folder, refused, file, token):
    model = folder("llama")
    edit(model, file, eos_token_id=token)
    said = refused(model, "toy-language")
    assert file in said and "eos_token_id" in said


def test_a_tokenizer_that_ends_its_library_is_a_sentence(folder, capfd):
    """A panic in Rust is no exception, and writes its trace to the terminal past Python."""
    model = folder("bert")
    processor = json.loads((model / "tokenizer.json").read_text())["post_processor"]
    edit(model, "tokenizer.json", post_processor=processor | {"special_tokens": {}})
    with pytest.raises(UserError, match=r"tokenizer\.json: no text can be split by it: PanicException"):
        Source(model).tokenizer  # noqa: B018
    assert "panicked" not in capfd.readouterr().err


@pytest.mark.parametrize("family", ["bert", "m2m_100"])
def test_layers_without_end_are_refused_at_once(folder, refused, family):
    model = folder(family)
    edit(model, **{"num_hidden_layers": 10**9} if family == "bert" else {"encoder_layers": 10**9})
    assert "is 1000000000; 2000 layers are the most here" in refused(model, TASKS[family])


class Hub(BaseHTTPRequestHandler):
    """A Hub that has nothing, each model for a reason of its own."""

    ANSWERS = {  # noqa: RUF012 - a table
        "gated": (403, "GatedRepo"),
        "gated-unknown": (401, "GatedRepo"),
        "private": (401, "RepoNotFound"),
        "nosuch": (404, "RepoNotFound"),
        "old": (404, "RevisionNotFound"),
        "forbidden": (403, ""),
        "empty": (404, "EntryNotFound"),
    }

    def do_GET(self) -> None:
        status, code = self.ANSWERS.get(self.path.split("/")[2], (404, "EntryNotFound"))
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


ASK = """
import sys
from headroom.errors import UserError
from headroom.models.sources import Source
for name in sys.argv[1:]:
    try:
        Source(f"owner/{name}", "0" * 40).config
    except UserError as error:
        print(error)
"""


def test_what_the_hub_refuses_has_its_next_step(tmp_path):
    hub = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{hub.server_port}"
    environment = {
        "HF_ENDPOINT": address,
        "HF_HOME": str(tmp_path),
        "PATH": "",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c", ASK, *Hub.ANSWERS]
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    finally:
        hub.shutdown()
        hub.server_close()
    said = dict(zip(Hub.ANSWERS, ended.stdout.splitlines(), strict=True))
    for name in ("gated", "gated-unknown"):
        assert "gives it to those who have asked. Ask for access at" in said[name], said[name]
    for name in ("gated", "gated-unknown", "private", "nosuch", "forbidden"):
        assert "log in with `hf auth login`" in said[name], said[name]
    assert "has no such model, or a private one" in said["private"] and "no such revision" in said["old"]
    assert all(f"owner/{name} at {'0' * 40}" in said[name] for name in said)
    assert "HF_HOME" in said["empty"]


def test_a_revision_of_the_hub_is_a_commit_a_branch_or_a_tag(refused):
    said = refused("owner/name", "toy-language", revision="../main")
    assert "source.revision is '../main'; a revision is a commit of the Hub (40 hex digits), a branch" in said
    assert "a Hub id needs --revision" in refused("owner/name", "toy-language")


def test_what_is_asked_of_the_hub_is_of_that_revision(monkeypatch):
    asked = []

    def noted(name: str, filename: str, **how: Any) -> None:
        asked.append((name, filename, how["revision"]))
        raise OSError("nothing")

    monkeypatch.setattr("transformers.configuration_utils.cached_file", noted)
    with pytest.raises(UserError, match="owner/name at f"):
        Source("owner/name", "f" * 40).config  # noqa: B018
    assert asked == [("owner/name", "config.json", "f" * 40)]
