"""A hub on this machine, asked by the libraries of this process, with a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import datasets.config
import pytest
from huggingface_hub import constants
from loopback import Hub
from transformers.utils import hub as transformers_hub


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the Hub's cache is, for all tests of a module."""
    yield tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def hub(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The hub; whatever asks the Hub in this process asks it, and keeps what it gets in ``place``."""
    served = Hub(tmp_path_factory.mktemp("hub"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", served.address)
        patch.setattr(transformers_hub, "_hf_api", None)  # it reads the constant when it is made, at the first question
        patch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        patch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(datasets.config, "HF_ENDPOINT", served.address)
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", place / "datasets")
        yield served
    served.close()
