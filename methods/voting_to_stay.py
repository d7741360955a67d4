"""Train heads to form groups, let batches vote, and keep one head of every group (Ni, Mao et al., 2023).

    L_z = - alpha / (k n) sum_l sum_i cos(f_il, z_j(i)l)  +  beta / (C(g, 2) n) sum_l sum_{j1 < j2} cos(z_j1l, z_j2l)

f_il is what head i of layer l makes, z the centre of its group, with k heads, n layers and g groups (section 3.1).
The paper prints the opposite signs, which hold for a distance; the released code and this file pull members to their
centre and centres apart. Half of the update steps train with L_task + L_z; the weights are then frozen and every
calibration batch gives one vote per group and layer to the head nearest the centre; the head of each group with most
votes stays; the other half of the steps is the harness's recovery, without L_z. The number of groups is the method's
own point: it is the number of heads that stay in every layer, so no layer is emptied.

What the released code does differently: it does not run as it stands, and its vote is a layer's and not a group's
(``vote: global``). In a group of two both members are equally near their centre, so its vote hangs on the last bit;
here too it is a tie, and the first of the two stays.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from headroom.api import Context, Grain, Heads, Method, ModelInfo, Plan, Site, Track, Unit

MADE: dict[str, Literal["value", "map", "context"]] = {"V": "value", "A": "map", "O": "context"}


def centres_of(rows: Tensor, labels: Tensor) -> Tensor:
    """Mean of the members of each group, (groups, width); gradients flow to the members."""
    members = functional.one_hot(labels).T.to(rows)
    return members @ rows / members.sum(1, keepdim=True)


def assigned(rows: Tensor, centres: Tensor) -> Tensor:
    """The nearest centre of each row. No group is left empty: it gets the row that is farthest from its own centre."""
    distance = torch.cdist(rows, centres)
    labels = distance.argmin(1)
    for group in range(len(centres)):
        if not (labels == group).any():
            own = distance.gather(1, labels[:, None])[:, 0]
            own[labels.bincount(minlength=len(centres))[labels] == 1] = -1  # who is alone in a group has to stay there
            labels[own.argmax()] = group
    return labels


@torch.no_grad()
def k_means(rows: Tensor, groups: int, seed: int) -> Tensor:
    """Group of each row, (rows,). Starts from rows drawn with ``seed``, the same at every call as in the code."""
    rows = rows.detach().float()
    start = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:groups]
    centres = rows[start.to(rows.device)]
    for _ in range(100):
        labels = assigned(rows, centres)
        moved = centres_of(rows, labels)
        still = (moved - centres).square().sum() < 1e-4
        centres = moved
        if still:
            break
    return labels


def closeness(rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cosine of members with their centre, and of pairs of centres; the second is 0 for a single group."""
    centres = centres_of(rows, labels)
    near = functional.cosine_similarity(rows, centres[labels], dim=1).mean()
    unit = functional.normalize(centres, dim=1)
    first, second = torch.triu_indices(len(unit), len(unit), 1, device=unit.device)
    pairs = (unit @ unit.T)[first, second]
    return near, pairs.mean() if len(pairs) else near.new_zeros(())


