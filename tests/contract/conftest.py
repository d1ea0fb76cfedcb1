"""Which servers the contract is tried on."""

import pathlib

import pytest

from tests.contract.subjects import Real, Simulated, Small, Subject


@pytest.fixture(params=["small", "simulated", "real"])
def subject(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Subject:
    """A server under contract; the test enters it."""
    if request.param == "small":
        return Small(tmp_path)
    if request.param == "simulated":
        return Simulated(tmp_path)
    return Real(tmp_path, request.getfixturevalue("real_apiserver"))


@pytest.fixture
def small(tmp_path: pathlib.Path) -> Small:
    """The server whose faults can be ordered."""
    return Small(tmp_path)
