"""The section `data` of a task file: where its examples come from, and which revision of them on the Hub."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headroom.config.located import InsidePath, Section, wrong

READABLE = (".parquet", ".jsonl", ".json", ".csv")  # files of rows
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION = r"^(?!.*\.\.)[A-Za-z0-9_.][A-Za-z0-9_./-]*$"


def _revision(text: str) -> str:
    if not re.fullmatch(REVISION, text):
        raise ValueError("a revision is a commit of the Hub (40 hex digits), a branch such as main, or a tag")
    return text


Revision = Annotated[str, AfterValidator(_revision), Field(json_schema_extra={"pattern": REVISION})]


def left_out(value: object) -> bool:
    """Keys that are not there stand in no hash: what was kept under one of before stays where it is."""
    return value is None


class Source(Section):
    """Where the examples come from: made by code, read from local files, or fetched from the Hub."""

    made: InsidePath[str] | None = Field(None, description="python file with make(seed) -> {split: rows}")
    seed: int = Field(0, ge=0, description="given to make")
    folder: dict[str, InsidePath[str]] | None = Field(
        None, min_length=1, description="parquet file of each split, under HEADROOM_DATA"
    )
    hub: str | None = Field(None, description="data set id on the Hub")
    config: str | None = Field(None, description="name of the data set's configuration on the Hub")
    revision: Revision | None = Field(
        None, description="commit on the Hub, 40 hex digits; or a branch or a tag, see `headroom pin`"
    )
    hub_splits: dict[str, str] | None = Field(
        None, description="what a split is called on the Hub, where it is not the same; a + b for two put together"
    )
    hub_files: dict[str, InsidePath[str]] | None = Field(
        None, min_length=1, description="files of each split on the Hub, * for any letters: no others are fetched"
    )
    hub_columns: dict[str, str] | None = Field(
        None, description="what a column is called on the Hub, where it is not the same; a.b for the part b of a"
    )
    of_lm_eval: Literal[True] | None = Field(
        None,
        description="the data set that lm-eval's task names: what lm_eval means where the section is left out",
        exclude_if=left_out,
    )

    @model_validator(mode="after")
    def _one(self) -> Source:
        named = (self.made, self.folder or self.hub, self.of_lm_eval)
        if sum(source is not None for source in named) != 1:
            raise ValueError("give either 'made', or 'folder' and/or 'hub'")
        if self.hub and not self.revision:
            raise wrong(
                "revision",
                "this key is missing; a Hub id needs a commit of 40 hex digits, so that the data cannot change. Say "
                "main and run `headroom pin`, which writes the one of today",
            )
        for key in ("revision", "config", "hub_splits", "hub_files", "hub_columns"):
            if getattr(self, key) and not self.hub:
                raise wrong(key, "belongs to a 'hub' id, and there is none; leave the key out")
        for split, files in (self.hub_files or {}).items():
            if not files.removesuffix(".gz").endswith(READABLE):
                raise wrong(f"hub_files.{split}", f"files that can be read end in {', '.join(READABLE)}", files)
        for key in ("config", "hub_splits"):
            if self.hub_files and getattr(self, key):
                raise wrong(key, "hub_files names the files of each split; leave one of the two out")
        return self
