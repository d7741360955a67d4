"""A folder as the library saves it, safetensors and all: it is taken as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from headroom.models.formats.format import Format


def convert(files: Path, out: Path) -> None:
    """Copy every file."""
    shutil.copytree(files, out, dirs_exist_ok=True)


FORMAT = Format(
    "a folder with config.json and *.safetensors",
    needs=("config.json", "*.safetensors"),
    takes=(
        *("*.safetensors.index.json", "generation_config.json", "preprocessor_config.json"),
        *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "*.model", "chat_template.jinja"),
    ),
    convert=convert,
)
