"""`--method auto`: what the leaderboards of the project say for a model of this kind, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from headroom.config.params import Params, load
from headroom.config.project import profiles, root
from headroom.config.registry import load_method, method_files
from headroom.errors import UserError
from headroom.pruning.budgets import Budget
from headroom.pruning.subject import Request, worded
from headroom.results.asked import Entry, entry_of
from headroom.results.choosing import Wish, answers
from headroom.results.kinds import CLASSIFIER, DECODER, IMAGES, TRANSLATOR
from headroom.results.offers import Offer
from headroom.results.recipes import name_in, why_none
from headroom.site.book import read_book
from headroom.site.budget import offered
from headroom.site.changes import git

AUTO = "auto"
TRIED = 2  # methods
SETTING, QUALITY = "as is", "task"
KINDS = {
    "language": DECODER,
    "translation": TRANSLATOR,
    "classification": CLASSIFIER,
    "image-classification": IMAGES,
}
ORDER = ("real", "quick")  # profiles that are asked first: real models before small ones


@dataclass(frozen=True)
class Advice:
    """The requests with the methods to try, the best first, and why it is these, in a sentence."""

    requests: tuple[Request, ...]
    why: str
    profile: str = ""  # whose leaderboard it rests on
    commit: str = ""  # that last changed its results; empty where Git does not know


@dataclass(frozen=True)
class Place:
    """How a method does on the models of a kind: the higher, the better."""

    entry: str
    certified: int  # models on which something can go within the loss, certified
    measured: int  # the same as measured
    mean: float  # share of the parameters that can go within it
    kept: float  # of the quality, over all shares
    said: str

    @property
    def key(self) -> tuple[int, int, float, float]:
        return self.certified, self.measured, self.mean, self.kept


def advised(request: Request, purpose: str) -> Advice:
    """What to try. Raises ``UserError`` where no profile has measured a model of this kind."""
    kind, budget = KINDS[purpose], request.wanted
    for params, offers, entries in measured():
        here = [one for one in offers if (one.kind, one.setting, one.quality) == (kind, SETTING, QUALITY)]
        usable = [one for one in here if one.ranked and can(one, entries, bool(request.task or request.own))]
        places = sorted(ranked(usable, budget), key=lambda place: place.key, reverse=True)[:TRIED]
        if not places:
            continue
        models = ", ".join(dict.fromkeys(one.model for one in usable))
        named = ", then ".join(f"{place.entry} ({place.said})" for place in places)
        why = f"--method auto: on {models}, the {kind} models of profile {params.profile}, the best are {named}."
        requests = tuple(concrete(request, entries[place.entry]) for place in places)
        commit = git(params.results, "log", "-1", "--format=%H", "--", ".").strip()
        return Advice(requests, why, params.profile, commit)
    raise UserError(
        f"--method auto: no profile of the project has measured a {kind} with a method that can be used here. Name a "
        "method; `headroom list` has them."
    )


def measured() -> list[tuple[Params, list[Offer], dict[str, Entry]]]:
    """Every profile that has tables: its params, what it offers, and its methods as params.yaml has them."""
    found = []
    for file in profiles():
        try:
            params = load(root() / file)
            book = read_book(params.profile, params.results)
        except UserError:  # not run yet, or of another kind
            continue
        found.append((params, offered(book), {name: entry_of(params, name) for name in params.methods}))
    places = {name: place for place, name in enumerate(ORDER)}
    return sorted(found, key=lambda one: places.get(one[0].profile, len(places)))


def can(offer: Offer, entries: dict[str, Entry], examples: bool) -> bool:
    """Whether `headroom prune` can do what was measured: no training, no chance, and no examples that are not there."""
    entry = entries.get(offer.method)
    if entry is None or offer.stochastic or why_none(offer):
        return False
    name = name_in(entry.file)
    if name not in method_files():
        return False
    return examples or not load_method(name, dict(entry.parameters), f"--method {name}").calibrated


def ranked(offers: Sequence[Offer], budget: Budget) -> list[Place]:
    """A place for each method: by what can go within the loss, or where none is named by the quality that it keeps."""
    by_method: dict[str, list[Offer]] = defaultdict(list)
    for one in offers:
        by_method[one.method].append(one)
    models = len({one.model for one in offers})
    if budget.loss is not None:
        wish = Wish(loss=budget.loss, speed=budget.speed)
        return [spared(name, rows, models, wish) for name, rows in by_method.items()]
    every = {name: kept(rows, models) for name, rows in by_method.items()}
    return [
        Place(name, 0, 0, 0.0, mean, f"keeps {mean:.1%} of the quality, all shares") for name, mean in every.items()
    ]


def spared(name: str, offers: Sequence[Offer], models: int, wish: Wish) -> Place:
    """What the house's own answer to a wish is, with this method alone."""
    replies = answers(offers, wish)
    best: dict[str, list[str]] = defaultdict(list)
    gains: dict[str, float] = {}
    for reply in replies:
        if reply.best:
            best[reply.model].append(reply.sure)
            gains[reply.model] = max(gains.get(reply.model, 0.0), reply.best.offer.parameters or 0.0)
    sure = sum("certified" in levels for levels in best.values())
    mean = sum(gains.values()) / models
    said = f"{mean:.1%} of the parameters go within {wish.loss:.1%}, certified on {sure} of {models}"
    return Place(name, sure, len(best), mean, kept(offers, models), said)


def kept(offers: Sequence[Offer], models: int) -> float:
    """The share of the quality that a method keeps over all its shares, on all models."""
    by_model: dict[str, list[float]] = defaultdict(list)
    for one in offers:
        by_model[one.model].append(min(1.0, max(0.0, one.retained)))
    return sum(map(fmean, by_model.values())) / models


def concrete(request: Request, entry: Entry) -> Request:
    """The request with the method, and with the parameters that were measured; what the user sets goes before them."""
    set_ = {pair.partition("=")[0] for pair in request.parameters}
    own = worded({name: value for name, value in entry.given.items() if name not in set_})
    return replace(request, method=name_in(entry.file), parameters=[*own, *request.parameters])
