"""A hub on this machine: what huggingface_hub and datasets ask the Hub over HTTP, answered from folders of a test."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".gz", ".bin")  # what the Hub keeps apart, named by its SHA-256
API = re.compile(r"^/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info|refs)(?:/([^/]+)(?:/(.*))?)?)?$")
FILE = re.compile(r"^/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@dataclass
class Repository:
    """What the Hub holds under one name: files of every commit, and the names that point to commits."""

    name: str
    commits: dict[str, dict[str, Path]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False

    def files(self, revision: str) -> tuple[str, dict[str, Path]] | None:
        """The commit that a revision means, and its files by name."""
        commit = self.refs.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


class Hub:
    """The server, with what it serves; ``asked`` are the requests that reached it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.renamed: dict[tuple[str, str], str] = {}
        handler = type("Bound", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, name: str, folder: Path, kind: str = "models", ref: str = "main", gated: bool = False) -> str:
        """Commit a folder to a branch or tag of a repository, which is made where it is not there; the commit."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        kept, whole = {}, hashlib.sha1(name.encode())
        for path in paths:
            inside = path.relative_to(folder).as_posix()
            kept[inside] = self.folder / digest(path, "sha256")
            whole.update(inside.encode() + kept[inside].name.encode())
            if not kept[inside].exists():
                shutil.copy(path, kept[inside])
        repository = self.repositories.setdefault((kind, name), Repository(name))
        repository.commits[whole.hexdigest()] = kept
        repository.refs[ref], repository.gated = whole.hexdigest(), gated
        return whole.hexdigest()

    def rename(self, old: str, new: str, kind: str = "models") -> None:
        """Give a repository another name; whoever asks for the old one is sent there."""
        repository = self.repositories[kind, new] = self.repositories.pop((kind, old))
        repository.name, self.renamed[kind, old] = new, new


def digest(path: Path, how: str) -> str:
    """As the Hub names contents: SHA-256 of what it keeps apart, and Git's own hash of the rest."""
    content = path.read_bytes()
    if how == "sha256":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: object) -> None:
        self.send_response(status)
        headers.setdefault("Content_Length", len(body))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def say(self, content: Any, status: int = 200, **headers: object) -> None:
        self.answer(status, json.dumps(content).encode(), Content_Type="application/json", **headers)

    def refuse(self, status: int, code: str, **headers: object) -> None:
        self.say({"error": code}, status, X_Error_Code=code, **headers)

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {self.path}")
        if found := API.match(path):
            self.ask(*(unquote(part or "") for part in found.groups()), body=body)
        elif found := FILE.match(path):
            self.give("datasets" if found[1] else "models", *map(unquote, found.groups()[1:]))
        else:
            self.refuse(404, "NotHere")

    do_HEAD = do_POST = do_GET

    def repository(self, kind: str, name: str) -> Repository | None:
        """The repository, or None once it has been said that there is none, or that it is elsewhere."""
        if moved := self.hub.renamed.get((kind, name)):
            self.answer(307, Location=self.path.replace(name, moved))
            return None
        found = self.hub.repositories.get((kind, name))
        if found is None:
            self.refuse(404 if self.headers.get("Authorization") else 401, "RepoNotFound")
        return found

    def ask(self, kind: str, name: str, what: str, revision: str, below: str, body: bytes) -> None:
        """Facts about a repository; these are public of a gated one too."""
        repository = self.repository(kind, name)
        if repository is None:
            return
        if what == "refs":
            told = [{"name": ref, "ref": ref, "targetCommit": commit} for ref, commit in repository.refs.items()]
            asked = [one for one in told if one["name"].startswith("refs/pr/")]
            self.say({"branches": told, "tags": [], "converts": [], "pullRequests": asked})
            return
        found = repository.files(revision or "main")
        if found is None:
            self.refuse(404, "RevisionNotFound")
            return
        commit, files = found
        if what == "tree":
            self.say([*listed(files, below)])
        elif what == "paths-info":
            by_form = re.findall(r"paths=([^&]*)", unquote(body.decode()))
            asked = json.loads(body)["paths"] if body[:1] == b"{" else by_form
            self.say([entry(path, files[path]) for path in asked if path in files])
        else:
            siblings = [{"rfilename": file} for file in files]
            facts = {"id": repository.name, "sha": commit, "siblings": siblings, "private": False, "tags": []}
            self.say(facts | {"gated": "manual" if repository.gated else False, "downloads": 0})

    def give(self, kind: str, name: str, revision: str, file: str) -> None:
        """A file, whole or a range of it."""
        repository = self.repository(kind, name)
        if repository is None:
            return
        found = repository.files(revision)
        if repository.gated:
            self.refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        elif found is None:
            self.refuse(404, "RevisionNotFound")
        elif file not in found[1]:
            self.refuse(404, "EntryNotFound", X_Repo_Commit=found[0])
        else:
            path = found[1][file]
            content, of = path.read_bytes(), entry(file, path)
            tag = of["lfs"]["oid"] if "lfs" in of else of["oid"]
            headers = {"ETag": f'"{tag}"', "X_Repo_Commit": found[0], "Accept_Ranges": "bytes"}
            if asked := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                start, stop = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
                span = f"bytes {start}-{stop}/{len(content)}"
                self.answer(206, content[start : stop + 1], Content_Range=span, **headers)
            elif self.command == "HEAD":
                self.answer(200, Content_Length=len(content), **headers)
            else:
                self.answer(200, content, **headers)


def entry(name: str, path: Path) -> dict[str, Any]:
    """What a listing says of a file."""
    size = path.stat().st_size
    facts = {"type": "file", "path": name, "size": size, "oid": digest(path, "git")}
    return facts | {"lfs": {"oid": path.name, "size": size, "pointerSize": 130}} if name.endswith(LARGE) else facts


def listed(files: dict[str, Path], below: str) -> list[dict[str, Any]]:
    """The listing of a folder with all below it."""
    start = f"{below.strip('/')}/" if below else ""
    inside = {name: path for name, path in files.items() if name.startswith(start)}
    folders = {"/".join(name.split("/")[:deep]) for name in inside for deep in range(1, name.count("/") + 1)}
    told = [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in sorted(folders)]
    return told + [entry(name, path) for name, path in inside.items()]
