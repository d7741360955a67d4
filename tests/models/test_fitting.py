"""What a model and its task want of each other, asked before any work; and what goes along with the smaller model."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from model_folders import TASKS, edit, reweigh

from headroom.attention import load_removed, removed_units, toy
from headroom.config.model_spec import load_spec
from headroom.config.tasks import Task, load_task
from headroom.models.fitting import troubles
from headroom.models.loading import load_prepared
from headroom.models.saving import begin
from headroom.models.sources import Source
from headroom.pipeline.prepare import prepare


def figures(said: str) -> tuple[float, float]:
    """The dense quality and that of the smaller model in what `prune` prints."""
    found = re.search(r"is better, \d+ examples\) ([-\d.]+) ([-\d.]+)", said)
    assert found, said
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("family", TASKS)
def test_all_that_belongs_to_a_model_goes_along(folder, prune, family):
    """What the library's own classes read from the folder is what they read from the one before."""
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer, GenerationConfig

    model = folder(family)
    code, said, out = prune(model, TASKS[family])
    assert code == 0, said
    assert json.loads((out / "headroom_contract.json").read_text()).keys() == {TASKS[family]}
    assert AutoConfig.from_pretrained(out).to_dict() == AutoConfig.from_pretrained(model).to_dict() | {
        "_name_or_path": AutoConfig.from_pretrained(out)._name_or_path
    }
    if family == "vit":
        before, after = (AutoImageProcessor.from_pretrained(place, backend="pil") for place in (model, out))
        assert before.to_dict() == after.to_dict()
    else:
        before, after = (AutoTokenizer.from_pretrained(place) for place in (model, out))
        text = "the red cat says miau to a dog ."
        assert before(text)["input_ids"] == after(text)["input_ids"] and before.get_vocab() == after.get_vocab()
        assert before.special_tokens_map == after.special_tokens_map and type(before) is type(after)
    if (model / "generation_config.json").exists():
        before, after = (GenerationConfig.from_pretrained(place).to_dict() for place in (model, out))
        assert {key: before[key] for key in before if key not in ("_from_model_config", "transformers_version")} == {
            key: after[key] for key in before if key not in ("_from_model_config", "transformers_version")
        }


def test_a_generation_config_is_the_models_own(folder, prune):
    model = folder("llama")
    edit(model, "generation_config.json", max_new_tokens=7, do_sample=True, temperature=0.5)
    _, _, out = prune(model)
    assert load_removed(out).generation_config.max_new_tokens == 7
    assert load_removed(out).generation_config.temperature == 0.5


@pytest.mark.parametrize("family", ["bert", "llama", "vit", "m2m_100"])
def test_a_smaller_model_is_pruned_again_from_where_it_stands(folder, prune, family):
    """What is dense the second time is what was left of the first: the same weights, the same input."""
    _, first, out = prune(folder(family), TASKS[family])
    code, second, again = prune(out, TASKS[family], target=0.4)
    assert code == 0, second
    assert figures(second)[0] == figures(first)[1]
    assert set(removed_units(load_removed(out))) < set(removed_units(load_removed(again)))


def test_what_images_need_is_stated_once(folder, prune, refused):
    model, task = folder("vit"), "toy-images"
    (model / "preprocessor_config.json").unlink()
    assert "Say e.g. --image-mean 0.5 --image-std 0.5" in refused(model, task)
    code, first, out = prune(model, task, image_mean=0.1307, image_std=0.3081)
    assert code == 0, first
    code, again, _ = prune(out, task)
    assert code == 0 and figures(again)[0] == figures(first)[1]
    assert "0.5, and image_mean in" in refused(out, task, image_mean=0.5)
    code, _, alone = prune(model, image_mean=0.1307, image_std=0.3081)
    one, other = ((place / "preprocessor_config.json").read_text() for place in (alone, out))
    assert code == 0 and one == other


@pytest.mark.parametrize("option", [{"image_std": 0.0}, {"image_mean": "nan"}, {"threads": 0}, {"target": "nan"}])
def test_an_option_that_makes_no_sense_is_named(folder, refused, option):
    name = next(iter(option)).replace("image_", "image.")
    assert f"{name} is " in refused(folder("vit"), "toy-images", **option)


