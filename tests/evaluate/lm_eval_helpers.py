"""Tiny data sets in the shape of the Hub's, and tasks of ours that name lm-eval's own."""

from typing import Any

from datasets import Dataset, DatasetDict
from evaluation_helpers import sentences

from headroom.config.located import validated
from headroom.config.tasks import Task
from headroom.data import loading

LINES = sentences(60, 7)
SUBJECTS = [
    "econometrics",
    *(f"high_school_{name}" for name in ("geography", "government_and_politics", "macroeconomics")),
    *(f"high_school_{name}" for name in ("microeconomics", "psychology")),
    *("human_sexuality", "professional_psychology", "public_relations"),
    *("security_studies", "sociology", "us_foreign_policy"),
]


def hellaswag(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "activity_label": f"Topic {first + row}",
            "ctx_a": LINES[row % 60],
            "ctx_b": LINES[(row + 7) % 60],
            "endings": [f"{LINES[(row + turn) % 60]} {turn} [step]" for turn in (1, 3, 5, 9)],
            "label": str(row % 4),
        }
        for row in range(first, first + count)
    ]


def winogrande(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"sentence": f"{row} the _ saw {LINES[row % 60]}", "option1": "w1", "option2": "w2", "answer": str(1 + row % 2)}
        for row in range(first, first + count)
    ]


def mmlu(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Rows of every subject, of the first ones more: their scores then weigh more in the group's."""
    return [
        {
            "subject": subject,
            "question": f"{subject} {row} {LINES[(row * 5 + place) % 60]}?",
            "choices": [LINES[(row + turn) % 60] for turn in range(4)],
            "answer": (row + place) % 4,
        }
        for place, subject in enumerate(SUBJECTS)
        for row in range(first, first + count + (place < 3))
    ]


def gsm8k(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"question": f"{row} and {LINES[row % 60]}", "answer": f"It is {row}.\n#### {row}"}
        for row in range(first, first + count)
    ]


def pages(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"page": f" = {LINES[row % 60]} = \n 1 @,@ 000 {LINES[(row + 1) % 60]}"} for row in range(first, first + count)
    ]


def lambada(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"text": f"{LINES[row % 60]} {LINES[(row + 11) % 60]}"} for row in range(first, first + count)]


ROWS = {
    "hellaswag": {"train": hellaswag(12), "validation": hellaswag(14, 20)},
    "winogrande": {"train": winogrande(12), "validation": winogrande(14, 20)},
    "mmlu_social_sciences": {"dev": mmlu(5), "test": mmlu(2, 9)},
    "gsm8k": {"train": gsm8k(12), "test": gsm8k(6, 20)},
    "wikitext": {"train": pages(6), "validation": pages(3, 10), "test": pages(5, 20)},
    "lambada_openai": {"test": lambada(14)},
}
PATHS = {
    "Rowan/hellaswag": "hellaswag",
    "allenai/winogrande": "winogrande",
    "cais/mmlu": "mmlu_social_sciences",
    "openai/gsm8k": "gsm8k",
    "EleutherAI/wikitext_document_level": "wikitext",
    "EleutherAI/lambada_openai": "lambada_openai",
}


def task(name: str, metric: str, rows: bool = True, **how: Any) -> Task:
    """A task file that names lm-eval's task ``name``, as it is read. With ``rows`` its data are those above."""
    other = {key: how.pop(key) for key in ("splits", "overlap", "data") if key in how}
    content = {"name": "asked", "version": 1, "summary": "made", "licence": "none", "cite": "nobody"}
    data = {"data": {"made": f"tasks/{name}.py"}} if rows else {}
    return validated(
        Task, content | {"lm_eval": {"task": name, "metric": metric} | how} | data | other, "tasks/asked.yaml"
    )


def split_up(task: Task, project: Any) -> dict[str, Dataset]:
    """The splits of a task whose rows stand in a file of the project."""
    if task.data.made and task.lm_eval:
        file = project / task.data.made
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"def make(seed):\n    return {ROWS[task.lm_eval.task]!r}\n")
    return loading.load_splits(task, made_in=project)


def as_the_hub_has_them(path: str, name: str | None = None, **_: Any) -> DatasetDict:
    """What ``datasets.load_dataset`` gives lm-eval where the Hub holds these rows."""
    splits = ROWS[PATHS[path]]
    wanted = {key: [row for row in rows if row.get("subject", name) == name] for key, rows in splits.items()}
    return DatasetDict({key: Dataset.from_list(rows) for key, rows in wanted.items()})
