"""Where the samples of real objects are."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="session")
def samples() -> pathlib.Path:
    """The folder with sample objects, one JSON file each, beside this repository."""
    folder = REPOSITORY.parent / "shared" / "samples"
    if not folder.is_dir():
        pytest.skip("no sample objects: there is no ../shared/samples")
    return folder


@pytest.fixture(scope="session")
def sample(samples: pathlib.Path) -> Callable[[str], Any]:
    """Reads a sample by name."""
    return lambda name: json.loads((samples / f"{name}.json").read_bytes())
