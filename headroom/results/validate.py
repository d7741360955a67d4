"""Make a row, or say which file and key made it wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from headroom.errors import UserError
from headroom.results.rows import Row

R = TypeVar("R", bound=Row)


def checked(kind: type[R], values: Mapping[str, Any], path: Path) -> R:
    """Validate a row. Raises ``UserError`` naming the record it came from and the wrong column."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: {key}: {first['msg']} ({kind.__name__}). Delete the record and run `dvc repro` to make it again."
        ) from None
