"""Which checks there are for a method, by what it declares, as a generator of names and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from headroom.api import Method, Track
from headroom.checks import of_context, of_files, of_models, of_plans, of_truth
from headroom.checks.subject import Subject

FAMILIES = ("bert", "llama", "m2m_100", "vit")  # encoder, decoder with grouped queries, encoder-decoder, images

Check = Callable[[Subject], None]


def checks_of(method: Method) -> Iterator[Check]:
    """The checks of the file first, then those of its answers, as its track and declarations choose them."""
    yield of_files.check_imports_fast_and_silently
    yield of_files.check_name_file_and_docstring_agree
    yield of_files.check_paper_can_be_found
    yield of_files.check_parameters_survive_yaml
    yield of_files.check_an_unsupported_model_gets_a_sentence
    yield of_plans.check_every_target_has_a_plan
    if method.natural:
        yield of_plans.check_natural_points_end_at_the_floor
    else:
        yield of_plans.check_target_zero_is_the_dense_model
        yield of_plans.check_larger_targets_remove_no_less
    yield of_plans.check_plans_have_the_size_asked_for
    yield of_plans.check_same_seed_gives_the_same_plans
    if not method.stochastic and method.track is not Track.TRAINED:  # a training draws its batches with the seed
        yield of_plans.check_chance_is_declared
    yield of_context.check_everything_is_left_as_found
    yield of_context.check_leaving_early_does_no_harm
    yield of_context.check_evaluation_data_are_out_of_reach
    yield of_models.check_masked_and_removed_agree
    yield of_models.check_something_really_goes
    yield of_models.check_the_export_loads_again


def truth_checks_of(method: Method) -> Iterator[Callable[[of_truth.PlantedSubject], None]]:
    """The checks on planted models; none for a method that goes by position or chance."""
    if method.scores and not method.stochastic:
        yield of_truth.check_the_dead_go_before_the_vital
        if method.sees_duplicates:
            yield of_truth.check_one_of_two_equals_goes_before_the_vital


def method_checks(
    method: Method, file: Path, families: Sequence[str] = FAMILIES, truth: bool = True
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Pairs of a name, ``check_...[family]``, and a function that raises ``AssertionError`` with a sentence.

    Made for ``pytest.mark.parametrize`` as well as for the command line. Models out of the method's reach are left out.
    """
    for at, family in enumerate(families):
        subject = Subject(method, file, family)
        for check in checks_of(method):
            if check.__module__ == of_files.__name__:  # it looks at the file alone, so one model is enough
                if at == 0:
                    yield check.__name__, partial(check, subject)
            elif not subject.out_of_reach:
                yield f"{check.__name__}[{family}]", partial(check, subject)
        if truth and not subject.out_of_reach and (truth_checks := list(truth_checks_of(method))):
            planted = of_truth.PlantedSubject(method, file, family)
            for truth_check in truth_checks:
                yield f"{truth_check.__name__}[{family}]", partial(truth_check, planted)
