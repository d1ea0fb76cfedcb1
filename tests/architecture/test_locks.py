"""The lock files: complete, pinned by hash, and free of places.

Whether they are the newest is not asked here; `make lock ARGS=--upgrade` makes them so.
"""

import pathlib
import re
import tomllib

import pytest

from tests.conftest import REPOSITORY

RUN = REPOSITORY / "requirements" / "run.txt"
DEV = REPOSITORY / "requirements" / "dev.txt"


def entries(lock: pathlib.Path) -> dict[str, list[str]]:
    """Requirement line → its options, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return {line.partition(" --")[0].strip(): re.findall(r" (--\S+)", line) for line in lines}


def names(requirements: list[str]) -> set[str]:
    """The names of requirements in the one spelling that Python's packaging compares by."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower() for line in requirements}


@pytest.mark.parametrize("lock", [RUN, DEV], ids=["run", "dev"])
def test_every_requirement_is_one_version_with_hashes_and_nothing_else(lock: pathlib.Path) -> None:
    assert entries(lock)
    for requirement, options in entries(lock).items():
        assert re.match(r"[\w.-]+==\S+( ; .*)?$", requirement)
        assert options
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options)


@pytest.mark.parametrize("lock", [RUN, DEV], ids=["run", "dev"])
def test_a_lock_names_no_address_and_no_path(lock: pathlib.Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "index" not in re.sub(r"^\S+==.*$", "", text, flags=re.MULTILINE)
    assert not re.search(r"(^|\s)[/~]", text)


def test_everything_asked_for_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    needed = project["project"]["dependencies"]
    assert names(needed) <= names(list(entries(RUN)))
    assert names([*needed, *project["dependency-groups"]["dev"]]) <= names(list(entries(DEV)))


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    assert entries(RUN).items() <= entries(DEV).items()
