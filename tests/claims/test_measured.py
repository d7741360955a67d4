"""What the claims measure on a model itself, checked on a toy one against other ways to the same number."""

from __future__ import annotations

import copy
import random
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from headroom import attention
from headroom.api import Site
from headroom.claims import probe as probing
from headroom.claims.evidence import Evidence
from headroom.claims.finding import NotTestable
from headroom.claims.probe import Probe
from headroom.claims.relations import commonest, hit, parser
from headroom.claims.removal_order import plans
from headroom.claims.roles import pointed, roles
from headroom.claims.stage import claims, evidence, run
from headroom.claims.streams import between, streams
from headroom.cli import app
from headroom.config.params import Params
from headroom.results.load import load
from headroom.results.write import read_table

TASK, REPOSITORY = "toy-classification", Path(__file__).parents[2]


@pytest.fixture(scope="module")
def known(profile: Params) -> Evidence:
    records = load("test", list(profile.methods), list(profile.models), profile.results, profile.counts)
    return evidence(profile, "params.yaml", records, "bert-toy")


@pytest.fixture(scope="module")
def probe(known: Evidence) -> Probe:
    return known.tried()


def test_silenced_heads_score_like_removed_ones(probe):
    heads = probe.units[:5]
    assert np.array_equal(probe.scores(heads)[TASK], probe.evaluation.score(probe.bench.removed(heads))[TASK].stats)
    assert probe.kept((), TASK).value == 1


def test_records_give_the_same_quality_with_and_without_the_scores_of_every_example(known, probe):
    michel = known.record("michel_greedy")
    paired = known.kept(michel, TASK, [0.25, 0.5])
    alone = Evidence(known.model, load("test", known.records.methods, known.records.models, known.records.folder))
    assert paired.draws is not None and alone.kept(michel, TASK, [0.25, 0.5]).draws is None
    assert paired.value == pytest.approx(alone.kept(michel, TASK, [0.25, 0.5]).value)
    assert (paired - paired).low == (paired - paired).high == 0


def test_the_best_head_leaves_the_least_loss(probe):
    from headroom.data.batches import per_example_loss

    batch = next(probe.calibration(32, 32))
    for site, best in probe.best_heads().items():
        losses = {}
        for head in probe.sites[site]:
            others = [unit for unit in probe.sites[site] if unit != head]
            with torch.inference_mode():
                losses[head] = float(per_example_loss(probe.bench.removed(others), batch).sum())
        assert losses[best] == pytest.approx(min(losses.values()), rel=1e-5)


@pytest.mark.parametrize("method", ["michel-greedy", "layer-similarity"])
def test_an_order_starts_like_the_plans_of_the_record(known, probe, method):
    record = known.record(method.replace("-", "_"))
    order = probe.order(method, record.parameters)
    assert all(set(order[: len(plan)]) == set(plan) for plan in plans(record)[0])


def test_streams_rank_layers_as_the_method_does(probe):
    found = streams(probe)
    distance = dict(zip(found.sites, found.distances(np.arange(len(found.tokens))), strict=True))
    order = probe.order("layer-similarity", {"examples": 256})
    assert [unit.site for unit in order] == sorted(found.sites, key=lambda site: distance[site])


def test_a_stage_of_the_training_is_the_model_as_it_was(profile, probe):
    from safetensors.torch import load_file

    early, later, trained = probe.stages()
    assert [str(stage) for stage in (early, later, trained)] == ["step 12", "step 30", "trained"]
    kept = load_file(profile.model_folder("bert-toy") / "checkpoints" / "step-12.safetensors")
    then = early.probe.model.state_dict()
    assert trained.probe.model is probe.model and all(torch.equal(then[name], value) for name, value in kept.items())
    heads = probe.units[:5]
    assert np.array_equal(
        early.probe.scores(heads)[TASK], early.probe.evaluation.score(removed(then, probe, heads))[TASK].stats
    )
    assert not np.array_equal(early.probe.scores(())[TASK], trained.probe.scores(())[TASK]), "the journal parts them"
    assert early.probe.examples == trained.probe.examples > 600 and probe.examples == 1000, "18 scorings, and 12 heads"


def test_what_a_large_model_would_take_hours_for_is_not_begun(probe, monkeypatch):
    monkeypatch.setattr(probing, "WORK", 12 * 60 * probe.cost)
    assert probe.examples == 60, "as many as all heads together leave each"
    monkeypatch.setattr(probing, "FAR", 12 * 60 * probe.cost - 1)
    large = probing.Probe(probe.run, probe.tasks)
    with pytest.raises(NotTestable, match=r"To silence 12 units one by one takes .* multiplications, more than"):
        large.refuse_hours()


def removed(weights, probe, heads):
    model = probe.bench.dense()
    model = copy.deepcopy(model)
    model.load_state_dict(weights)
    attention.remove(model, list(heads))
    return model


def test_the_mean_distance_of_a_kind_is_that_of_its_layers(probe):
    both, own = streams(probe, ("self", "mlp")), streams(probe)
    every = np.arange(len(own.tokens))
    assert both.mean_distance(np.ones(len(every)), ("self",)) == pytest.approx(own.distances(every).mean())
    assert both.mean_distance(np.ones(len(every)), ("mlp",)) != pytest.approx(own.distances(every).mean(), rel=1e-3)


