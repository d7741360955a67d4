"""Remove the heads that attend with the least confidence (Voita et al., 2019, section 3).

    confidence = mean over query tokens of the maximum attention weight

The end of the sentence is no target: heads that have nothing to say look there. It is left out where the config names
it and the keys are input words (all but the decoder's own side in an encoder-decoder, whose inputs have no end yet).
Where queries share keys and values, the maximum is that of the group's mean map.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headroom.api import Context, Grain, Method, Plan, Scores, Site


class AttentionConfidence(Method):
    name = "attention-confidence"
    title = "Confidence"
    paper = "arXiv:1905.09418"

    @dataclass(frozen=True)
    class Params:
        examples: int = 256
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = self.confidence(ctx)
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def confidence(self, ctx: Context) -> Scores:
        peaks, queries = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
        with ctx.heads("map") as heads:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                ctx.logits(batch)
                for site in ctx.units.sites:
                    maps, ends = heads.at(site).float(), ends_of(ctx, batch, site)
                    if ends is not None:
                        maps = maps.masked_fill(ends[:, None, None], 0)
                    peaks[site] += maps.amax(-1).sum((0, 2))  # rows of padded queries are zero
                    queries[site] += int(heads.real(site).sum())
        return {site: peaks[site] / queries[site] for site in ctx.units.sites}


def ends_of(ctx: Context, batch: dict[str, Any], site: Site) -> Any:
    """Which keys of a site are ends of sentence, (batch, keys); None where that cannot be known."""
    config: Any = ctx.model.config
    end = getattr(config, "eos_token_id", None)
    own_side = config.is_encoder_decoder and (site.stack, site.kind) == ("decoder", "self")
    if "input_ids" not in batch or end is None or own_side:
        return None
    return sum(batch["input_ids"] == one for one in ([end] if isinstance(end, int) else end)).bool()
