"""Every check catches the mistake that it is there for, and says so in a sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest
from written_method import FILE, IN_ORDER

from headroom.checks.importing import findings
from headroom.checks.listing import FAMILIES

RANKED = "for target in targets: yield Plan(target, ctx.units.lowest(score, target))"

MISTAKES = {  # check: body of plans, declarations, words of the complaint
    "check_every_target_has_a_plan": (
        "for target in targets[:3]: yield Plan(target, ctx.units.first(ctx.units.all, target))",
        "",
        "it yielded no plan for target 0.75",
    ),
    "check_target_zero_is_the_dense_model": (
        "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target or 0.25), note='more')",
        "",
        "the plan for target 0 removes 3 units",
    ),
    "check_plans_have_the_size_asked_for": (
        "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t / 2), natural=f'half {t}')",
        "natural = True",
        "off its share",
    ),
    "check_larger_targets_remove_no_less": (
        "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, min(t, 1 - t)), note='there and back')",
        "",
        "a larger target must not remove fewer",
    ),
    "check_natural_points_end_at_the_floor": (
        "yield Plan(0.5, ctx.units.first(ctx.units.all, 0.5), natural='half')",
        "natural = True",
        "no point removes everything",
    ),
    "check_same_seed_gives_the_same_plans": (
        f"import torch\nscore = {{s: torch.rand(len(u)) for s, u in ctx.units.sites.items()}}\n{RANKED}",
        "stochastic = True",
        "take all chance from ctx.rng",
    ),
    "check_chance_is_declared": (
        f"import torch\nrng = ctx.rng\n"
        f"score = {{s: torch.rand(len(u), generator=rng) for s, u in ctx.units.sites.items()}}\n{RANKED}",
        "",
        "declare stochastic = True",
    ),
    "check_something_really_goes": (
        "ctx.model.eval()\nfor target in targets: yield Plan(target, frozenset(), note='no-op') if target < 1 else "
        "Plan(1.0, frozenset(list(ctx.units)[:1]), weights=zeroed(ctx), note='one')",
        "scores = True",
        "no logit moved",
    ),
    "check_the_dead_go_before_the_vital": (
        "score = {site: -torch.stack([ctx.weights(u)['out'].norm() for u in units])"
        " for site, units in ctx.units.sites.items()}\n" + RANKED,
        "scores = True",
        "remove a vital unit of the planted bert and keep a dead one",
    ),
}
ZEROED = '''

def zeroed(ctx):
    """Weights in which the first head writes nothing, so that its removal changes nothing."""
    with ctx.edited():
        ctx.weights(ctx.units.all[0])["out"].zero_()
        return ctx.keep()
'''


@pytest.mark.parametrize("check", MISTAKES)
def test_a_mistake_fails_its_check(checked, check):
    body, declares, words = MISTAKES[check]
    results = checked(body, declares, FILE.replace("from headroom", "import torch\nfrom headroom", 1) + ZEROED)
    verdict, reason = results[check]
    assert verdict == "fails" and words in reason, results[check]


LEFT_BEHIND = {
    "weights": "next(iter(ctx.model.parameters())).data.add_(1)",
    "gradients": "ctx.loss(next(ctx.calibration(4))).backward()",
    "what asks for gradients": "ctx.model.requires_grad_(False)",
    "hooks": "ctx.model.register_forward_hook(lambda *_: None)",
    "training mode": "ctx.model.train()",
    "attention implementation": "ctx.model.set_attn_implementation('eager')",
    "random state": "import random; random.random()",
    "torch settings": "import torch; torch.set_default_dtype(torch.float16)",
}


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_what_is_left_behind_is_named(checked, what):
    verdict, reason = checked(f"{LEFT_BEHIND[what]}\n{IN_ORDER}")["check_everything_is_left_as_found"]
    assert verdict == "fails" and what in reason, reason


def test_a_block_left_open_by_a_caller_that_stops_early_is_noticed(checked):
    body = f"hook = ctx.model.register_forward_hook(lambda *_: None)\n{IN_ORDER}\nhook.remove()"
    results = checked(body)
    assert results["check_everything_is_left_as_found"][0] == "passes"
    assert "stopped after one plan" in results["check_leaving_early_does_no_harm"][1]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("from headroom.data import read_split\n" + IN_ORDER, "it imports headroom.data"),
        ("open('somewhere')\n" + IN_ORDER, "it calls open()"),
        ("from pathlib import Path\nPath('evaluate.parquet').read_bytes()\n" + IN_ORDER, "opened evaluate.parquet"),
        ("ctx._lessons.fresh.__self__.evaluation\n" + IN_ORDER, "the context's private parts"),
        ("import datasets; datasets.load_dataset('glue', 'sst2')\n" + IN_ORDER, "called datasets.load_dataset"),
    ],
)
def test_a_hand_on_evaluation_data_is_caught(checked, body, words):
    declares = "track = Track.TRAINED" if "_lessons" in body else ""
    verdict, reason = checked(body, declares)["check_evaluation_data_are_out_of_reach"]
    assert verdict == "fails" and words in reason, reason


@pytest.mark.parametrize(
    ("old", "new", "check", "words"),
    [
        ("class Tested", "class Other", "check_name_file_and_docstring_agree", "its class is Other"),
        ('"""Removes units in some order, for a test."""', "", "check_name_file_and_docstring_agree", "no docstring"),
        ('paper = "none"', 'paper = "arXiv:1905"', "check_paper_can_be_found", "wanted"),
        ('paper = "none"', 'paper = "arXiv:1905.10650"', "check_paper_can_be_found", "cites no year"),
    ],
)
def test_a_fault_of_the_file_fails_its_check(checked, old, new, check, words):
    verdict, reason = checked(file=FILE.replace(old, new, 1))[check]
    assert verdict == "fails" and words in reason, reason


def test_what_importing_does_to_a_process_is_found(tmp_path):
    """One process looks at all files, so each is blamed for its own doing only."""
    doings = {
        "standard output": "print('hello')",
        "python's random state": "import random; random.seed(1)",
        "heavy modules": "import transformers",
        "the environment": "import os; os.environ['SOMETHING'] = 'else'",
        "the file": "open('written', 'w').close()".replace("written", str(tmp_path / "written")),
        "nothing": "import torch",
    }
    files = {what: tmp_path / f"method_{at}.py" for at, what in enumerate(doings)}
    for what, file in files.items():
        file.write_text(doings[what])
    found = findings(tuple(files.values()))
    for what, file in files.items():
        changed = found[str(file)]["changed"]
        assert changed == [] if what == "nothing" else len(changed) == 1 and what in changed[0], (what, changed)


def test_parameters_that_do_not_survive_yaml_are_refused(checked):
    params = "from dataclasses import dataclass\n@dataclass\nclass Params:\n    examples: int = 3"
    assert "frozen dataclass" in checked(declares=params)["check_parameters_survive_yaml"][1]


def test_an_unsupported_model_without_a_sentence_fails(checked):
    results = checked(declares="supports = lambda self, model: model.nothing if model.family == 't5' else None")
    assert "supports raised AttributeError" in results["check_an_unsupported_model_gets_a_sentence"][1]
    results = checked(declares="supports = lambda self, model: 'no' if model.family == 't5' else None")
    assert "wanted a sentence" in results["check_an_unsupported_model_gets_a_sentence"][1]


def test_a_method_in_order_passes_everything(checked):
    assert {verdict for verdict, _ in checked(families=("bert", "llama", "m2m_100", "vit")).values()} == {"passes"}


def test_masked_and_removed_that_differ_are_caught(checked, monkeypatch):
    from headroom.checks.toy_bench import ToyBench

    removed = ToyBench.removed
    monkeypatch.setattr(ToyBench, "removed", lambda bench, units, weights="": removed(bench, list(units)[1:], weights))
    assert "apart" in checked()["check_masked_and_removed_agree"][1]


def test_an_export_that_loads_as_another_model_is_caught(checked, monkeypatch):
    from headroom.attention import toy

    monkeypatch.setattr("headroom.checks.of_models.load_removed", lambda folder: toy("bert", seed=5))
    assert "other logits after it was saved" in checked()["check_the_export_loads_again"][1]


def test_an_expected_failure_carries_its_reason(checked):
    body = "import torch\nctx.model.train()\n" + IN_ORDER
    results = checked(body, "expected_failures = lambda self: {'check_everything_is_left_as_found': 'It trains on.'}")
    assert results["check_everything_is_left_as_found"] == ("expected failure", "It trains on.")


def test_an_expected_failure_that_passes_is_a_failure(checked):
    declared = "expected_failures = lambda self: {'check_something_really_goes': 'why'}"
    verdict, _ = checked(declares=declared)["check_something_really_goes"]
    assert verdict == "passes", "another kind of model may fail it"
    verdict, reason = checked(declares=declared, families=FAMILIES)["check_something_really_goes"]
    assert verdict == "fails" and "take it out of expected_failures" in reason


def test_an_expected_failure_of_no_check_is_answered_with_the_near_match(checked):
    verdict, reason = checked(declares="expected_failures = lambda self: {'check_paper': 'why'}")["check_paper"]
    assert verdict == "fails" and "Did you mean 'check_paper_can_be_found'" in reason


def test_a_method_that_raises_fails_once_and_the_rest_has_nothing_to_look_at(checked):
    results = checked("raise RuntimeError('ran aground')\nyield")
    assert "RuntimeError: ran aground" in results["check_every_target_has_a_plan"][1]
    assert results["check_masked_and_removed_agree"][0] == "not applicable"


def test_the_words_of_checks_need_nothing_that_a_page_does_not_have():
    code = "import sys, headroom.checks.words as w; print({'torch', 'rich'} & {*sys.modules}, w.in_words('check_a_b'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set() a b"
