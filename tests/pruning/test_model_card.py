"""The card of a folder says what it is to the Hub and to people, repeats nobody's marks, and guesses nothing."""

from __future__ import annotations

import json
from zipfile import ZipFile

import pytest
from huggingface_hub import ModelCard
from small_models import LABELLED, pair_of
from transformers import AutoModelForSequenceClassification

import headroom
from headroom.digests import of_file
from headroom.pruning import markdown
from headroom.pruning.origin import of_live, origin_of
from headroom.pruning.trials import Timing
from headroom.shipping import Loaded
from headroom.shipping.inspecting import inspect
from headroom.terminal.inspecting import parts

HOSTILE = "<script>alert(1)</script> | [x](http://e.vil) ``` # \u202eend"


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Nothing is timed, and folders are not loaded by others again: both are tested elsewhere."""
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: Timing(1.1, 1.0, 1.2, 2.0, 1.8))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))


def source(folder, card=""):
    """A model that lies in a folder, with the card."""
    model, tokenizer = pair_of("bert")
    model.save_pretrained(folder)
    if card:
        (folder / "README.md").write_text(card)
    return AutoModelForSequenceClassification.from_pretrained(folder), tokenizer


def test_the_hub_reads_what_it_is_and_people_read_what_is_gone_and_what_it_keeps(tmp_path):
    card = "---\nlicense: apache-2.0\nbase_model: some/bert\nlanguage: en\n---\n# Mine\n"
    model, tokenizer = source(tmp_path / "mine", card)
    result = headroom.prune(model, "michel-greedy", 0.5, LABELLED, tokenizer=tokenizer, examples=20)
    result.save(tmp_path / "small")
    text = (tmp_path / "small" / "README.md").read_text()
    data = ModelCard(text).data
    assert (data.license, data.base_model, data.language) == ("apache-2.0", "some/bert", ["en"])
    assert (data.pipeline_tag, data.library_name) == ("text-classification", "transformers")
    assert data.tags == ["headroom", "pruned", "michel-greedy", "custom_code"] and data.base_model_relation
    (score,) = data.eval_results
    assert score.metric_type == "accuracy" and score.metric_value == pytest.approx(
        result.report.quality.value, abs=1e-6
    )
    assert data.model_name == "small"
    for row in inspect(tmp_path / "small").layers[0].rows:
        assert f"{row[0]}      {row[1][0]}  {row[1][1]}" in text, "the map is that of inspect"
    assert f"{result.report.quality.retained:.1%}" in text and "1.10x (1.00 to 1.20)" in text
    assert "trust_remote_code=True" in text and "headroom.prune(model, method='michel-greedy', target=0.5" in text
    assert "michel-greedy" in text and "arxiv.org/abs/1905.10650" in text
    assert "as its own card says" in text and "is not repeated here" in text
    assert str(tmp_path) not in text
    told = json.loads((tmp_path / "small" / "headroom.json").read_text())["model"]
    assert told["resolved"]["name"] == "mine" and told["resolved"]["base"] == ["some/bert"]
    assert list(parts(inspect(tmp_path / "small")))[-1].startswith("whole"), "a card is no damage"


def test_what_others_wrote_is_no_mark_and_no_front_matter(tmp_path):
    stated = {"license": f"{HOSTILE}\n---\nevil: yes", "base_model": HOSTILE, "model_name": HOSTILE}
    model, _ = source(tmp_path / "a `b` <i>c", f"---\n{json.dumps(stated)}\n---\n")
    headroom.prune(model, "magnitude-heads", 0.5).save(tmp_path / "<b>small|", format="headroom")
    text = (tmp_path / "<b>small|" / "README.md").read_text()
    data = ModelCard(text).data.to_dict()
    assert "evil" not in data and data["license"].startswith("<script>")
    body = text.split("\n---\n", 1)[1]
    outside = "\n".join(body.split("```")[::2])
    assert "<script>" not in outside.replace("`", "") or "<script>" not in markdown.words(HOSTILE)
    assert "\u202e" not in text and "](http://e.vil)" not in outside.replace("`", "\0").split("\0")[0]


@pytest.mark.parametrize("text", [HOSTILE, "a|b", "*x* _y_ [z](w)", "line\nline", "`code`", "# head"])
def test_words_are_words_wherever_they_stand(text):
    import re

    said = markdown.words(text)
    assert "\n" not in said and not re.search(r"(?<!\\)[|*_\[\]`#]|<", said)
    assert markdown.code(text).count("`") == 2 and "|" not in markdown.code(text)
    fence = markdown.fenced(f"{text}\n```\n").split("\n")[0]
    assert set(fence) == {"`"} and len(fence) > 3


def test_a_licence_is_of_the_card_or_else_of_the_file_and_else_not_stated(tmp_path):
    assert origin_of("x", tmp_path).licence.id == ""
    (tmp_path / "LICENSE").write_text("\n      Apache License\n   Version 2.0, January 2004\n\n ...")
    found = origin_of("x", tmp_path)
    assert (found.licence.id, found.licence.by, found.files) == (
        "apache-2.0",
        "the file LICENSE beside it",
        (tmp_path / "LICENSE",),
    )
    (tmp_path / "LICENSE").write_text("All rights are mine.\n")
    assert origin_of("x", tmp_path).licence.id == "other" and origin_of("x", tmp_path).licence.link == "LICENSE"
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    assert origin_of("x", tmp_path).licence.id == "mit"
    (tmp_path / "README.md").write_text("---\nlicense: [\n---\n")
    assert origin_of("x", tmp_path).licence.id == "other" and "cannot be read" not in origin_of("x", tmp_path).name
    assert "no front matter that can be read" in origin_of("x", tmp_path).said


def test_a_folder_of_the_hubs_cache_is_known_by_its_id_and_commit(tmp_path):
    folder = tmp_path / "models--owner--a-name" / "snapshots" / ("a1" * 20)
    folder.mkdir(parents=True)
    found = origin_of("whatever", folder)
    assert (found.name, found.hub, found.commit) == ("owner/a-name", "owner/a-name", "a1" * 20)
    assert origin_of(str(tmp_path / "secret" / "place"), None).name == "place"


def test_a_model_in_memory_is_known_as_its_loader_noted():
    model, _ = pair_of("bert")
    assert of_live(model).name == "BertForSequenceClassification"
    model.config._name_or_path, model.config._commit_hash = "owner/name", "b2" * 20
    assert (of_live(model).hub, of_live(model).commit) == ("owner/name", "b2" * 20)
    model.config._name_or_path = "/gone/place"
    assert (of_live(model).name, of_live(model).hub) == ("place", "")


def test_a_package_states_its_licence_in_its_metadata(tmp_path):
    wheels = tmp_path / "cache" / "wheels"
    wheels.mkdir(parents=True)
    with ZipFile(wheels / "some_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("some_model-1.0.dist-info/METADATA", "Name: some-model\nLicense: BSD, as ever\n\nLong words.")
    folder = tmp_path / "made"
    folder.mkdir()
    note = {"name": "some-model", "version": "1.0", "sha256": of_file(wheels / "some_model-1.0-py3-none-any.whl")}
    (folder / "headroom_package.json").write_text(json.dumps(note))
    found = origin_of("made", folder)
    assert (found.name, found.package, found.licence.name) == ("some-model", "some-model 1.0", "BSD, as ever")
    (folder / "headroom_package.json").write_text(json.dumps(note | {"sha256": "0"}))
    assert origin_of("made", folder).licence.id == "", "of another wheel nothing is taken over"