def test_a_smaller_model_is_what_a_source_loads(folder, prune):
    _, _, out = prune(folder("bert"), "toy-classification")
    loaded, saved = Source(out).model("classification"), load_removed(out)
    assert all(torch.equal(value, saved.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert removed_units(loaded) == removed_units(saved) != []
    edit(out, "headroom_plan.json", version=9)
    assert "headroom_plan.json has version 9" in str(troubles_of(out, "bert"))


def troubles_of(folder: Any, family: str, **entry: Any) -> list[str]:
    """What ``check params`` says of a folder."""
    spec = load_spec("model", {"source": {"folder": folder.name}, "tasks": [TASKS[family]]} | entry)
    return troubles(spec, [load_task(TASKS[family])], "params.yaml: models.model", folder.parent)


@pytest.mark.parametrize("method", ["michel-greedy", "attention-confidence"])
@pytest.mark.parametrize("calibration", ["answer", "context"])
def test_questions_with_choices_calibrate(folder, prune, monkeypatch, method, calibration):
    task = load_task("toy-cloze").model_copy(update={"calibration": calibration})
    monkeypatch.setattr("headroom.pruning.examples.load_task", lambda _: task)
    code, said, out = prune(folder("llama"), "toy-cloze", method=method)
    assert code == 0 and removed_units(load_removed(out)), said
    assert "toy-cloze, accuracy" in said


@pytest.fixture
def translator(tmp_path):
    """A folder of a model of many languages, and a task that names two of them."""
    from transformers import NllbTokenizer

    letters = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz"])
    tokenizer = NllbTokenizer(vocab={name: number for number, name in enumerate(letters)}, merges=[])
    ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
    toy("m2m_100", vocab_size=len(tokenizer), **ids).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    languages = {"source": "eng_Latn", "target": "deu_Latn"}
    stated = load_task("toy-translation").model_dump(exclude_none=True) | {"languages": languages}
    return tmp_path / "model", Task.model_validate(stated), tokenizer.convert_tokens_to_ids("deu_Latn")


def test_a_smaller_translator_begins_in_the_language_of_its_task(translator, prune, monkeypatch):
    """With a plain ``generate``, for it reads what is saved in the folder."""
    model, task, code = translator
    monkeypatch.setattr("headroom.pruning.examples.load_task", lambda _: task)
    ended, said, out = prune(model, task.name)
    assert ended == 0, said
    assert load_removed(out).generate(torch.tensor([[5, 6, 2]]), max_new_tokens=3)[0, 1] == code
    assert prune(out, task.name, target=0.3).code == 0, "it begins where the task wants it to"


def test_a_prepared_translator_begins_in_the_language_of_its_task(translator, tmp_path, monkeypatch):
    _, task, code = translator
    for module in ("headroom.pipeline.prepare", "headroom.models.loading"):
        monkeypatch.setattr(f"{module}.load_task", lambda _: task)
    facts = prepare("mine", {"source": {"folder": "model"}, "tasks": [task.name]}, tmp_path / "r", tmp_path, threads=1)
    made = load_prepared(tmp_path / "r", tmp_path)
    assert made.model.generate(torch.tensor([[5, 6, 2]]), max_new_tokens=3)[0, 1] == code
    assert made.tokenizer.convert_tokens_to_ids("deu_Latn") == code
    assert "deu_Latn" in facts["tasks"][task.name]["contract"]["languages"]


def test_of_two_languages_neither_is_the_models():
    both = iter(({"forced_bos_token_id": 7}, {"forced_bos_token_id": 8}))
    contract = SimpleNamespace(spoken=lambda _: SimpleNamespace(generation=next(both)))
    model = toy("m2m_100")
    begin(model, contract, [load_task("toy-translation")] * 2)
    assert model.generation_config.forced_bos_token_id is None


def test_a_model_of_texts_needs_a_tokenizer_for_a_task_and_for_nothing_else(folder, prune, refused):
    model = folder("llama")
    (model / "tokenizer_config.json").unlink()
    assert "holds no tokenizer_config.json, and a task for language is made of texts" in refused(model, "toy-language")
    assert prune(model).code == 0


def test_a_tokenizer_of_another_model_is_refused(folder, refused):
    model = folder("bert")
    edit(model, vocab_size=10)
    reweigh(model, lambda have: have.update({"bert.embeddings.word_embeddings.weight": torch.randn(10, 32)}))
    said = refused(model, "toy-classification")
    assert "vocab_size of config.json is 10, and the tokenizer numbers" in said


def test_words_that_were_added_to_a_tokenizer_may_lie_beyond(folder, prune):
    """Gemma 3's tokenizer has a token for images that its models of text have no embedding of."""
    from transformers import AutoTokenizer

    model = folder("llama")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(model)
    code, said, _ = prune(model, "toy-language")
    assert code == 0, said


def test_inputs_are_as_long_as_the_model_reads_and_no_longer(folder, prune, refused):
    model = folder("bert")
    edit(model, max_position_embeddings=5)
    reweigh(model, lambda have: have.update({"bert.embeddings.position_embeddings.weight": torch.randn(5, 32)}))
    assert prune(model, "toy-classification", method="michel-greedy").code == 0
    said = troubles_of(model, "bert", evaluate={"length": 6})
    assert len(said) == 1 and "models.model.evaluate.length is 6; " in said[0] and "reads 5 tokens at most" in said[0]
    assert troubles_of(model, "bert", evaluate={"length": 5}) == []
    edit(model, "tokenizer_config.json", model_max_length=3)
    assert "reads 3 tokens at most" in troubles_of(model, "bert", evaluate={"length": 5})[0]


@pytest.mark.parametrize("longest", [0, -1, True, "many"])
def test_a_longest_input_that_is_none_is_refused(folder, refused, longest):
    model = folder("llama")
    edit(model, "tokenizer_config.json", model_max_length=longest)
    assert f"tokenizer_config.json: model_max_length is {longest!r}" in refused(model, "toy-language")


def test_a_text_of_one_token_foretells_nothing(folder, refused):
    model = folder("llama")
    edit(model, "tokenizer_config.json", model_max_length=1)
    assert "says that it reads 1 tokens; 2 or more are wanted for language" in refused(model, "toy-language")


@pytest.mark.parametrize("task", ["toy-classification", None])
def test_memory_is_looked_at_before_it_is_taken(folder, refused, monkeypatch, task):
    model = folder("bert")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100_000))
    monkeypatch.setattr(Source, "model", lambda *_: pytest.fail("loaded"))
    assert "0.0 GB of memory are free here. Take a machine with more, or a smaller model." in refused(model, task)


