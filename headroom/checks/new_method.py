"""Start a method: its file from the template, and its line in params.yaml."""

from __future__ import annotations

import re
import shutil
from io import StringIO
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

from headroom.config.params import load
from headroom.config.project import root
from headroom.config.registry import method_files, short
from headroom.errors import UserError

TEMPLATE = Path(__file__).with_name("method.py.j2")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 100
RESERVED = ("methods", "params")  # sub-commands of `headroom check`


def new_method(name: str, params_file: Path) -> list[Path]:
    """Write the file and the line; returns what was written, relative to the project.

    Raises ``UserError``, before anything is written, for a name that is taken or none, and for params with mistakes.
    """
    refuse_name(name, params_file)
    file = root() / "methods" / f"{name.replace('-', '_')}.py"
    params = params_file.resolve()  # a link stays one
    draft = params.with_name(f".{params.name}.draft")
    ends = "\r\n" if b"\r\n" in params.read_bytes() else "\n"
    try:  # what may fail for rights or room comes first, and params.yaml is never half written
        shutil.copy(params, draft)
        draft.write_text(with_method(params.read_text(encoding="utf-8-sig"), name), encoding="utf-8", newline=ends)
        file.write_text(method_text(name), encoding="utf-8")
        draft.replace(params)
    finally:
        draft.unlink(missing_ok=True)
    return [Path(short(file)), params_file]


def refuse_name(name: str, params_file: Path) -> None:
    """Raises ``UserError`` unless the name can be a method's and is free."""
    if not NAME.fullmatch(name) or name in RESERVED:
        allowed = "lower-case letters, digits and single dashes, a letter first, and not a word of `headroom check`"
        wish = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        hint = f" Try {wish!r}." if NAME.fullmatch(wish) and wish not in RESERVED else ""
        raise UserError(f"{name!r} cannot be a method's name: {allowed}.{hint}")
    if len(name) > LONGEST:
        raise UserError(f"A method's name has at most {LONGEST} letters, and this one has {len(name)}: it names files.")
    if name in method_files():
        where = f"methods/{name.replace('-', '_')}.py"
        raise UserError(f"{where} is there already. Edit it, or choose another name; `headroom list` shows all.")
    if name in load(params_file).methods:
        raise UserError(f"{params_file}: methods.{name} is an entry already. Choose another name.")


def method_text(name: str) -> str:
    """The file of a method that removes heads at random."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    words = name.replace("-", " ")
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=name, title=words[0].upper() + words[1:], class_name=words.title().replace(" ", "")
    )


def with_method(text: str, name: str) -> str:
    """params.yaml with ``name: {}`` as the last of its methods; comments and everything else stay."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 2**16  # long lines stay long
    content, stream = yaml.load(text), StringIO()
    content["methods"][name] = yaml.load("{}")
    yaml.dump(content, stream)
    return stream.getvalue()
