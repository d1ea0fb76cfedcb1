"""`record` against the simulator: replayed it gives the report of the daemon; whole after kill -9; no secrets."""

import asyncio
import contextlib
import pathlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

import exporter
from exporter import settings, sim
from exporter.fold import Fold
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.namespace import InstallNamespace
from exporter.kube.reflector import Surroundings
from exporter.kube.watcher import Watcher
from exporter.model import resources
from exporter.model.changes import TimePassed
from exporter.model.report import Report
from exporter.recording import replay
from exporter.recording.lines import Lines
from exporter.recording.reader import Recording
from exporter.recording.recorder import WATCHED, Recorder
from exporter.recording.writer import Writer
from tests.conftest import REPOSITORY

PATIENCE = 30.0
QUIET = 0.02
"""Seconds without news after which watchers count as up to date with a world that stands still."""
LATE = 8.0
"""Seconds (simulated) by which two watchers may learn the same at different times."""


class SimulatedClock:
    """The clock of a simulation in place of ours."""

    def __init__(self, simulation: sim.Simulation) -> None:
        self._simulation = simulation

    def now(self) -> float:
        return self._simulation.now


class Live:
    """A daemon's watcher and a recorder's, side by side, in simulated time."""

    def __init__(self, simulation: sim.Simulation, writer: Writer) -> None:
        self.simulation = simulation
        self.writer = writer
        self.recorder = Recorder(writer)
        self.fold = Fold(settings.Settings(), exporter_version="test")
        self.news = 0

    async def run(self, kubeconfig: pathlib.Path) -> None:
        """From the first lists to the end of the scenario."""
        limits = settings.Watching(backoff_base=0.01, backoff_cap=0.02, watch_trial=0.02)
        clock: Any = SimulatedClock(self.simulation)
        credentials = await access.load(settings.Cluster(kubeconfig=str(kubeconfig)))
        async with Api(credentials, deadline=PATIENCE) as api, asyncio.TaskGroup() as group:

            def watcher(**more: Any) -> Watcher:  # noqa: ANN401
                specs = more.pop("specs", resources.RESOURCES)
                around = Surroundings(api=api, watching=limits, namespace=InstallNamespace(), clock=clock, **more)
                return Watcher(around, specs=specs)

            daemon = watcher(emit=self._fed)
            recording = watcher(emit=lambda _: None, tap=self.recorder, specs=WATCHED)
            tasks = [group.create_task(each.run()) for each in (daemon, recording)]
            while not self.fold.ready:  # noqa: ASYNC110 - what is waited for is in other tasks
                await asyncio.sleep(QUIET)
            while not self.simulation.over:
                self.simulation.advance(4.0)
                await self._settle()
            for task in tasks:
                task.cancel()
        self.recorder.mark("the end", at=self.simulation.now)

    def _fed(self, change: Any) -> None:  # noqa: ANN401
        self.news += 1
        self.fold.feed(change)

    async def _settle(self) -> None:
        """Until both have learnt what has happened."""
        while True:
            before = (self.news, self.writer.lines)
            await asyncio.sleep(QUIET)
            if (self.news, self.writer.lines) == before:
                return

    def report(self) -> Report:
        now = self.simulation.now
        while (due := self.fold.deadline()) is not None and due <= now:
            self.fold.feed(TimePassed(at=due))
        [report] = self.fold.reports(now)
        return report


async def test_a_recording_gives_the_report_that_the_daemon_gave(tmp_path: pathlib.Path) -> None:
    scenario = sim.load("guest-oom", guests=8)
    simulation = sim.Simulation(scenario)
    await simulation.serve()
    try:
        with Writer(tmp_path / "it.jsonl.gz", started=simulation.now) as writer:
            live = Live(simulation, writer)
            await live.run(simulation.kubeconfig(tmp_path / "kubeconfig"))
            expected = live.report()
    finally:
        await simulation.stop()
    fold = Fold(settings.Settings(), exporter_version="test")
    with Recording(tmp_path / "it.jsonl.gz") as recording:
        now = replay.replay(recording, fold)
    assert recording.notes == []
    [report] = fold.reports(now)
    assert report.continuity.interrupted.total == 1
    assert_alike(document(report), document(expected))


def document(report: Report) -> Any:  # noqa: ANN401 - JSON
    return msgspec.to_builtins(report)


