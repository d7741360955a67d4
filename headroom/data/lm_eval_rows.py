"""What lm-eval's own tasks ask, as rows of a table: made once, and from then on the same whatever the Hub holds.

A row to evaluate is a document of lm-eval's with the words that a model is given, solved examples included, and the
answers that it may choose from. A row to calibrate on is a document with its right answer as running text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from itertools import groupby
from typing import Any

import datasets
from datasets import Dataset, Features, Value
from lm_eval.config.task import TaskConfig

from headroom.config.data_source import Source
from headroom.config.tasks import Task, part_of
from headroom.data import hub
from headroom.data.lm_eval_tasks import Members, ServedTask, compiled_once, members, quiet, settings, told
from headroom.data.words import quiet as no_bars
from headroom.errors import UserError, suggest

CALIBRATE = 512  # documents, where the task file does not say which

Given = Callable[[str], Dataset | None]  # rows of a split that the task file names itself; None: the Hub has them

READ = {"member": Value("string"), "seen": Value("string"), "text": Value("string")}
ASKED = READ | {
    "doc": Value("string"),  # as JSON: what lm-eval scores an answer by
    "contexts": datasets.List(Value("string")),  # one, or one for each answer
    "answers": datasets.List(Value("string")),
    "generation": Value("string"),  # as JSON: how an answer is generated
    "guess": Value("float64"),  # share of guesses that are right
    "right": Value("int64"),  # place of the right answer; -1 where there is none to choose
    "weight": Value("float64"),
    "units": Value("float64"),  # words or bytes of a text, as lm-eval counts them
}


def frozen(task: Task, given: Given, train: bool = True) -> dict[str, Dataset]:
    """The splits of a task that names one of lm-eval's. What its documents are is said in their ``info.description``.

    Raises ``UserError`` where the task or its data cannot be had, and where nothing is left to calibrate on.
    """
    own, origins = Own(task, given), dict[str, None]()

    def serve(config: TaskConfig) -> Served:
        return Served(task, config, own, origins)

    kind = type("AskedOnce", (ServedTask,), {"serve": staticmethod(serve), "shots": settings(task).shots})
    splits = {}
    with quiet(), no_bars(), compiled_once(), redirect_stderr(StringIO()):  # lm-eval's progress bar has no switch
        found = members(task, kind)
        if train and task.splits.train:
            splits["train"] = _table(_read(task, found, task.splits.train), READ)
        splits["calibrate"] = _table(_read(task, found, task.splits.calibrate), READ)
        splits["evaluate"] = _table(_weighted(_asked(task, found), found), ASKED)
    for split in splits.values():
        split.info.description = ", ".join(origins)
    return splits


class Own:
    """Rows that the task file names itself, each split loaded and looked through once for all tasks of a group."""

    def __init__(self, task: Task, given: Given) -> None:
        self.file, self.column, self.rows = task.file, settings(task).by, cache(given)
        self.members = cache(self._members)

    def of(self, split: str, member: str | None) -> Dataset | None:
        """The rows of one task of a group, or all; None: the Hub has them.

        Raises ``UserError`` where there is no such column, or no row.
        """
        rows = self.rows(split)
        if rows is None or self.column is None:
            return rows
        places = self.members(split).get(member)
        if places is None:
            raise UserError(f"{self.file}: lm_eval.by is {self.column!r}, and no row has {member!r} there.")
        return rows.select(places)

    def _members(self, split: str) -> dict[Any, list[int]]:
        rows, column, places = self.rows(split), str(self.column), dict[Any, list[int]]()
        assert rows is not None
        if column not in rows.column_names:
            raise UserError(f"{self.file}: lm_eval.by is {column!r}. {suggest(column, rows.column_names)}")
        for place, value in enumerate(rows.data.column(column).to_pylist()):
            places.setdefault(value, []).append(place)
        return places


class Served(dict[str, Dataset]):
    """The splits of one task's data set: the task file's own rows, or else the Hub's, loaded when asked for."""

    def __init__(self, task: Task, config: TaskConfig, own: Own, origins: dict[str, None]) -> None:
        super().__init__()
        self.task, self.config, self.own, self.origins = task, config, own, origins

    def __missing__(self, split: str) -> Dataset:
        rows, origin = self.own.of(split, self.config.dataset_name), self.task.data.made or "files in HEADROOM_DATA"
        if rows is None:
            rows, origin = self._hub(split)
        self.origins[origin], self[split] = None, rows
        return rows

    def _hub(self, split: str) -> tuple[Dataset, str]:
        """A split of the data set that lm-eval names, and where it came from."""
        name, revision = str(self.config.dataset_path), settings(self.task).revision
        more = {key: value for key, value in (self.config.dataset_kwargs or {}).items() if key != "trust_remote_code"}
        try:
            if more:  # files, rather than a data set
                rows = datasets.load_dataset(name, self.config.dataset_name, split=split, revision=revision, **more)
                return rows, f"{name} as lm-eval names it"
            commit = hub.commit_of(name, revision or "main", "dataset")
            source = Source(hub=name, config=self.config.dataset_name, revision=commit)
            return hub.rows(source, split), f"{name} of the Hub at {commit}"
        except (UserError, OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise UserError(
                f"{self.task.file}: split {split!r} of lm_eval.task: {said} The file may have the same columns as the "
                f"Hub's and stand under data.folder.{split}."
            ) from None


def _asked(task: Task, found: Members) -> Iterator[dict[str, Any]]:
    """Rows to evaluate, in lm-eval's order."""
    how = settings(task)
    for name, one in found.tasks.items():
        with told(task, f"asks {name}"):
            one.build_all_requests(limit=how.limit)
            for _, requests in groupby(one.instances, key=lambda request: request.doc_id):
                yield _row(one, name, list(requests), how.metric)


def _row(one: Any, name: str, requests: Sequence[Any], metric: str) -> dict[str, Any]:
    doc, contexts, answers, generation = requests[0].doc, [], [], ""
    if one.OUTPUT_TYPE == "generate_until":
        contexts, generation = [requests[0].args[0]], json.dumps(requests[0].args[1], sort_keys=True)
    elif one.OUTPUT_TYPE == "loglikelihood_rolling":
        contexts = [requests[0].args[0]]
    else:
        contexts, answers = (list(part) for part in zip(*(request.args for request in requests), strict=True))
        contexts = contexts[:1] if len(set(contexts)) == 1 else contexts
    rolling = one.OUTPUT_TYPE == "loglikelihood_rolling"
    return {
        **_readable(one, name, doc),
        "doc": _kept(doc, name),
        "contexts": contexts,
        "answers": answers,
        "generation": generation,
        "guess": _guess(one, doc) if metric.startswith("acc") else 0.0,
        "right": next(iter(_right(one, doc)), -1) if one.OUTPUT_TYPE == "multiple_choice" else -1,
        "weight": 1.0,
        "units": float(one.process_results(doc, [0.0])[metric][1]) if rolling else 1.0,
    }


def _kept(doc: dict[str, Any], name: str) -> str:
    """A document as JSON. Raises ``TypeError`` for one that would come back as something else."""
    text = json.dumps(doc, ensure_ascii=False)
    if json.loads(text) != doc:
        raise TypeError(f"a document of {name} holds values that JSON does not give back")
    return text


def _weighted(rows: Iterable[dict[str, Any]], found: Members) -> list[dict[str, Any]]:
    """Rows whose weights make the score of all what lm-eval makes of the scores of a group's tasks."""
    rows = list(rows)
    if not found.by_size:
        sizes = Counter(row["member"] for row in rows)
        rows = [row | {"weight": len(rows) / len(sizes) / sizes[row["member"]]} for row in rows]
    return rows


def _read(task: Task, found: Members, split: str | None) -> Iterator[dict[str, Any]]:
    """Rows to calibrate or train on, of each task the same slice."""
    limit = settings(task).limit
    share = max(1, CALIBRATE // len(found.tasks))
    for name, one in found.tasks.items():
        with told(task, f"reads {name}"):
            docs = _documents(one, split) if split else _usual(one, limit, share)
            if docs is None:
                raise UserError(
                    f"{task.file}: splits.calibrate is missing, and lm-eval's {name} has no documents but those "
                    "that it evaluates. Name a split, or evaluate the first documents alone (lm_eval.limit)."
                )
            if not len(docs):
                raise UserError(f"{task.file}: splits name {split!r}, and {name} has no document there.")
            for doc in docs:
                yield _readable(one, name, doc)


def _documents(one: Any, text: str) -> Any:
    name, part = part_of(text)
    docs = one.dataset[name]
    if one.config.process_docs is not None:
        docs = one.config.process_docs(docs)
    return _some(docs, part)


def _usual(one: Any, limit: int | None, count: int) -> Any:
    """The first documents that train, or else of those that are solved examples, or else behind the evaluated ones."""
    if one.has_training_docs():
        return _some(one.training_docs(), slice(count))
    shown = one.fewshot_cfg.split
    if shown and shown != (one.config.test_split or one.config.validation_split):
        return _documents(one, f"{shown}[:{count}]")
    if one.has_test_docs() and one.has_validation_docs():
        return _some(one.validation_docs(), slice(count))
    if limit is not None and len(one.eval_docs) > limit:
        return _some(one.eval_docs, slice(limit, limit + count))
    return None


def _some(docs: Any, part: slice) -> Any:
    rows = range(len(docs))[part]
    return docs.select(rows) if isinstance(docs, Dataset) and rows else list(docs)[part]


def _readable(one: Any, name: str, doc: dict[str, Any]) -> dict[str, str]:
    """A document as running text with its right answer, and what is seen of it without knowing which that is."""
    context = one.fewshot_context(doc, num_fewshot=0, gen_prefix=one.doc_to_prefix(doc))
    made = one.construct_requests(doc=doc, ctx=context, metadata=(name, 0, 1))
    requests = [request.args for request in (made if isinstance(made, list) else [made])]
    if one.OUTPUT_TYPE == "generate_until":
        return {"member": name, "seen": requests[0][0], "text": requests[0][0] + _target(one, doc)}
    if one.OUTPUT_TYPE == "multiple_choice":
        right = next(iter(_right(one, doc)), None)
        asked = ["".join(pair) for pair in requests[: len(one.doc_to_choice(doc))]]
        return {"member": name, "seen": "\n".join(asked), "text": requests[0][0] if right is None else asked[right]}
    text = "".join(requests[0])
    return {"member": name, "seen": text, "text": text}


def _target(one: Any, doc: dict[str, Any]) -> str:
    target = one.doc_to_target(doc)
    if one.config.doc_to_choice is not None:
        target = one.doc_to_choice(doc)[target]
    return str(one.config.target_delimiter) + str(target[0] if isinstance(target, list) else target)


def _right(one: Any, doc: dict[str, Any]) -> list[int]:
    """Places of the right choices, as lm-eval reads them; none where a test set does not tell."""
    choices = one.doc_to_choice(doc)
    gold = one.doc_to_text(doc) if one.multiple_input else one.doc_to_target(doc)
    places = [choices.index(each) if each in choices else -1 for each in [gold]] if isinstance(gold, str) else gold
    places = places if isinstance(places, list) else [places]
    return [place for place in places if isinstance(place, int) and 0 <= place < len(choices)]


def _guess(one: Any, doc: dict[str, Any]) -> float:
    """The share of choices that are right; 0 where a model says a word of its own."""
    if one.OUTPUT_TYPE != "multiple_choice":
        return 0.0
    return len(set(_right(one, doc))) / len(one.doc_to_choice(doc))


def _table(rows: Iterable[dict[str, Any]], columns: dict[str, Any]) -> Dataset:
    return Dataset.from_list(list(rows), features=Features(columns))
