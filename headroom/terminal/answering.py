"""Answers to a budget, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.text import Text

from headroom.results.asked import Entry
from headroom.results.choosing import Answer, Reply, Wish
from headroom.results.offers import Offer
from headroom.results.recipes import command, then, why_none
from headroom.site.book import Book
from headroom.site.numbers import count, percent, seconds, times
from headroom.terminal.layout import INDENT, wrapped
from headroom.terminal.power import brief, not_enough

SURE = {"certified": "certified", "measured": "as measured, not certified", "": "nothing"}
LUCK = (
    "Certified is said by 95 % intervals of one smaller model each. Each answer is the best of many, so that some are "
    "certified by luck: measure yours."
)
WORDS = ("method", "title", "track", "grains", "natural", "task", "machine")  # of an answer as JSON
FIGURES = (
    *("target", "units", "attention", "parameters", "cache", "memory", "predicted_memory"),
    *("cost_seconds", "cost_examples", "cost_updates"),
)
UNITS = {"head": "heads", "kv_group": "KV groups", "attention": "attention sublayers", "mlp": "MLPs", "block": "blocks"}
STYLES = {"certified": "bold green", "measured": "bold yellow", "": "dim"}


@dataclass(frozen=True)
class Answers:
    """What is printed: a head, and each reply with its sentences and the command that makes the model."""

    book: Book
    wish: Wish
    replies: Sequence[Reply]
    entries: Mapping[str, Entry]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = options.max_width
        for line in wrapped(f"{wished(self.wish)}. {self.found()}", width):
            yield Text(line, "italic")
        for reply in self.replies:
            yield Text("")
            for line in wrapped(f"{heading(reply)}: {SURE[reply.sure]}", width):
                yield Text(line, STYLES[reply.sure])
            for sentence in self.sentences(reply):
                yield from (Text(line) for line in wrapped(sentence, width, INDENT))
            if reply.best and (made := self.command(reply.best)):  # in one piece: it is to be copied
                yield Text(made, no_wrap=True, overflow="ignore")
        if any(reply.sure == "certified" for reply in self.replies):
            yield from (Text(line, "dim italic") for line in ("", *wrapped(LUCK, width)))

    def found(self) -> str:
        """How many of the replies are answers, in a sentence."""
        sure = [reply.sure for reply in self.replies]
        if not any(sure):
            return "Nothing meets that; here is what comes nearest."
        parts = [f"{sure.count(level)} {SURE[level]}" for level in SURE if level in sure]
        return f"By model, setting and work: {'; '.join(parts)}."

    def sentences(self, reply: Reply) -> Iterator[str]:
        """What is said under the heading of a reply."""
        if reply.best:
            yield from self.answer(reply.best)
            return
        within = f"Nearest that loses no more than {brief(self.wish.loss)} %"
        beyond = f"Nearest with {bought(self.wish)}"
        yield f"{within}: {near(reply.within)}" if reply.within else f"{within}: nothing, not even as measured."
        if self.wish.wanted:
            yield f"{beyond}: {near(reply.beyond)}" if reply.beyond else f"{beyond}: nothing that was measured."
        if reply.most:
            yield f"The most that anything buys: {near(reply.most)}"

    def answer(self, answer: Answer) -> Iterator[str]:
        """The sentences of a smaller model."""
        offer = answer.offer
        yield f"{offer.method}: {gone(offer)} ({also_gone(offer)})"
        yield "; ".join(map(lost, (offer, *answer.others)))
        if answer.keeps != "certified":
            yield f"{not_enough((offer, *answer.others))} to certify {brief(self.wish.loss)} %"
        if answer.timing:
            unsure = self.wish.speed is not None and answer.buys != "certified"
            short = f"; the interval reaches below {bought(self.wish)}" if unsure else ""
            yield f"{speed(answer)}, {answer.timing}, on {self.book.machine(offer.machine)}{short}"
        yield from filter(
            None,
            (memory(offer), cost(offer), why_none(offer), then(offer, self.book.record(offer.model, offer.method))),
        )

    def command(self, answer: Answer) -> str:
        """The command that makes it; empty where there is none."""
        return command(answer.offer, self.book.records.cells, self.entries)

    def as_json(self) -> list[dict[str, Any]]:
        """One object for each reply, with shares and ratios as numbers."""
        return [
            {
                **{name: getattr(reply, name) for name in ("model", "kind", "setting", "work", "sure")},
                "tasks": list(reply.tasks),
                "answer": self.flat(reply.best),
                "nearest_within_loss": self.flat(reply.within),
                "nearest_beyond_loss": self.flat(reply.beyond),
                "buys_most": self.flat(reply.most),
            }
            for reply in self.replies
        ]

    def flat(self, answer: Answer | None) -> dict[str, Any] | None:
        """An answer as an object, with the digits of the tables."""
        if answer is None:
            return None
        offer, timing = answer.offer, answer.timing
        figures = {name: getattr(offer, name) for name in FIGURES} | losses(offer)
        if timing:
            figures |= {"speed": timing.speedup, "speed_low": timing.low, "speed_high": timing.high}
        return {
            **{name: getattr(offer, name) for name in WORDS},
            **{name: None if value is None else round(value, 6) for name, value in figures.items()},
            "workload": str(timing) if timing else "",
            "keeps": answer.keeps,
            "buys": answer.buys,
            "other_tasks": {other.task: losses(other) for other in answer.others},
            "command": self.command(answer),
        }


def near(answer: Answer) -> str:
    """A smaller model that is no answer, in one sentence."""
    timed = f", {speed(answer)}" if answer.timing else ""
    return f"{answer.offer.method}, {gone(answer.offer)}: {lost(answer.offer)}{timed}."


def losses(offer: Offer) -> dict[str, float]:
    """What is lost of the quality, with its interval, and what of that fine-tuning alone costs."""
    kept = {"lost": offer.retained, "lost_low": offer.high, "lost_high": offer.low, "lost_by_tuning": offer.tuned}
    return {name: round(1 - value, 6) for name, value in kept.items()}


def heading(reply: Reply) -> str:
    """Where an answer holds."""
    return ", ".join(filter(None, (f"{reply.model} ({reply.kind})", reply.setting, reply.work)))


def wished(wish: Wish) -> str:
    """The wish in a sentence, without its end."""
    what = "quality" if wish.quality == "task" else "agreement with the dense model"
    where = f" on {wish.task}" if wish.task else " on each task of a model"
    like = f" of kind {wish.kind}" if wish.kind else ""
    return f"Models{like} that lose at most {brief(wish.loss)} % of {what}{where}, with {bought(wish)}"


def bought(wish: Wish) -> str:
    """What is wanted for it."""
    if wish.speed is not None:
        return f"{times(wish.speed)} the speed"
    if wish.memory is not None:
        return f"{brief(wish.memory)} % less memory"
    fewer = wish.parameters
    return "as few parameters as can be" if fewer is None else f"{brief(fewer)} % fewer parameters"


def gone(offer: Offer) -> str:
    """What is removed, as the method counts it."""
    units = offer.target if offer.units is None else offer.units
    return f"{brief(units)} % of the {' and '.join(UNITS.get(grain, grain) for grain in offer.grains.split('+'))} gone"


def also_gone(offer: Offer) -> str:
    """The same, counted in parameters."""
    shares = ((offer.attention, "of the attention parameters"), (offer.parameters, "of all parameters"))
    return "; ".join(f"{percent(share)} % {what}" for share, what in shares if share is not None)


def lost(offer: Offer) -> str:
    """What is lost, with its interval."""
    ends = f"95 % interval {percent(1 - offer.high)} to {percent(1 - offer.low)}"
    if offer.tuned < 1:
        ends += f"; {percent(1 - offer.tuned)} by the fine-tuning alone"
    return f"loses {percent(1 - offer.retained)} % on {offer.task} ({ends})"


def speed(answer: Answer) -> str:
    """What was timed, with its interval."""
    timing = answer.timing
    return f"{times(timing.speedup)} the speed ({times(timing.low)} to {times(timing.high)})" if timing else ""


def memory(offer: Offer) -> str:
    """What memory is saved; empty where it is not known."""
    if offer.memory is not None:
        return f"{percent(offer.memory)} % less memory at the peak, measured"
    return (
        ""
        if offer.predicted_memory is None
        else f"{percent(offer.predicted_memory)} % less memory, predicted and not measured"
    )


def cost(offer: Offer) -> str:
    """What pruning costs."""
    parts: tuple[tuple[float | None, str, Callable[[float | None], str]], ...] = (
        (offer.cost_seconds, "", seconds),
        (offer.cost_examples or None, " examples", count),
        (offer.cost_updates or None, " update steps", count),
    )
    said = ", ".join(f"{write(value)}{unit}" for value, unit, write in parts if value is not None)
    return f"Pruning takes {said}" if said else "What pruning takes was not recorded"
