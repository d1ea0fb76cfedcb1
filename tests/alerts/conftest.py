"""The programs that know rules: promtool and amtool."""

import os
import pathlib
import shutil
import subprocess

import pytest

LAZY = {"GOGC": "400"}
"""For programs in Go: they use twice the memory, and a quarter less time."""


class Program:
    """One of them; a call fails the test with what it printed, unless it succeeds."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, *arguments: str | pathlib.Path, code: int = 0) -> str:
        command = [self._path, *arguments]
        done = subprocess.run(command, env=os.environ | LAZY, capture_output=True, text=True, check=False)
        if done.returncode != code:
            said = f"{done.stdout}\n{done.stderr}"
            pytest.fail(f"{pathlib.Path(self._path).name} exits {done.returncode}:\n{said}", pytrace=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def promtool() -> Program:
    return _found("promtool")


@pytest.fixture(scope="session")
def amtool() -> Program:
    return _found("amtool")


def _found(name: str) -> Program:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return Program(path)
