"""Join the Ray cluster that RAY_ADDRESS names, or start one on this machine; what goes wrong there is one sentence.

The code goes along, so that it need not lie on the nodes: this package, and the methods and tasks of this project.
Ray is imported here and in its neighbours only, which are imported only where ``run.engine`` says so.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headroom.config.project import root
from headroom.config.tasks import tasks_folder
from headroom.errors import UserError
from headroom.measure.machine import cores

PATIENCE = 10.0  # seconds for a cluster to answer
INSTALL = "Install it with `pip install 'headroom[ray]'`, or say `engine: processes`."
LEAVE_OUT = "or leave RAY_ADDRESS out: then a cluster is started on this machine"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files make the same bundle, which a node that has it is not sent again


def library() -> Any:
    """Ray. Raises ``UserError`` where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    try:
        import ray
    except ImportError:
        raise UserError(f"params.yaml: run.engine is ray, which is not installed here. {INSTALL}") from None
    return ray


@contextmanager
def joined() -> Iterator[Any]:
    """Ray, with a cluster behind it for as long as the block lasts. Raises ``UserError`` where none can be had."""
    ray, address = library(), os.environ.get("RAY_ADDRESS") or "local"
    check(address)
    here: dict[str, Any] = {"include_dashboard": False, "num_cpus": cores(), "_node_ip_address": "127.0.0.1"}
    with tempfile.TemporaryDirectory(prefix="headroom-code-") as folder:
        code = bundle(Path(folder) / "headroom.zip")
        try:
            ray.init(
                address=address,
                runtime_env={"working_dir": str(code)},
                log_to_driver=False,  # what a worker says comes back with its answer
                logging_level=logging.ERROR,
                **(here if address == "local" else {}),
            )
        except Exception as error:  # Ray has no class of its own for what its users can mend
            raise UserError(refused(address, error)) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def check(address: str) -> None:
    """Raises ``UserError`` for an address at which nothing can answer: Ray itself would wait for minutes."""
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        raise UserError(
            f"RAY_ADDRESS is {address!r}; wanted HOST:PORT, as `ray start --head` prints it, {LEAVE_OUT}. "
            "Run this on a machine of the cluster: its head, or one with `ray start --address=HOST:PORT`."
        )
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"RAY_ADDRESS is {address}, and no Ray cluster answers there ({why}). "
            f"Start one with `ray start --head`, {LEAVE_OUT}."
        ) from None


def refused(address: str, error: Exception) -> str:
    """Why Ray could not be joined, as a sentence, by Ray's own words."""
    said = " ".join(str(error).split())
    if "ersion mismatch" in said:
        return f"RAY_ADDRESS is {address}, whose Ray or Python is another version than here: {said[:400]}"
    where = "No Ray cluster could be started here" if address == "local" else f"RAY_ADDRESS is {address}, no cluster of"
    joint = "" if address == "local" else " which this machine is a part: run this on its head, or `ray start` here"
    return f"{where}{joint} ({type(error).__name__}: {said[:400]})."


def bundle(path: Path) -> Path:
    """A zip of the code that a worker runs, laid out as a checkout is: the package with methods and tasks beside it."""
    package = Path(__file__).resolve().parents[1]
    folders = {"headroom": package, "methods": root() / "methods", "tasks": tasks_folder()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, folder in folders.items():
            for file in sorted(folder.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    inside = f"{name}/{file.relative_to(folder).as_posix()}"
                    made.writestr(zipfile.ZipInfo(inside, EPOCH), file.read_bytes())
        made.writestr(zipfile.ZipInfo("params.yaml", EPOCH), "# marks a project\n")
    return path
