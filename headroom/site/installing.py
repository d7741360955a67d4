"""Pages take the place of those that an earlier build wrote, and of nothing else in the folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headroom.errors import UserError

MANIFEST = "pages.txt"  # every file of a build, one a line: only these may go with the next one


@contextmanager
def pages_in(out: Path) -> Iterator[Path]:
    """A draft folder to write pages into; at the end of the block they are moved to ``out``.

    Raises ``UserError``, with nothing touched, where ``out`` holds a file of somebody else's that a page would replace.
    A build that breaks off leaves the pages before it as they were.
    """
    draft = out.with_name(f".{out.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        install(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def install(draft: Path, out: Path) -> None:
    """Move every file of the draft, after the files of the build before it are gone."""
    new = sorted(path.relative_to(draft).as_posix() for path in draft.rglob("*") if path.is_file())
    old = ours(out)
    foreign = [name for name in new if (out / name).exists() and name not in old]
    if foreign:
        raise UserError(
            f"{out / foreign[0]}: is there already and no page of Headroom's ({MANIFEST} lists those), so it is left "
            "alone. Name another folder, or move the file away."
        )
    for name in old:
        (out / name).unlink(missing_ok=True)
    for name in new:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).replace(out / name)
    folders = {folder for name in old for folder in (out / name).parents if out in folder.parents}
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    (out / MANIFEST).write_text("".join(f"{name}\n" for name in new), encoding="utf-8", newline="\n")


def ours(out: Path) -> set[str]:
    """The files that the manifest of ``out`` lists, as far as they are inside of it."""
    manifest = out / MANIFEST
    names = manifest.read_text(encoding="utf-8").splitlines() if manifest.is_file() else []
    home = out.resolve()
    return {name for name in names if name and home in (out / name).resolve().parents}
