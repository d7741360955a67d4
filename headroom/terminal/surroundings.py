"""What a system, a locale or an installation refuses, as one sentence: it is the user's to mend, and no bug of ours."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

OURS = Path(__file__).resolve().parents[1]
RUST = re.compile(r"\(os error (\d+)\)")

# What can be done about a refusal of the system. One that is not named here, and names no file, is a bug of ours.
MEND = {
    errno.EACCES: "change its rights, or name a place that is yours",
    errno.EPERM: "change its rights, or name a place that is yours",
    errno.EROFS: "name a place that can be written, or work in a copy of the project that can",
    errno.ENOENT: "make it, or name one that is there",
    errno.ENOTDIR: "a file stands where a folder is wanted; move it away, or name another place",
    errno.EISDIR: "a folder stands where a file is wanted; move it away, or name another place",
    errno.EEXIST: "move it away, or name another place",
    errno.ENOTEMPTY: "another process writes there; run the same command again when it is done",
    errno.ENAMETOOLONG: "name it with fewer letters",
    errno.ELOOP: "its symbolic links lead in a circle; name the file itself",
    errno.EMFILE: "raise the limit with `ulimit -n`, or ask for fewer processes with HEADROOM_WORKERS",
    errno.ENFILE: "close other programs, or ask for fewer processes with HEADROOM_WORKERS",
    errno.EAGAIN: "raise the limit with `ulimit -u`, or ask for fewer processes with HEADROOM_WORKERS",
    errno.EIO: "the disk or its connection is at fault; try another place",
    errno.EFBIG: "raise the limit with `ulimit -f`, or name another disk",
    errno.ESTALE: "the network disk has lost it; go to the folder anew",
    errno.ETXTBSY: "wait until the program that uses it has ended",
    errno.EBUSY: "wait until the program that uses it has ended",
    errno.EXDEV: "name a place on the same disk",
    **dict.fromkeys(
        (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT),
        "look at the network, or set HF_HUB_OFFLINE=1 and use what is on this machine",
    ),
}
EXTRAS = {"ray": "ray", "pynvml": "energy", "gguf": "packages", "peft": "heal"}  # modules that our extras bring along
PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn", "google": "protobuf", "yaml": "pyyaml", "ruamel": "ruamel.yaml"}
# How transformers says that a class needs a package: not by the name of the module, but in a text of many lines.
NAMED_IN_TEXT = ("sentencepiece", "tiktoken", "protobuf", "sacremoses", "timm", "bitsandbytes", "torchvision", "ray")


def said(error: BaseException) -> str:
    """The sentence for an error that is the user's to mend; empty for one that is ours, which keeps its traceback."""
    if isinstance(error, UnicodeError):
        return said_of_letters(error)
    if isinstance(error, ImportError):
        return said_of_package(error)
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "Nothing says where your home folder is. Set HOME, and run the same command again."
    if number := number_of(error):
        return said_of_system(error, number)
    return ""


def number_of(error: BaseException) -> int | None:
    """The system's number of an error; libraries written in Rust put it in their text."""
    if isinstance(error, OSError):
        return error.errno
    found = RUST.search(str(error))
    return int(found[1]) if found else None


def full_disk(error: BaseException) -> str:
    """What has no room left, where an error says that; else empty."""
    full = number_of(error) in (errno.ENOSPC, errno.EDQUOT)
    return str(getattr(error, "filename", None) or "the disk") if full else ""


def said_of_system(error: BaseException, number: int) -> str:
    """File, reason and next step; empty for a file of our own that is not there, and for what no user can cause."""
    names = (getattr(error, key, None) for key in ("filename2", "filename"))
    file = next((str(name) for name in names if isinstance(name, str | Path)), "")
    if is_gone():
        return "The working directory is no more. Go to one that is there, and run the same command again."
    if (file and Path(file).is_relative_to(OURS)) or not (file or number in MEND):
        return ""
    if number == errno.ENOENT and any(frame.f_globals.get("__name__") == "subprocess" for frame in frames(error)):
        return f"{file}: there is no such program here. Install it, or put its folder on PATH."
    reason, mend = os.strerror(number), MEND.get(number, "name another place")
    return f"{file or 'The system'}: {reason[0].lower()}{reason[1:]}. {mend[0].upper()}{mend[1:]}."


def is_gone() -> bool:
    """Whether the working directory was removed while something still stands in it."""
    try:
        return not Path.cwd().is_dir()
    except OSError:
        return True


def said_of_letters(error: UnicodeError) -> str:
    """A file that is not UTF-8, or a name that the locale cannot write."""
    if isinstance(error, UnicodeDecodeError):
        file = read_by(error)
        if not file:
            return ""
        return f"{file}: byte {error.start} is not UTF-8. Save it as UTF-8, which every file of Headroom is."
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end]
        if error.encoding.replace("-", "") not in ("utf8", "utf16", "utf32"):
            return (
                f"The locale writes {error.encoding}, which lacks {text!a}, so a file of that name cannot be reached. "
                "Set LC_ALL=C.UTF-8 or PYTHONUTF8=1, and run the same command again."
            )
        if any(not word.isprintable() and text in word for word in sys.argv):
            return f"A word of the command line is not in the letters of the locale: {text!a}. Write it in UTF-8."
    return ""


def read_by(error: BaseException) -> Path | None:
    """The file that was being read, which the decoder does not know: whoever opened it does."""
    for frame in reversed(list(frames(error))):
        owner = frame.f_locals.get("self")
        if frame.f_globals.get("__name__", "").startswith("pathlib") and isinstance(owner, Path):
            return owner if not owner.resolve().is_relative_to(OURS) else None
    return None


def frames(error: BaseException) -> Iterator[FrameType]:
    """The calls that an error came through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def said_of_package(error: ImportError) -> str:
    """A package that is not installed, and the command that installs it. Our own modules are always there."""
    module = (error.name or "").partition(".")[0]
    text = " ".join(str(error).split())
    if module in ("headroom", "headroom_methods") or module in sys.stdlib_module_names:
        return ""
    if not isinstance(error, ModuleNotFoundError):
        if text.startswith("cannot import name"):
            return ""  # a wrong name in our file, or a library of another version: the trace tells which
        # the library is there, and what it is made of is not: its own words say what
        module = next((name for name in NAMED_IN_TEXT if name in text.lower()), module)
        if not module:
            return f"A library cannot be loaded: {text.rstrip('.')}. Install it, or another build of what asks for it."
        if find_spec(module.replace("protobuf", "google.protobuf")):
            anew = f"pip install --force-reinstall {package(module)}"
            return f"{module} cannot be loaded: {text.rstrip('.')}. Install it anew: `{anew}`."
    if not module:
        return ""
    return f"The Python package {package(module)} is needed here and is not installed. Run `{command(module)}`."


def package(module: str) -> str:
    """What pip calls the package of a module."""
    return PACKAGES.get(module, module.replace("_", "-"))


def command(module: str) -> str:
    """What installs a module: an extra of ours, all that Headroom needs, or the package alone."""
    if module in EXTRAS:
        return f"pip install 'headroom[{EXTRAS[module]}]'"
    needed = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires("headroom") or [] if "extra ==" not in line
    }
    if package(module) in needed:
        return "pip install --constraint constraints.txt --editable ."
    return f"pip install {package(module)}"
