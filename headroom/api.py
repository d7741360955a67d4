"""All that a method file imports: units, plans, and what the harness offers a method.

Nothing here imports torch, so that tables and pages can speak of methods without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headroom.units import Grain, ModelInfo, Plan, Scores, Site, Unit, Units

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Batch = dict[str, Tensor]

__all__ = (
    "Context",
    "Gates",
    "Grain",
    "Heads",
    "Method",
    "ModelInfo",
    "NoParams",
    "Plan",
    "Scores",
    "Site",
    "Stream",
    "Track",
    "Unit",
    "Units",
    "confidence",
)


class Track(StrEnum):
    """What a method needs: forward passes, gradients, or training of the weights."""

    FORWARD = "forward"
    GRADIENT = "gradient"
    TRAINED = "trained"


class Gates(ABC):
    """One multiplier per unit, all ones, in front of every output projection; differentiable."""

    @abstractmethod
    def slopes(self, loss: Tensor) -> Scores:
        """d loss / d gate for every site, from one backward pass.

        Shapes: ``per="batch"`` (units,), ``per="example"`` (batch, units), ``per="token"`` (batch, tokens, units).
        """


class Stream(ABC):
    """The residual stream around every site during the last forward pass."""

    @abstractmethod
    def around(self, site: Site) -> tuple[Tensor, Tensor]:
        """Stream before and after the sublayer or block, norm and residual included.

        Both (tokens, width), of the real tokens of the batch only.
        """


class Heads(ABC):
    """What the heads made during the last forward pass, with its graph, for features and their gradients."""

    @abstractmethod
    def at(self, site: Site) -> Tensor:
        """What the units of a site made, zero where the batch is padded.

        ``context`` (attention-weighted values, what enters the output projection) and ``value`` (projected values):
        (batch, tokens, units, size). ``map`` (attention weights): (batch, units, queries, keys).
        """

    @abstractmethod
    def real(self, site: Site) -> Tensor:
        """Which tokens are no padding, (batch, tokens), for the queries of the site."""


class Context(ABC):
    """What the harness offers a method. Evaluation data, clocks, devices and paths are out of reach."""

    model: nn.Module  # a private copy of the dense model, in eval mode
    info: ModelInfo
    units: Units
    params: Any  # the method's own Params, with params.yaml applied
    seed: int  # calibration seed of this run; a method that looks at it or at rng is calibrated or stochastic
    rng: torch.Generator  # seeded with it, on the CPU

    @abstractmethod
    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[Batch]:
        """Batches of ``examples`` calibration examples, or all there are; drawn with the seed, alike for all."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Task loss: each example's own mean, summed over the batch, so that results do not depend on its size."""

    @abstractmethod
    def losses(self, batch: Batch, logits: Tensor) -> Tensor:
        """What ``loss`` sums, (batch,), from output scores on the batch that are there already."""

    @abstractmethod
    def logits(self, batch: Batch) -> Tensor:
        """The model's output scores on a batch."""

    @abstractmethod
    def gates(
        self, per: Literal["batch", "example", "token"] = "batch", values: Callable[[Site], Tensor] | None = None
    ) -> AbstractContextManager[Gates]:
        """Gate every unit for the length of a ``with`` block. ``values`` gives gates of one's own, shape (units,)."""

    @abstractmethod
    def silenced(self, units: Iterable[Unit]) -> AbstractContextManager[None]:
        """Hold these units at zero for the length of a ``with`` block."""

    @abstractmethod
    def stream(self) -> AbstractContextManager[Stream]:
        """Watch the residual stream for the length of a ``with`` block."""

    @abstractmethod
    def heads(self, made: Literal["context", "value", "map"] = "context") -> AbstractContextManager[Heads]:
        """Watch what the heads make for the length of a ``with`` block; for maps attention is eager in it."""

    @abstractmethod
    def each_silenced(self, batch: Batch, units: Iterable[Unit]) -> Iterator[tuple[Unit, Tensor]]:
        """Logits on a batch with each unit silenced in turn, on top of what is silenced already.

        The blocks below a unit do not see its removal: they run once for all units.
        """

    @abstractmethod
    def upwards(self, batches: Sequence[Batch], sites: Iterable[Site]) -> Iterator[tuple[Site, Iterator[Batch]]]:
        """These sites from below, in the order in which the model runs them, each with a pass of every batch.

        In a pass only the block of the site runs, on what the blocks below made of the batch; watch it with ``heads``
        or ``stream``. What is silenced before the next site is asked for counts there and above, so that a model can
        be taken apart from below for about two passes, however many sites it has.
        """

    @abstractmethod
    def weights(self, unit: Unit) -> dict[str, Tensor]:
        """Views of a unit's weights: ``query``, ``key`` and ``value`` rows, ``out`` columns; all of a sublayer."""

    @abstractmethod
    def heads_of(self, site: Site) -> tuple[Unit, ...]:
        """The query heads of an attention site that are left, to look at their ``weights``; not all can be removed."""

    @abstractmethod
    def out_bias(self, site: Site) -> Tensor | None:
        """A view of the bias of a site's output projection, (width,); None where there is none."""

    @abstractmethod
    def trained(
        self,
        objective: Callable[[Batch], Tensor],
        share: float = 1.0,
        extra: Iterable[nn.Parameter] = (),
        extra_learning_rate: float | None = None,
        from_scratch: bool = False,
    ) -> AbstractContextManager[Path]:
        """Train the private copy with the harness's loop; inside the ``with`` block it holds the trained weights.

        ``objective`` gives the loss of a batch; ``extra`` parameters, such as gates, train beside the weights.
        ``share`` is a part of the update steps that the harness gives every method; what is left of them is spent on
        fine-tuning the removed model. ``from_scratch`` starts from where the dense model's own training began,
        fresh weights or pretrained ones with a new head, with the steps that made the dense model on top. A training
        inside the block of another adds its share to that one's, from scratch too: what was spent on a search was
        spent on what it found. Yields the file for ``Plan.weights``. Raises ``UserError`` when the shares exceed 1.
        """

    @abstractmethod
    def edited(self) -> AbstractContextManager[None]:
        """Change weights in place inside the ``with`` block; those before come back after it."""

    @abstractmethod
    def keep(self) -> Path:
        """Store the weights of the private copy as they are now, for ``Plan.weights``."""

    @abstractmethod
    def say(self, text: str) -> None:
        """One line for the record and the log."""


