"""Preflight in the daemon: from its watches alone, published as state-sets."""

import asyncio
import pathlib
from collections.abc import Awaitable, Callable

import pytest

from exporter.model import resources
from exporter.model.changes import Change, Sync, SyncChanged
from exporter.model.families import Sample
from exporter.preflight.checks import CHECKS
from exporter.preflight.fetch import Beyond
from exporter.preflight.standing import ANSWER, CHECK, INTERVAL, LAST, TARGET, Standing
from exporter.preflight.world import Amount
from exporter.recording.reader import Recording
from exporter.settings import Settings
from exporter.tracker.tracker import Tracker
from tests.cluster import EPOCH, Cluster


class Daemon:
    """A tracker and a standing preflight that see the same changes."""

    def __init__(self, now: float = EPOCH, *, ask: Callable[[str], Awaitable[Beyond]] | None = None) -> None:
        self.now = now
        self.tracker = Tracker(Settings())
        self.standing = Standing(self.tracker, now=lambda: self.now, ask=ask)

    def feed(self, change: Change) -> None:
        for _ in self.tracker.observe(change):
            pass
        self.standing.observe(change)

    def states(self) -> dict[str, str]:
        return {
            sample.labels[0]: sample.labels[1] for sample in self._samples() if sample.family is CHECK and sample.value
        }

    def value(self, name: str) -> list[tuple[tuple[str, ...], float]]:
        return [(s.labels, s.value) for s in self._samples() if s.family.name == name]

    def _samples(self) -> list[Sample]:
        return list(self.standing.samples(self.now))


def roomy() -> Cluster:
    """A cluster whose nodes say what they offer."""
    cluster = Cluster()
    for name in list(cluster.objects[resources.NODES]):
        room = {"cpu": 8.0, "memory": 2.0**33, "kubevirt_schedulable": True}
        cluster.change(resources.NODES, name, unseen=True, **room)
    return cluster.list_all()


def of(cluster: Cluster, *, ask: Callable[[str], Awaitable[Beyond]] | None = None) -> Daemon:
    daemon = Daemon(cluster.now, ask=ask)
    for change in cluster.changes:
        daemon.feed(change)
    return daemon


async def test_before_the_first_run_there_is_nothing() -> None:
    assert Daemon()._samples() == []  # noqa: SLF001 - of this test's own class


async def test_each_check_has_one_state() -> None:
    daemon = of(Cluster().list_all())
    await daemon.standing.check()
    states = daemon.states()
    assert list(states) == list(CHECKS)
    assert states["path"] == states["session"] == states["operator-version"] == "pass"
    assert daemon.value(TARGET.name) == [(("1.4",), 1.0)]
    assert daemon.value(LAST.name) == [((), EPOCH)]


async def test_what_nobody_could_ask_for_is_unknown_and_not_a_pass() -> None:
    daemon = of(roomy())
    await daemon.standing.check()
    assert daemon.states()["headroom"] == "unknown"


@pytest.mark.parametrize(
    ("others", "state"),
    [
        ({}, "pass"),
        ({"node-0": Amount(1.0, 2.0**34), "node-1": Amount(1.0, 2.0**34)}, "fail"),
        ("pods: HTTP 403", "unknown"),
    ],
    ids=["none", "greedy", "forbidden"],
)
async def test_what_no_watch_tells_is_asked_for(others: dict[str, Amount] | str, state: str) -> None:
    asked: list[str] = []

    async def ask(namespace: str) -> Beyond:
        asked.append(namespace)
        return Beyond(others=others, server="v1.36.0")

    daemon = of(roomy(), ask=ask)
    await daemon.standing.check()
    assert asked == ["kubevirt"]
    assert daemon.states()["headroom"] == state
    assert daemon.states()["kubernetes"] == "fail"


async def test_what_is_not_listed_is_unknown_and_the_answer_is_no_go() -> None:
    daemon = of(Cluster().list_all(without=(resources.CRDS, resources.NODES)))
    daemon.feed(SyncChanged(EPOCH, resources.NODES, Sync.FORBIDDEN))
    await daemon.standing.check()
    states = daemon.states()
    assert {name for name in CHECKS if states[name] == "unknown"} >= {"kubernetes", "storage-versions", "handlers"}
    answers = {labels[0]: value for labels, value in daemon.value(ANSWER.name)}
    assert answers["go"] == 0


async def test_it_does_not_run_before_everything_that_decides_is_listed() -> None:
    daemon = of(Cluster())
    task = asyncio.create_task(daemon.standing.run())
    await asyncio.sleep(0.05)
    assert daemon.value(LAST.name) == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_runs_as_soon_as_it_may() -> None:
    daemon = of(Cluster().list_all())
    task = asyncio.create_task(daemon.standing.run())
    async with asyncio.timeout(10):
        while not daemon.value(LAST.name):  # noqa: ASYNC110 - it is the run that is waited for
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_session_under_way_shows_at_the_next_run() -> None:
    cluster = Cluster().list_all()
    daemon = of(cluster)
    await daemon.standing.check()
    assert daemon.states()["session"] == "pass"
    seen = len(cluster.changes)
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target="v1.4.0", operator="v1.4.0"))
    for change in cluster.changes[seen:]:
        daemon.feed(change)
    daemon.now += INTERVAL
    await daemon.standing.check()
    assert daemon.states()["session"] == "fail"
    assert daemon.value(LAST.name) == [((), EPOCH + INTERVAL)]


async def test_before_the_recorded_upgrade_nothing_spoke_against_it_but_kubernetes(recordings: pathlib.Path) -> None:
    """As it was listed when the recording began; it ran on Kubernetes 1.36, and not all kinds were recorded."""
    with Recording(recordings / "upgrade-1.3.0-1.4.0.jsonl.gz") as recording:
        daemon = Daemon(recording.started)
        for change in recording.changes():
            if daemon.tracker.sync.ready and change.at > recording.started + 0.5:
                break
            daemon.feed(change)
    await daemon.standing.check()
    states = daemon.states()
    wrong = {name: state for name, state in states.items() if state != "pass"}
    assert wrong == {
        "kubernetes": "fail",
        "guests": "warn",
        "known-changes": "warn",
        "deprecated-apis": "unknown",
        "headroom": "unknown",
    }


async def test_a_run_that_breaks_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    """The next one may work; the daemon goes on in any case."""
    broke = asyncio.Event()

    async def ask(_: str) -> Beyond:
        broke.set()
        raise RuntimeError("nobody expected this")

    daemon = of(roomy(), ask=ask)
    task = asyncio.create_task(daemon.standing.run())
    await broke.wait()
    await asyncio.sleep(0.01)
    assert not task.done()
    assert daemon.value(LAST.name) == []
    assert "preflight_failed" in caplog.text
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
