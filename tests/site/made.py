"""What the records of the tables' tests lack: a second setting, claims, and many methods."""

from __future__ import annotations

import base64
from pathlib import Path

import fixtures

from headroom.results.records import Agreement, CellRecord, TaskScore
from headroom.results.rows import AnswerRow
from headroom.results.write import write_table

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
CLAIMS = """id,source,prediction,model,task,verdict,figure,low,high,reason
M1,M1,Most heads are redundant alone.,bert-pydocs,package,holds,0.04,0.01,0.09,
L2,L2,Deep layers go first.,vit-digits,digits,does not hold,0.41,0.30,0.52,Shallow layers went first.
L6,L6,Scoring again does not win.,vit-digits,digits,undecided,0.80,-0.40,2.10,
V5,V5,Fine-tuned gates beat gates from scratch.,mt-constructed,,not testable here,,,,Nothing was trained from scratch.
"""
CHECKS = """method,model,check,figure,low,high,verdict,reason
michel-greedy,,check_paper_can_be_found,,,,passes,
michel-greedy,bert,check_the_dead_go_before_the_vital,,,,passes,
michel-greedy,vit,check_the_dead_go_before_the_vital,,,,passes,
michel-greedy,bert,distance to the oracle at 0.5,0.2382,0.1051,0.4413,passes,
michel-greedy,bert,dead units among the first removed,1.0000,1.0000,1.0000,passes,
magnitude-heads,bert,check_the_dead_go_before_the_vital,,,,expected failure,Weights of a dead head need not be small.
magnitude-heads,bert,distance to the oracle at 0.5,0.4382,0.2051,0.6413,passes,
"""

PAIRS = """model,task,setting,group,method,other,difference,difference_low,difference_high
bert-pydocs,package,as is,attention,michel-greedy,layer-similarity,0.004000,0.001000,0.007000
"""


def recovered(record: CellRecord) -> CellRecord:
    """The record with every point of the series a second time, fine-tuned and a little better."""
    again = [
        point.model_copy(update={"setting": "recovered", "updates": 100}) for point in record.points if not point.label
    ]
    return record.model_copy(update={"points": [*record.points, *again]})


def agreeing(record: CellRecord) -> CellRecord:
    """The record with agreement with the dense model beside the score of every task."""
    facts = {
        name: one.model_copy(update={"metric": "divergence", "better": "lower", "unit": "bits", "chance": 2.0})
        for name, one in record.tasks.items()
    }
    points = [point.model_copy(update={"agreement": _agreement(point.tasks)}) for point in record.points]
    return record.model_copy(update={"points": points, "agreement": facts})


def _agreement(scores: dict[str, TaskScore]) -> dict[str, Agreement]:
    """Less of the agreement is left than of quality: 2 bits are those of a model that predicts the mean."""
    found = {}
    for name, score in scores.items():
        kept = min(score.retained**2, 1.0)
        ends = {"low": 1.9 * (1 - kept), "high": 2.1 * (1 - kept)}
        paired = {f"difference{end}": 2 * (1 - kept) for end in ("", "_low", "_high")}
        share = {f"flips{end}": (1 - kept) / 2 for end in ("", "_low", "_high")}
        value = {"value": 2 * (1 - kept), "retained": kept, "retained_low": kept - 0.004, "retained_high": kept + 0.004}
        found[name] = Agreement(**{"examples": score.examples} | value | ends | paired | share)
    return found


def write_answers(folder: Path) -> None:
    """answers.csv, as `collect` writes it from what the evaluators keep: two translations and a picture."""
    rows = []
    for example, (given, wanted) in enumerate([("das haus", "the house"), ("<b>laut</b> " + "und " * 200, "loud")]):
        common = {"model": "mt-constructed", "task": "pair", "given": given, "wanted": wanted, "example": example}
        rows.append(common | {"setting": "as is", "method": "dense", "title": "Dense", "target": 0, "said": wanted})
        for method in ("michel-greedy", "random-heads"):
            line = {"setting": "as is", "group": "attention", "method": method, "title": fixtures.METHODS[method].title}
            for target in (0.25, 0.5, 0.75):
                said = wanted if (method, target) == ("michel-greedy", 0.25) else f"{method} <i>{target}</i>"
                rows.append(common | line | {"target": target, "said": said})
    common = {"model": "vit-digits", "task": "digits", "wanted": "7", "setting": "as is", "example": 0}
    common |= {"image": "answers/vit-digits-digits-0.png"}
    rows.append(common | {"method": "dense", "title": "Dense", "target": 0, "said": "7"})
    line = {"group": "attention", "method": "layer-similarity", "title": "Layer similarity", "target": 0.5, "said": "1"}
    rows.append(common | line)
    write_table(folder, "answers", [AnswerRow(seed=0, **row) for row in rows])
    (folder / "answers").mkdir(exist_ok=True)
    (folder / "answers" / "vit-digits-digits-0.png").write_bytes(PICTURE)


def write_verdicts(folder: Path) -> None:
    """claims.csv and checks.csv as other parts of Headroom write them."""
    (folder / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    (folder / "checks.csv").write_text(CHECKS, encoding="utf-8")
    (folder / "pairs.csv").write_text(PAIRS, encoding="utf-8")


def write_many(results: Path, methods: int, models: int) -> tuple[list[str], list[str]]:
    """Records of so many methods and models under other names than the fixtures'; returns both lists."""
    first = [name for name in fixtures.METHODS if name != "dense"]
    pool = ["dense", *first, *(f"method-{number}" for number in range(methods - len(first)))]
    sources = list(fixtures.MODELS)
    names_ = [sources[n] if n < len(sources) else f"{sources[n % len(sources)]}-{n}" for n in range(models)]
    fixtures.write_profile(results, cells={(sources[0], "dense"): fixtures.cell("quick", sources[0], "dense")})
    for number, model in enumerate(names_):
        for place, method in enumerate(pool):
            kind = method if method in fixtures.METHODS else first[place % len(first)]
            _write_as(results / "quick", sources[number % len(sources)], kind, model, method)
    return pool, names_


def _write_as(folder: Path, source: str, kind: str, model: str, method: str) -> None:
    record = fixtures.cell("quick", source, kind)
    names_ = {"model": model, "method": method, "title": record.title if method == kind else f"{record.title} {method}"}
    fixtures.write(folder / "quality" / model / f"{method}.json", record.model_copy(update=names_))
    if kind != "dense":
        speed = fixtures.speed("quick", record).model_copy(update={"model": model, "method": method})
        fixtures.write(folder / "speed" / fixtures.MACHINE / model / f"{method}.json", speed)