def test_layers_are_compared_token_by_token():
    states = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 0.0]]])  # alike in the first token only
    assert np.allclose(between(states), [[1, 0.5], [0.5, 1]])


def test_heads_that_look_before_behind_and_at_the_rarest():
    target = torch.tensor([[3, 0, 1, 2], [1, 2, 3, 0], [2, 2, 2, 2]])  # of three heads, for four tokens
    seen = pointed(target, torch.tensor([5, 3, 1, 2]))
    assert seen["before"].tolist() == [3, 0, 1] and seen["after"].tolist() == [0, 3, 1] and seen["rarest"][2] == 1


def test_heads_that_look_at_the_word_they_belong_to():
    """The second head finds both subjects, one of them at a distance that no fixed offset has."""
    pairs = {"subject": [(3, 1), (2, 1)], "tense": [(3, 0)]}
    seen = hit(torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1]]), pairs)
    assert seen["found"].tolist() == [[1, 0, 0, 0], [0, 2, 0, 0]] and seen["pairs"].tolist() == [1, 2, 0, 0]
    assert commonest([pairs, {"subject": [(3, 1)]}]).tolist() == [1, pytest.approx(2 / 3), 1, 1]


def test_the_constructed_pair_knows_what_belongs_together():
    """Words of the pair's own lexicon in a sentence of two clauses."""
    made = REPOSITORY / "tasks" / "constructed_pair.py"
    words = runpy.run_path(str(made))["lexicon"](random.Random(0))
    verb, noun, name = next(iter(words.verbs)), next(iter(words.nouns)), words.names[0]
    find = parser(made, 0)
    found = find(["today", "the", noun, verb, name, "and", "it", verb, "up", "many", noun])
    assert found["tense"] == [(3, 0), (7, 0)] and found["subject"] == [(3, 2), (7, 6)]
    assert found["object"] == [(4, 3), (10, 7)] and found["antecedent"] == [(6, 2)]
    assert not any(find(["today", noun, "that", verb, name, verb, noun]).values())
    assert parser(REPOSITORY / "tasks" / "digits.py", 0) is None


def test_roles_of_a_real_model_are_told_of_every_head(probe):
    found = roles(probe)
    assert len(found.units) == 12 and found.before.shape == (32, 12)
    assert (found.before.sum(0) + found.after.sum(0) <= 2 * found.tokens.sum()).all()


def test_the_stage_gives_every_claim_a_verdict_and_remembers_what_it_measured(profile):
    run(profile, "params.yaml")
    rows = read_table(profile.results, "claims")
    assert {row.id for row in rows} == {one.id for one in claims()}
    assert all((row.figure is None) == (row.verdict == "not testable here") for row in rows)
    assert all(row.reason for row in rows if row.figure is None)
    kept = {path: path.stat().st_mtime_ns for path in (profile.work / "journal").rglob("*.npz")}
    run(profile, "params.yaml")
    assert kept == {path: path.stat().st_mtime_ns for path in (profile.work / "journal").rglob("*.npz")}
    assert read_table(profile.results, "claims") == rows


def test_without_the_model_measured_claims_say_so(profile, known):
    records = known.records
    away = profile.model_copy(update={"work": profile.work / "elsewhere"})
    assert "bert-toy holds no prepared model" in evidence(away, "params.yaml", records, "bert-toy").no_probe


def test_what_was_found_stays_where_model_and_counts_lie_elsewhere(profile, tmp_path):
    run(profile, "params.yaml")
    rows = read_table(profile.results, "claims")
    results = tmp_path / profile.results.name
    shutil.copytree(profile.results, results, ignore=shutil.ignore_patterns("scores"))
    away = profile.model_copy(update={"work": tmp_path / "work", "results": results})
    run(away, "params.yaml")
    after = read_table(results, "claims")
    assert [row for row in after if row.figure is not None] == [row for row in rows if row.figure is not None]
    table = results / "claims.csv"
    table.write_text(table.read_text().replace(rows[0].prediction, "Another prediction."))
    run(away, "params.yaml")
    assert any("has to be measured on the model" in row.reason for row in read_table(results, "claims"))


def test_what_was_found_goes_with_the_records_of_its_model(profile, tmp_path):
    run(profile, "params.yaml")
    results = tmp_path / profile.results.name
    shutil.copytree(profile.results, results, ignore=shutil.ignore_patterns("scores", "quality"))
    run(profile.model_copy(update={"work": tmp_path / "work", "results": results}), "params.yaml")
    assert {row.verdict for row in read_table(results, "claims")} == {"not testable here"}


def test_the_table_is_printed_with_figures_and_reasons(profile, monkeypatch):
    monkeypatch.setattr("headroom.cli.out", Console(width=200))
    run(profile, "params.yaml")
    text = CliRunner().invoke(app, ["claims", "--model", "bert-toy"]).output
    assert "M1b" in text and "The model has no cross-attention." in text and "not testable" in text


def test_the_sites_of_a_stack_are_named(probe):
    assert list(probe.sites) == [Site("encoder", "self", layer) for layer in range(3)]
