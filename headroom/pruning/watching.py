"""What `headroom prune` is doing, how far it is and how long still: a bar on a terminal, elsewhere a line at times."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from headroom.measure.clock import now
from headroom.site.numbers import seconds

logger = logging.getLogger(__name__)
QUIET = 10.0  # seconds between two lines of one piece of work


class Watch:
    """Told what is done. This one writes lines to the log."""

    def __init__(self) -> None:
        self.what, self.total, self.done = "", 0, 0
        self.began = self.said = now()

    @contextmanager
    def doing(self, what: str, total: int = 0) -> Iterator[None]:
        """A piece of work, of so many steps where that is known."""
        self.what, self.total, self.done = what, total, 0
        self.began = self.said = now()
        self.show()
        try:
            yield
        finally:
            self.close()

    def step(self, steps: int = 1) -> None:
        """So many steps of it are done."""
        self.done += steps
        if now() - self.said >= QUIET:
            self.said = now()
            self.show()

    def show(self) -> None:
        logger.info("%s", self.line())

    def close(self) -> None:
        """The piece of work is done."""

    def line(self) -> str:
        """What is done, how far it is and how long it takes still."""
        if not self.done:
            return self.what
        spent = now() - self.began
        if not self.total:
            return f"{self.what}: {self.done} done, {seconds(spent)} so far"
        left = spent / self.done * max(0, self.total - self.done)
        return f"{self.what}: {min(self.done, self.total)} of {self.total}, about {seconds(left)} left"

    def tell(self, line: str) -> None:
        """Something that is known now."""
        logger.info("%s", line)


class Bar(Watch):
    """The same as a bar at the foot of the terminal."""

    def __init__(self, bar: Any) -> None:
        self.bar, self.task = bar, None
        super().__init__()

    def show(self) -> None:
        if self.task is None:
            self.task = self.bar.add_task(self.what, total=self.total or None)

    def step(self, steps: int = 1) -> None:
        self.done += steps
        self.bar.update(self.task, completed=self.done)

    def close(self) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None

    def tell(self, line: str) -> None:
        self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def watched() -> Iterator[Watch]:
    """A watch that fits where the messages go."""
    if not sys.stderr.isatty():
        yield Watch()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from headroom.terminal.printing import PlainConsole

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=PlainConsole(stderr=True), transient=True) as bar:
        yield Bar(bar)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it Ctrl-C raises ``KeyboardInterrupt``, so that what was found so far can be kept."""

    def stop() -> None:
        raise KeyboardInterrupt

    with on_interrupt(stop):
        yield


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Within it Ctrl-C makes what is given say so, and raises ``KeyboardInterrupt`` when it comes again."""
    asked: list[bool] = []

    def stop() -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    with on_interrupt(stop):
        yield lambda: bool(asked)


@contextmanager
def on_interrupt(do: Callable[[], None]) -> Iterator[None]:
    """What Ctrl-C does within it; nothing new in another thread than the main one, which alone hears of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: do())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def counted(model: Any, watch: Watch) -> Iterator[None]:
    """Every forward pass of the model is a step."""
    handle = model.register_forward_hook(lambda *_: watch.step())
    try:
        yield
    finally:
        handle.remove()
