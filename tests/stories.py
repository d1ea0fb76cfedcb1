"""What the simulator's scenarios look like to a watcher, told once a test run: as recordings, and as pages over time.

Several tests fill a Prometheus with all of them, in several worker processes. Whoever asks first tells the story.
"""

import fcntl
import pathlib
from collections.abc import Callable

import msgspec
import pytest

from exporter import sim
from exporter.exposition.history import History
from exporter.fold import Fold
from exporter.recording import reader, replay
from exporter.recording.quiet import Quiet
from exporter.settings import Settings
from exporter.sim import dump
from exporter.sim.truth import Truth

STEP = 30
"""Seconds between pages."""


class Stories:
    """Kept in a folder that all workers of a test run share."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def recording(self, name: str) -> pathlib.Path:
        """The scenario as a recording file."""
        return self._told(name) / "recording.jsonl.gz"

    def truth(self, name: str) -> Truth:
        """What really happened in it."""
        return msgspec.json.decode((self._told(name) / "truth.json").read_bytes(), type=Truth)

    def pages(self, name: str) -> str:
        """Its pages as OpenMetrics with timestamps, to the end of the scenario."""
        recording = self.recording(name)
        return self._kept(f"{name}.pages", lambda path: path.write_text(paged(recording))).read_text()

    def _told(self, name: str) -> pathlib.Path:
        def tell(folder: pathlib.Path) -> None:
            folder.mkdir()
            truth = dump.record(sim.Simulation(sim.load(name)), folder / "recording.jsonl.gz")
            (folder / "truth.json").write_bytes(msgspec.json.encode(truth))

        return self._kept(name, tell)

    def _kept(self, name: str, make: Callable[[pathlib.Path], object]) -> pathlib.Path:
        path = self._folder / name
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                unfinished = path.with_name(f"{name}.unfinished")
                make(unfinished)
                unfinished.rename(path)
        return path


def paged(recording: pathlib.Path, *, quiet: Quiet | None = None, afterwards: float = 0.0) -> str:
    """The pages of a recording; with `quiet` after it, until some seconds after the end of its session."""

    def fail(source: str, error: Exception) -> None:
        pytest.fail(f"{source}: {error!r}")

    with reader.Recording(recording) as file:
        fold = Fold(Settings(), exporter_version="test")
        history = History(fold, version="test", started=file.started, step=STEP, on_failure=fail)
        ended = replay.replay(file, history, quiet=quiet)
        if quiet is not None:
            for renewal in quiet.changes(ended, ended + afterwards):
                history.feed(renewal)
        history.end(ended + afterwards)
    return b"".join(history.text()).decode()
