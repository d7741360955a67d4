"""Models of the Hub where they lie: in its cache, one folder for every commit, fetched once and never copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from headroom.config.data_source import COMMIT
from headroom.config.model_spec import ModelSpec
from headroom.data.hub import commit_of, sentence
from headroom.digests import of_file
from headroom.errors import UserError

# What a model is loaded from; its weights of other kinds, and copies of them under other names, stay on the Hub.
WANTED = (
    *("*.json", "*.txt", "*.model", "*.spm", "*.jinja", "*.tiktoken", "*.codes"),
    *("model.safetensors", "model-*.safetensors", "headroom.safetensors"),
)
CODE = "*.py"
BELOW = "*/*"  # folders hold other formats of the same model
MOST_ASKED = 20  # pull requests that are looked at

Seen = Mapping[str, list[Any]]  # size, time of change and SHA-256 of each file when its content was read


def pinned(spec: ModelSpec) -> ModelSpec:
    """The spec with the commit in the place of a branch or tag. Raises ``UserError`` where the Hub does not say it."""
    source = spec.source
    if source.hub is None:
        return spec
    commit = commit_of(source.hub, str(source.revision))
    return spec.model_copy(update={"source": source.model_copy(update={"revision": commit})})


def fetched(name: str, revision: str, code: bool = False) -> Path:
    """The folder of a model in the Hub's cache, whole; what is there already is not asked for again.

    ``code`` are the Python files that may come with it. Raises ``UserError`` with the next step where it cannot be had.
    """
    from huggingface_hub import snapshot_download

    wanted = [*WANTED, *([CODE] if code else [])]
    try:
        commit = commit_of(name, revision)
        folder = Path(snapshot_download(name, revision=commit, allow_patterns=wanted, ignore_patterns=[BELOW]))
    except UserError:
        raise
    except Exception as error:  # refusals of the Hub, of the network, of the disk
        raise UserError(sentence(name, revision, error)) from None
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{name} at {commit} has no *.safetensors file. Headroom loads no other kind of weights. {converted(name)}"
        )
    return folder


def converted(name: str) -> str:
    """Where the weights of a model may be had as safetensors: mostly somebody has asked its owner to take them."""
    from huggingface_hub import HfApi

    page = f"https://huggingface.co/{name}/discussions"
    try:
        asked = HfApi().list_repo_refs(name, include_pull_requests=True).pull_requests or []
        for one in asked[:MOST_ASKED]:
            if any(file.endswith(".safetensors") for file in HfApi().list_repo_files(name, revision=one.ref)):
                return f"{one.ref} of {page} has them: look at it, then say `revision: {one.ref}`."
    except Exception:  # who cannot be asked has no better idea
        pass
    return f"Ask for them at {page}, or convert them and name your own copy."


def cached(name: str, commit: str) -> Path:
    """The folder of a model that was fetched before. Raises ``UserError`` where it has gone; asks nobody."""
    folder = snapshot_folder(name, commit)
    if not folder.is_dir():
        raise UserError(
            f"{name} at {commit} is not in the Hub's cache ({folder.parents[2]}). Run `headroom fetch --params ...` "
            "of its profile where there is a network, or set HF_HOME to the folder that holds it."
        )
    return folder


def snapshot_folder(name: str, commit: str) -> Path:
    """Where the Hub's cache holds a commit of a model, or would."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model") / "snapshots" / commit


def digests(folder: Path, seen: Seen | None = None) -> dict[str, str]:
    """SHA-256 of every file that a model is loaded from, by name.

    A file of the size and time of change that were ``seen`` is not read again: to do so would take minutes.
    """
    known = seen or {}
    return {path.name: digest_of(path, known.get(path.name)) for path in parts(folder)}


def sightings(folder: Path, found: Mapping[str, str]) -> dict[str, list[Any]]:
    """What ``digests`` is given the next time."""
    return {path.name: [*_stamp(path), found[path.name]] for path in parts(folder)}


def parts(folder: Path) -> Iterator[Path]:
    """The files of a folder that a model is loaded from, in the order of their names."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and any(fnmatch(path.name, one) for one in (*WANTED, CODE)):
            yield path


def digest_of(path: Path, seen: list[Any] | None = None) -> str:
    """SHA-256 of a file. Raises ``UserError`` for one of the Hub's that does not hold what the Hub calls it by."""
    if seen and _stamp(path) == seen[:2]:
        return str(seen[2])
    blob = path.resolve()
    found = of_file(path)
    if blob.parent.name == "blobs" and blob.name != (_by_git(path) if COMMIT.fullmatch(blob.name) else found):
        raise UserError(
            f"{path}: does not hold what the Hub gave: it was damaged or changed. Delete {blob} and run "
            "`headroom fetch --params ...` again."
        )
    return found


def _stamp(path: Path) -> list[Any]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _by_git(path: Path) -> str:
    """The hash by which Git, and so the Hub, names a small file."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
