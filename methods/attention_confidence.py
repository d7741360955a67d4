"""Remove the heads that attend with the least confidence (Voita et al., 2019, section 3).

    confidence = mean over query tokens of the maximum attention weight

The end of the sentence is no target: heads that have nothing to say look there. It is left out where the config names
it and the keys are input words (all but the decoder's own side in an encoder-decoder, whose inputs have no end yet).
Where queries share keys and values, the maximum is that of the group's mean map.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headroom.api import Context, Grain, Method, Plan, Scores, confidence


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
        return confidence(ctx, self.params.examples, self.params.batch_size)