def assert_alike(got: Any, expected: Any, place: str = "report") -> None:  # noqa: ANN401 - JSON
    """Equal, but for when things were learnt."""
    match got, expected:
        case dict(), dict():
            assert got.keys() == expected.keys(), place
            for name in got:
                assert_alike(got[name], expected[name], f"{place}.{name}")
        case ((list() | tuple()), (list() | tuple())):
            assert len(got) == len(expected), f"{place}: {got} {expected}"
            for number, (one, other) in enumerate(zip(got, expected, strict=True)):
                assert_alike(one, other, f"{place}[{number}]")
        case float(), float():
            assert got == pytest.approx(expected, abs=LATE), place
        case _:
            assert got == expected, place


# --- the command


@contextlib.asynccontextmanager
async def recording(
    folder: pathlib.Path, *arguments: str, limit: str = ""
) -> AsyncIterator[tuple[asyncio.subprocess.Process, pathlib.Path]]:
    """The command as a process, against a simulated cluster that upgrades itself; what it logs is beside the file."""
    simulation = sim.Simulation(sim.load("clean", guests=6), start_at=None, pace=20)
    await simulation.start()
    path = folder / "it.jsonl.gz"
    command = [sys.executable, "-m", "exporter", "record", "-o", str(path)]
    command += ["--kubeconfig", str(simulation.kubeconfig(folder / "kubeconfig")), *arguments]
    if limit:
        command = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, stderr=log)
    try:
        yield process, path
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await simulation.stop()


def types(path: pathlib.Path) -> list[str]:
    if not path.exists():
        return []
    with Lines(path) as file:
        return [line.type for _, line in file]


async def until(path: pathlib.Path, number: int) -> None:
    """Until so many lists are in the file."""
    async with asyncio.timeout(PATIENCE):
        while types(path).count("LISTED") < number:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.1)


async def test_after_kill_9_it_is_whole_up_to_the_last_seconds(tmp_path: pathlib.Path) -> None:
    async with recording(tmp_path, "--probes") as (process, path):
        await until(path, len(WATCHED))
        await asyncio.sleep(1.5)  # for what comes after the lists
        process.kill()
        await process.wait()
    found = types(path)
    assert found.count("LISTED") >= len(WATCHED)
    assert "PROBE" in found
    fold = Fold(settings.Settings(), exporter_version=exporter.__version__)
    with Recording(path) as file:
        replay.replay(file, fold)
    assert fold.ready
    assert "the compressed data ends" in file.notes[0]


async def test_it_ends_when_it_is_asked_to(tmp_path: pathlib.Path) -> None:
    async with recording(tmp_path) as (process, path):
        await until(path, len(WATCHED))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    with Recording(path) as file:
        assert len(list(file.changes())) > len(WATCHED)
    assert file.notes == []
    assert [mark.text for mark in file.marks] == ["recording ended: asked to"]


async def test_it_holds_no_secrets(tmp_path: pathlib.Path) -> None:
    async with recording(tmp_path, "--duration", "2") as (process, path):
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    with Lines(path) as file:
        text = [(line.resource, bytes(line.object)) for _, line in file]
    assert {resource for resource, _ in text} - {""} <= {spec.recorded_as for spec in WATCHED}
    guests = [thing for resource, thing in text if resource == resources.VMS and thing]
    assert any(b"cloudInitNoCloud" in thing for thing in guests)
    assert not any(b"#cloud-config" in thing for _, thing in text)
    assert not any(b"openAPIV3Schema" in thing for _, thing in text)


async def test_it_stops_when_the_file_is_as_large_as_it_may_be(tmp_path: pathlib.Path) -> None:
    async with recording(tmp_path, "--max-size", "10Ki") as (process, path):
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    assert path.stat().st_size < 15 * 1024, "the limit, one line, and the marks at the end"
    with Recording(path) as file:
        list(file.changes())
    assert "(--max-size)" in file.marks[-1].text
    assert "recording_full" in (tmp_path / "log").read_text()


async def test_a_file_that_cannot_grow_is_an_error_and_what_is_there_stays(tmp_path: pathlib.Path) -> None:
    async with recording(tmp_path, limit="10") as (process, path):
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 5
    log = (tmp_path / "log").read_text()
    assert "File too large; what was written before can be replayed" in log
    assert "Traceback" not in log
    assert "LISTING" in types(path)
