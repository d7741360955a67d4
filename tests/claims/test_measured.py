"""What the claims measure on a model itself, checked on a toy one against other ways to the same number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from headroom.api import Site
from headroom.claims.claim import claims
from headroom.claims.evidence import Evidence, plans
from headroom.claims.probe import Probe
from headroom.claims.roles import Roles, pointed, roles
from headroom.claims.streams import between, streams
from headroom.cli import app
from headroom.params import Params
from headroom.stages.claims import evidence, run
from headroom.tables.load import load
from headroom.tables.write import read_table

TASK = "toy-classification"


@pytest.fixture(scope="module")
def known(profile: Params) -> Evidence:
    records = load("test", list(profile.methods), list(profile.models), profile.results, profile.work / "scores")
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
    from headroom.batches import per_example_loss

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


def test_layers_are_compared_token_by_token():
    states = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 0.0]]])  # alike in the first token only
    assert np.allclose(between(states), [[1, 0.5], [0.5, 1]])


def test_heads_that_look_before_behind_and_at_the_rarest():
    before, behind = torch.eye(4).roll(-1, 1), torch.eye(4).roll(1, 1)
    rare = torch.zeros(4, 4)
    rare[:, 2] = 1
    maps = torch.stack([before, behind, rare])
    counts = torch.tensor([5, 3, 1, 2])
    left, right, tokens, hits = pointed(maps, counts)
    assert (left[0], right[1], tokens, hits[2]) == (3, 3, 3, 1)
    found = Roles([], left[None], right[None], np.array([tokens]), hits[None]).of(np.ones(1))
    assert found.astype(int).tolist() == [[1, 0, found[0][2]], [0, 1, found[1][2]], [0, 0, 1]]


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
    assert "bert-toy does not exist" in evidence(away, "params.yaml", records, "bert-toy").no_probe


def test_the_table_is_printed_with_figures_and_reasons(profile):
    run(profile, "params.yaml")
    text = CliRunner().invoke(app, ["claims", "--model", "bert-toy"], env={"COLUMNS": "200"}).output
    assert "M1b" in text and "The model has no cross-attention." in text and "not testable" in text


def test_the_sites_of_a_stack_are_named(probe):
    assert list(probe.sites) == [Site("encoder", "self", layer) for layer in range(3)]
