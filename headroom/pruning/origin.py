"""Where a dense model came from, and under which licence: what its own files say, and nothing that they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from headroom.config.data_source import COMMIT
from headroom.config.located import read_json
from headroom.config.plain import plain
from headroom.digests import of_file
from headroom.errors import UserError
from headroom.models.packages import NOTE, cache_folder
from headroom.models.snapshots import snapshot_folder

CARD = "README.md"
LICENCES = re.compile(r"(licen[cs]e|copying)(\.(txt|md))?", re.IGNORECASE)
# First lines of licences that say which one it is; all others are called other, and the file goes along
HEADINGS = {"apache-2.0": ("Apache License", "Version 2.0, January 2004"), "mit": ("MIT License",)}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
LONGEST = 120  # letters of a word that another's card says


@dataclass(frozen=True)
class Licence:
    """As it is stated; an empty id: it is not."""

    id: str = ""  # one of the Hub's, or other
    name: str = ""
    link: str = ""
    by: str = ""  # what states it


@dataclass(frozen=True)
class Origin:
    """What the files of a model say of it. ``name`` may be published: it is no path."""

    name: str = ""
    hub: str = ""  # its id there, with the commit
    commit: str = ""
    called: str = ""  # as its own card calls it
    base: tuple[str, ...] = ()  # the models that its own card names as its base
    licence: Licence = Licence()
    languages: tuple[str, ...] = ()
    package: str = ""  # the wheel that it ships in
    files: tuple[Path, ...] = ()  # licences, to go along
    said: str = ""  # of its card, where it had one: that it is not repeated, or could not be read


def origin_of(named: str, folder: Path | None, hub: str = "", commit: str = "") -> Origin:
    """The origin of a model that a user called ``named``; ``folder`` is where its files lie, None: nowhere."""
    if folder is not None and not hub:
        hub, commit = in_cache(folder)
    origin = Origin(hub or (folder.resolve().name if folder is not None else _last(named)), hub, commit)
    if folder is None or not folder.is_dir():
        return origin
    return of_package(of_card(of_files(origin, folder), folder), folder)


def of_source(named: str, place: Path | str, revision: str | None) -> Origin:
    """The origin of what a user called ``named``, a folder or a Hub id; the card of that one is fetched."""
    if isinstance(place, Path):
        return origin_of(named, place)
    commit = str(revision)
    folder = snapshot_folder(place, commit)
    try:
        from huggingface_hub import hf_hub_download

        folder = Path(hf_hub_download(place, CARD, revision=commit)).parent
    except Exception:  # no card, or nobody to ask
        if not (folder / CARD).is_file():
            said = "Its card on the Hub could not be read, so its licence is not known here."
            return replace(origin_of(named, folder, place, commit), said=said)
    return origin_of(named, folder, place, folder.name if COMMIT.fullmatch(folder.name) else commit)


def of_live(model: Any) -> Origin:
    """The origin of a model in memory, as its loader noted it in the config."""
    named = str(getattr(model.config, "_name_or_path", "") or "")
    commit = str(getattr(model.config, "_commit_hash", "") or "")
    if named and Path(named).is_dir():
        return origin_of(named, Path(named))
    if HUB_ID.fullmatch(named) and COMMIT.fullmatch(commit):
        return origin_of(named, snapshot_folder(named, commit), named, commit)
    return Origin(_last(named) or type(model).__name__)


def _last(named: str) -> str:
    return named.rstrip("/\\").replace("\\", "/").rpartition("/")[2]


def in_cache(folder: Path) -> tuple[str, str]:
    """The Hub id and commit of a folder in the Hub's cache; empty for any other."""
    place = folder.absolute()
    owner, _, name = place.parent.parent.name.removeprefix("models--").partition("--")
    found = place.parent.name == "snapshots" and place.parent.parent.name.startswith("models--")
    return (f"{owner}/{name}" if name else owner, place.name) if found and COMMIT.fullmatch(place.name) else ("", "")