class VotingToStay(Method):
    name = "voting-to-stay"
    title = "Voting-to-Stay"
    paper = "arXiv:2305.14380"
    natural = True
    sees_duplicates = True

    @dataclass(frozen=True)
    class Params:
        training: Literal["finetune", "scratch", "posthoc"] = "finetune"  # the paper's is scratch, with its own steps
        groups: tuple[int, ...] = ()  # heads that stay per layer; all from one less than there are down to 1
        feature: Literal["V", "A", "O"] = "V"  # projected values, attention maps, outputs of the heads
        alpha: float = 0.5
        beta: float = 0.5
        share: float = 0.5  # of the update steps for stage 1
        scale: Literal["paper", "code"] = "paper"  # code: sum over modules beside a loss summed over tokens
        modules: Literal["paper", "code"] = "paper"  # code: decoder self and cross only
        vote: Literal["group", "global"] = "group"  # global is the code's: most votes of a layer, whatever their group
        tokens: int = 512  # positions of a batch that features are made of, the same for all heads
        examples: int = 512
        batch_size: int = 32

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.track = Track.FORWARD if self.params.training == "posthoc" else Track.TRAINED
        self.from_scratch = self.params.training == "scratch"

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def supports(self, model: ModelInfo) -> str | None:
        if self.params.modules == "code" and not any(site.stack == "decoder" for site in model.sites):
            return f"{model.family} models have no decoder, and the released code groups heads of decoders only."
        return None

    def expected_failures(self) -> dict[str, str]:
        expected = {
            "check_the_dead_go_before_the_vital": "Groups are made of likeness: where all of a group are dead, one "
            "stays."
        }
        if self.params.training == "posthoc":
            expected["check_chance_is_declared"] = (
                "Positions and first centres are drawn with the seed, as in the code."
            )
        if self.params.training == "finetune":
            expected["check_one_of_two_equals_goes_before_the_vital"] = (
                "k-means from one drawn start may part two heads that dropout made differ a little."
            )
        return expected

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        sites = {site: units for site, units in ctx.units.sites.items() if self.is_grouped(site)}
        everyone = frozenset(unit for units in sites.values() for unit in units)
        most = max(len(units) for units in sites.values())
        for groups in self.params.groups or range(most - 1, 0, -1):
            ctx.rng.manual_seed(ctx.seed)  # the same positions whichever other counts are asked for
            with (
                ctx.heads(MADE[self.params.feature]) as heads,
                self.trained(ctx, heads, list(sites), groups) as weights,
            ):
                stay = self.election(ctx, heads, sites, groups)
            drop = everyone - stay
            name = f"{groups} group{'s' if groups > 1 else ''}"
            yield Plan(len(drop) / len(ctx.units), drop, weights, natural=name)
        yield Plan(len(everyone) / len(ctx.units), everyone, natural="floor")

    def is_grouped(self, site: Site) -> bool:
        return self.params.modules == "paper" or site.stack == "decoder"

    @contextmanager
    def trained(self, ctx: Context, heads: Heads, sites: list[Site], groups: int) -> Iterator[Path | None]:
        """Stage 1. The paper ends it when centres rest, its code after a fixed time, as here; what L_z did is told."""
        if self.params.training == "posthoc":
            yield None
            return
        told: list[float] = []

        def objective(batch: dict[str, Tensor]) -> Tensor:
            loss = ctx.loss(batch) / len(batch["labels"])
            term = self.group_term([self.features(ctx, heads, site) for site in sites], groups, ctx.seed)
            told.append(float(term.detach()))
            if self.params.scale == "code":
                term = term * len(sites) / tokens_scored(batch)
            return loss + term

        with ctx.trained(objective, self.params.share, from_scratch=self.params.training == "scratch") as weights:
            ctx.say(f"{groups} groups: L_z went from {told[0]:.3f} to {told[-1]:.3f}")
            yield weights

    def group_term(self, features: list[Tensor], groups: int, seed: int) -> Tensor:
        """L_z, the mean over layers; ``features`` are (heads, width) for every layer."""
        terms = []
        for rows in features:
            near, apart = closeness(rows, k_means(rows, min(groups, len(rows)), seed))
            terms.append(-self.params.alpha * near + self.params.beta * apart)
        return torch.stack(terms).mean()

    def features(self, ctx: Context, heads: Heads, site: Site) -> Tensor:
        """What each head made at some positions of the batch, side by side, (heads, positions x size). Pads are 0."""
        made = heads.at(site)
        rows = made.transpose(0, 1) if self.params.feature == "A" else made.permute(2, 0, 1, 3)
        rows = rows.flatten(1, 2)  # (heads, positions, size)
        some = torch.randperm(rows.shape[1], generator=ctx.rng)[: self.params.tokens]
        return rows[:, some.to(rows.device)].flatten(1).float()

    def election(self, ctx: Context, heads: Heads, sites: dict[Site, list[Unit]], groups: int) -> frozenset[Unit]:
        """One pass over the calibration data with frozen weights; who stays."""
        votes = {site: torch.zeros(len(units)) for site, units in sites.items()}
        together = {site: torch.zeros(len(units), len(units)) for site, units in sites.items()}
        for batch in ctx.calibration(self.params.examples, self.params.batch_size):
            ctx.logits(batch)
            for site in sites:
                rows = self.features(ctx, heads, site)
                labels = k_means(rows, min(groups, len(rows)), ctx.seed)
                votes[site] += ballot(rows, labels).cpu()
                together[site] += (labels[:, None] == labels).cpu()
        return frozenset(
            sites[site][place]
            for site in sites
            for place in self.elected(votes[site], together[site], groups, ctx.seed)
        )

    def elected(self, votes: Tensor, together: Tensor, groups: int, seed: int) -> list[int]:
        """Places of the heads that stay in a layer; of equal votes the lowest wins."""
        groups = min(groups, len(votes))
        if self.params.vote == "global":
            return votes.argsort(descending=True, stable=True)[:groups].tolist()
        # groups are made anew in every batch; those that count are made once, of who was together how often
        labels = k_means(together, groups, seed)
        return [int(votes.masked_fill(labels != group, -1).argmax()) for group in range(groups)]


def ballot(rows: Tensor, labels: Tensor) -> Tensor:
    """1 for the head of each group that is nearest its centre, the lowest of equals; 0 for the others."""
    distance = (rows - centres_of(rows, labels)[labels]).norm(dim=1)
    votes = torch.zeros(len(rows), device=rows.device)
    for group in range(int(labels.max()) + 1):
        votes[distance.masked_fill(labels != group, torch.inf).argmin()] = 1
    return votes


def tokens_scored(batch: dict[str, Tensor]) -> int:
    """What the released code divides its loss and L_z by: target tokens, or examples of a classification."""
    return int((batch["labels"] != -100).sum())
