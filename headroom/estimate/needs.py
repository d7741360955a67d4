"""How many bytes have to come from the Hub or a package index for a model, and where nobody can be asked, why not."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import Task
from headroom.data.hub import sentence
from headroom.data.loading import data_folder, splits_of_hub
from headroom.errors import UserError
from headroom.models.packages import kept
from headroom.models.snapshots import WANTED, pinned
from headroom.models.sources import Source

Size = tuple[int | None, str]  # bytes, or None and a sentence why not


def weights(spec: ModelSpec, data: Path | None) -> Size:
    """What of a model is not here yet. Nothing for one that is made here or lies in a folder."""
    source = spec.source
    if source.package is not None:
        if kept(source.package):
            return 0, ""
        return None, f"the package index does not say how large {source.package} is before it is fetched."
    if source.hub is None:
        return 0, ""
    try:
        found = pinned(spec)
        if Source.of(found, data).there:
            return 0, ""
        return of_hub(source.hub, str(found.source.revision), "model", WANTED), ""
    except UserError as error:
        return None, str(error)


def rows(task: Task, data: Path | None) -> Size:
    """What of a task's data is not here. A data set that is in the library's cache counts as if it were not."""
    if task.data.of_lm_eval:
        return None, f"{task.file}: which data set it is lm-eval knows, and it is not asked before it is fetched."
    if not splits_of_hub(task, data_folder(data)):
        return 0, ""
    name, revision = str(task.data.hub), str(task.data.revision)
    try:
        return of_hub(name, revision, "dataset", tuple((task.data.hub_files or {}).values()) or ("*",)), ""
    except UserError as error:
        return None, f"{task.file}: {error}"


def of_hub(name: str, revision: str, kind: str, patterns: Iterable[str]) -> int:
    """Bytes of the files of a repository that match. Raises ``UserError`` where the Hub does not say."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    wanted, deep = tuple(patterns), kind == "dataset"  # folders of a model hold other formats of it
    try:
        found = list(HfApi().list_repo_tree(name, recursive=deep, revision=revision, repo_type=kind))
    except Exception as error:  # refusals of the Hub, of the network
        raise UserError(sentence(name, revision, error, kind)) from None
    files = [one for one in found if isinstance(one, RepoFile)]
    return sum(file.size for file in files if any(fnmatch(file.path, one) for one in wanted))