def test_all_that_is_wrong_is_said_at_once(folder, refused, monkeypatch):
    model = folder("bert")
    edit(model, num_labels=3, id2label=None, label2id=None, pad_token_id=5)
    head = {"classifier.weight": torch.randn(3, 32), "classifier.bias": torch.zeros(3)}
    reweigh(model, lambda have: have.update(head))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=0))
    monkeypatch.setattr(
        "headroom.pruning.examples.load_task",
        lambda _: load_task("toy-classification").model_copy(update={"classes": ["dogs", "cats"]}),
    )
    said = refused(model, "toy-classification")
    assert all(part in said for part in ("GB of memory", "the tokenizer pads with", "has 2 classes (dogs, cats)"))


def test_one_thing_that_is_wrong_is_said_once(folder):
    model = folder("bert")
    edit(model, architectures=["BertModel"])
    (model / "tokenizer.json").write_text("{")
    said = troubles_of(model, "bert")
    assert len(said) == 2 and "BertModel" in said[0] and "tokenizer.json" in said[1]


def test_a_place_that_cannot_be_written_is_found_before_the_work(folder, refused, tmp_path, monkeypatch):
    model = folder("bert")
    monkeypatch.setattr("headroom.pruning.attempts.Planner", lambda *_: pytest.fail("worked"))
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for out, says in (
        ("/proc/small", "cannot be made in /proc: "),
        ("/proc/a/b", "Name a folder of your own."),
        (tmp_path / "file", "is there already and not empty"),
        (tmp_path / "file" / "small", "is a file. Name a folder that can be made"),
        (tmp_path / "link", "is a link to nothing"),
        (model, "is there already and not empty"),
    ):
        assert says in refused(model, out=out)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("headroom.pruning.subject.mkdtemp", denied)
    assert "permission denied. Name a folder of your own." in refused(model)


def test_an_empty_folder_is_a_place(folder, prune, tmp_path):
    (tmp_path / "there").mkdir()
    code, said, out = prune(folder("bert"), out=tmp_path / "there")
    assert code == 0 and (out / "headroom.safetensors").is_file(), said


@pytest.mark.parametrize("where", ["safetensors.torch.save_file", "headroom.pruning.writing.save_readers"])
def test_a_disk_that_is_full_leaves_nothing(folder, prune, tmp_path, monkeypatch, where):
    model = folder("bert")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, full)
    code, said, _ = prune(model)
    assert code in (1, 2) and "o space left" in said and "Traceback" not in said, said
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