def of_files(origin: Origin, folder: Path) -> Origin:
    """With the licence that lies in the folder as a file."""
    files = tuple(path for path in sorted(folder.iterdir()) if LICENCES.fullmatch(path.name) and path.is_file())
    if not files:
        return origin
    head = [line.strip() for line in _start(files[0]).splitlines() if line.strip()][
        : len(max(HEADINGS.values(), key=len))
    ]
    found = next((name for name, lines in HEADINGS.items() if tuple(head[: len(lines)]) == lines), "other")
    name = "" if found != "other" else "as-in-the-file"
    stated = Licence(found, name, files[0].name if name else "", f"the file {files[0].name} beside it")
    return replace(origin, files=files, licence=stated)


def _start(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(2000)


def of_card(origin: Origin, folder: Path) -> Origin:
    """With what the model's own card states; its licence goes before that of a file."""
    if not (folder / CARD).is_file():
        return origin
    data = card_data(folder / CARD)
    if data is None:
        said = f"The {CARD} that lay beside it has no front matter that can be read, and is not repeated here."
        return replace(origin, said=said)
    licence = origin.licence
    if stated := _words(data.get("license")):
        name, link = (next(iter(_words(data.get(key))), "") for key in ("license_name", "license_link"))
        licence = Licence(", ".join(stated), name, link, "its own card")
    index = data.get("model-index")
    first = index[0] if isinstance(index, list) and index and isinstance(index[0], dict) else {}
    return replace(
        origin,
        called=next(iter(_words(data.get("model_name") or first.get("name"))), ""),
        base=_words(data.get("base_model")),
        languages=_words(data.get("language")),
        licence=licence,
        said="Its own card is not repeated here; the licence and the base model that it states are.",
    )


def card_data(path: Path) -> Mapping[str, Any] | None:
    """The front matter of a card; None where there is none that can be read."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK
    from ruamel.yaml import YAML, YAMLError

    try:
        block = REGEX_YAML_BLOCK.search(path.read_text(encoding="utf-8"))
        found = YAML(typ="safe", pure=True).load(block[2]) if block else None
    except (OSError, ValueError, YAMLError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _words(value: object) -> tuple[str, ...]:
    """A word or a list of them, as a card may have it, each of one line."""
    listed = value if isinstance(value, list) else [value]
    return tuple(" ".join(plain(one).split())[:LONGEST] for one in listed if isinstance(one, str) and one.strip())


def of_package(origin: Origin, folder: Path) -> Origin:
    """With the wheel that a model was made from, and the licence of that."""
    if not (folder / NOTE).is_file():
        return origin
    try:
        note = read_json(folder / NOTE)
        package = f"{note['name']} {note['version']}"
        known = [path for path in wheels(str(note["name"])) if of_file(path) == note["sha256"]]
    except (UserError, LookupError, OSError):
        return origin
    licence = licence_in(known[0]) if known and not origin.licence.id else ""
    stated = Licence("other", licence, "", f"the metadata of the package {package}") if licence else origin.licence
    return replace(origin, name=str(note["name"]), package=package, licence=stated)


def wheels(name: str) -> Iterator[Path]:
    start = re.sub(r"[-_.]+", "_", name).lower()
    for path in sorted((cache_folder() / "wheels").glob("*.whl")):
        if re.sub(r"[-_.]+", "_", path.name).lower().startswith(f"{start}_"):
            yield path


def licence_in(wheel: Path) -> str:
    """What the metadata of a wheel call its licence; empty where they do not."""
    try:
        with ZipFile(wheel) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
            found = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))
    except (OSError, BadZipFile, StopIteration):
        return ""
    classified = [one.rpartition("::")[2] for one in found.get_all("Classifier", []) if one.startswith("License ::")]
    stated = found.get("License-Expression") or next(iter(classified), "") or found.get("License") or ""
    return next(iter(_words(stated.splitlines()[0] if stated else None)), "")