@dataclass(frozen=True)
class NoParams:
    """A method without parameters."""


class Method(ABC):
    """Decide which attention units a model can lose. One subclass per file in ``methods/``."""

    name: str  # "michel-greedy": the file stem with dashes
    title: str  # as people write it: "Michel et al., greedy"
    paper: str  # "arXiv:1905.10650", or "none" for a baseline
    track: Track = Track.FORWARD
    Params: type = NoParams  # frozen dataclass of defaults; params.yaml overrides them
    stochastic: bool = False  # True: the seed is a random draw, not a calibration sample
    calibrated: bool = True  # False: the plan depends on neither seed nor data, so one run is enough
    from_scratch: bool = False  # True: begins where the model's training began, so it takes one that was trained here
    natural: bool = False  # True: its points are its own (Plan.natural); it has none at the targets
    scores: bool = True  # False: goes by position or by chance, so it cannot tell a dead unit from a vital one
    sees_duplicates: bool = False  # True: claims to see that one of two equal units can go

    def __init__(self, params: Any = None) -> None:
        self.params = params if params is not None else self.Params()

    @abstractmethod
    def removes(self) -> tuple[Grain, ...]:
        """The grains of the units this method removes. HEAD becomes KV_GROUP on models with grouped queries."""

    def supports(self, model: ModelInfo) -> str | None:
        """None, or one sentence saying why this model is out of reach."""
        return None

    def expected_failures(self) -> Mapping[str, str]:
        """Checks of ``headroom check`` that fail, each with the reason; one that passes is then wrong."""
        return {}

    @abstractmethod
    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        """Yield one plan per target, in order, and any points of its own. Leave ``ctx.model`` as you found it."""


def confidence(ctx: Context, examples: int, batch_size: int) -> Scores:
    """Voita et al. (2019), section 3: mean over query tokens of the maximum attention weight of each unit, (units,).

    The end of the sentence is no target where the config names it and the keys are input words.
    """
    peaks, queries = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
    with ctx.heads("map") as heads:
        for batch in ctx.calibration(examples, batch_size):
            ctx.logits(batch)
            for site in ctx.units.sites:
                maps, ends = heads.at(site).float(), _ends_of(ctx, batch, site)
                if ends is not None:
                    maps = maps.masked_fill(ends[:, None, None], 0)
                peaks[site] += maps.amax(-1).sum((0, 2))  # rows of padded queries are zero
                queries[site] += int(heads.real(site).sum())
    return {site: peaks[site] / queries[site] for site in ctx.units.sites}


def _ends_of(ctx: Context, batch: dict[str, Any], site: Site) -> Any:
    """Which keys of a site are ends of sentence, (batch, keys); None where that cannot be known."""
    config: Any = ctx.model.config
    end = getattr(config, "eos_token_id", None)
    own_side = config.is_encoder_decoder and (site.stack, site.kind) == ("decoder", "self")
    if "input_ids" not in batch or end is None or own_side:
        return None
    return sum(batch["input_ids"] == one for one in ([end] if isinstance(end, int) else end)).bool()
