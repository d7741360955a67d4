"""The Hub: which commit a revision is, the rows of a data set at a commit, and what is refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from headroom.config.data_source import COMMIT
from headroom.data.words import said
from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from datasets import Dataset

    from headroom.config.data_source import Source


LOG_IN = "log in with `hf auth login`"
FETCH = "run `headroom fetch --params ...` of its profile where there is one, and set HF_HOME to where it was put"
ELSEWHERE = {
    "model": f"Without a network, {FETCH}; or put the model below HEADROOM_DATA and name it as source.folder.",
    "dataset": f"Without a network, {FETCH}; or put files below HEADROOM_DATA and name them as data.folder.",
}
PLACES = {"model": "", "dataset": "datasets/"}  # of the Hub's pages
AWAY = "Without a network, set HF_HOME to a folder where the Hub's files are cached"
READERS = {".parquet": "from_parquet", ".json": "from_json", ".jsonl": "from_json", ".csv": "from_csv"}


def home() -> Path:
    """The folder in which the Hub's libraries keep what they fetch, as the environment says."""
    return Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")


def commit_of(name: str, revision: str, kind: str = "model") -> str:
    """The commit that a branch or tag is now; without a network the one that it was when it was asked last.

    Raises ``UserError`` with the next step where the Hub does not say.
    """
    if COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi

    try:
        return HfApi().resolve_revision(name, repo_type=kind, revision=revision).resolved
    except Exception as error:
        raise UserError(sentence(name, revision, error, kind)) from None


def rows(source: Source, split: str) -> Dataset:
    """A split of a data set of the Hub as its commit has it; what is in the cache is not asked for again.

    Raises ``UserError`` with the next step where it cannot be had.
    """
    name, revision = str(source.hub), str(source.revision)
    try:
        commit = commit_of(name, revision, "dataset")
        if source.hub_files:
            found = _of_files(name, commit, source.hub_files, split)
        else:
            there = (source.hub_splits or {}).get(split, split)
            found = _kept(name, source.config, commit, there) or _fetched(name, source.config, commit, there)
    except UserError:
        raise
    except Exception as error:  # refusals of the Hub, of the network, of the disk, and of the library about splits
        raise UserError(sentence(name, revision, error, "dataset")) from None
    return _renamed(found, name, source.hub_columns or {})


def _kept(name: str, config: str | None, commit: str, split: str) -> Dataset | None:
    """The split from the library's own cache, where it was made from this commit.

    The library itself would, without a network, take the last one that was made, of whichever commit.
    """
    import datasets
    from datasets.packaged_modules.cache.cache import Cache

    owner, _, short = name.rpartition("/")
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "___".join(filter(None, (owner, _snake(short))))
    found = [path for path in folder.glob(f"*/*/{commit}") if config in (None, path.parts[-3])]
    if len(found) != 1:
        return None
    made = {"config_name": found[0].parts[-3], "version": found[0].parts[-2], "hash": commit}
    return Cache(dataset_name=short, repo_id=name, **made).as_dataset(split=split)


def _snake(name: str) -> str:
    from datasets.naming import camelcase_to_snakecase

    return camelcase_to_snakecase(name)


def _fetched(name: str, config: str | None, commit: str, split: str) -> Dataset:
    from datasets import load_dataset

    found = load_dataset(name, config, split=split, revision=commit)
    if not all(commit in Path(file["filename"]).parts for file in found.cache_files):
        raise UserError(
            f"{name} at {commit} is not in the cache, where it is of another commit. {ELSEWHERE['dataset']}"
        )
    return found


def _of_files(name: str, commit: str, files: dict[str, str], split: str) -> Dataset:
    """The rows of the files of a split, one behind the other, of a data set that is too large to be fetched whole."""
    from datasets import Dataset
    from huggingface_hub import snapshot_download

    if split not in files:
        raise UserError(f"{name}: hub_files has no split {split!r}. {suggest(split, files)}")
    pattern = files[split]
    reader = READERS[Path(pattern.removesuffix(".gz")).suffix]
    folder = Path(snapshot_download(name, repo_type="dataset", revision=commit, allow_patterns=[pattern]))
    inside = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found = sorted(path for path in inside if fnmatch(path, pattern))
    if not found:
        raise UserError(f"{name} at {commit}: no file is called {pattern!r}, which hub_files.{split} names.")
    return getattr(Dataset, reader)([str(folder / path) for path in found])


def _renamed(found: Dataset, name: str, columns: dict[str, str]) -> Dataset:
    """The rows with the columns that the Hub calls otherwise; a part of a column becomes one of its own."""
    if any("." in there for there in columns.values()):
        found = found.flatten()
    for here, there in columns.items():
        if there not in found.column_names:
            raise UserError(f"{name}: hub_columns.{here} is {there!r}. {suggest(there, found.column_names)}")
        if here in found.column_names:
            raise UserError(f"{name}: hub_columns.{here}: the data set has that column already. Leave the key out.")
    return found.rename_columns({there: here for here, there in columns.items()})


def sentence(name: str, revision: str | None, error: Exception, kind: str = "model") -> str:
    """Why a model or a data set of the Hub could not be had, and what to do about it."""
    from huggingface_hub import errors

    what = "data set" if kind == "dataset" else kind
    page, model = f"https://huggingface.co/{PLACES[kind]}{name}", f"{name} at {revision}"
    for cause in causes(error):
        if isinstance(cause, errors.GatedRepoError) or "is a gated dataset" in str(cause):  # as datasets puts it
            return f"{model}: the Hub gives it to those who have asked. Ask for access at {page}, then {LOG_IN}."
        if isinstance(cause, errors.RevisionNotFoundError):
            return f"{model}: the {what} has no such revision. Take a branch, or a commit of {page}/commits."
        if isinstance(cause, errors.RepositoryNotFoundError):
            return f"{model}: the Hub has no such {what}, or a private one. Look at the name, or {LOG_IN}."
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in (401, 403):
            return f"{model}: the Hub does not give it to you ({status}). Ask for access at {page}, then {LOG_IN}."
    return f"{model} could not be had from the Hub: {said(error)} {ELSEWHERE[kind]}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: the libraries put words of their own over those of the Hub."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def name_now(name: str, kind: str = "model") -> str:
    """What a repository is called on the Hub now; the Hub goes on answering to the name that it had before."""
    from huggingface_hub import HfApi

    try:
        return HfApi().repo_info(name, repo_type=kind).id or name
    except Exception:  # who cannot be asked has nothing to add
        return name
