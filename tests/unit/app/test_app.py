"""The daemon's own parts: readiness, the clock of the fold, and root tasks that must not end."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import parser

from exporter import app, errors
from exporter.exposition import negotiation
from exporter.kube.clock import Clock
from exporter.kube.status import WatchStatus
from exporter.model import resources
from exporter.model.changes import Sync
from tests.cluster import NEW, OLD, Cluster


def watched(sync: Sync = Sync.SYNCED, **others: Sync) -> list[WatchStatus]:
    """All resources in one state, some (by the beginning of their names) in another."""
    statuses = []
    for spec in resources.RESOURCES:
        state = next((state for name, state in others.items() if spec.name.startswith(name)), sync)
        held = 1 if state in (Sync.SYNCED, Sync.INTERRUPTED) else 0
        statuses.append(WatchStatus(resource=spec.name, sync=state, objects=held))
    return statuses


# --- readiness


def test_every_resource_is_awaited_until_it_is_listed_or_refused() -> None:
    assert app.missing(watched(Sync.UNKNOWN)) == [spec.name for spec in resources.RESOURCES]
    assert app.missing(watched(pods=Sync.UNKNOWN)) == ["pods"]
    for known in (Sync.SYNCED, Sync.INTERRUPTED, Sync.FORBIDDEN, Sync.ABSENT):
        assert app.missing(watched(known)) == []


def test_without_kubevirt_nothing_in_its_namespace_is_awaited() -> None:
    """There is none to look into, and we must be ready for the day it is installed."""
    for absent in (Sync.FORBIDDEN, Sync.ABSENT):
        assert app.missing(watched(kubevirts=absent, pods=Sync.UNKNOWN, leases=Sync.UNKNOWN)) == []
    nothing = watched(pods=Sync.UNKNOWN, nodes=Sync.UNKNOWN)
    nothing[0].objects = 0
    assert nothing[0].resource == resources.KUBEVIRTS
    assert app.missing(nothing) == ["nodes"]


# --- the daemon


class Daemon:
    """A daemon with a cluster of the test's making and hands on its clock."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.statuses: Sequence[WatchStatus] = watched(Sync.UNKNOWN)
        self.stop = asyncio.Event()
        clock = Clock(wall=lambda: cluster.now, monotonic=lambda: cluster.now)
        self.daemon = app.Daemon(cluster.fold, watched=lambda: self.statuses, clock=clock, stop=self.stop)

    async def tick(self) -> None:
        """One look at the clock."""
        task = asyncio.create_task(self.daemon.tick())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def value(self, name: str) -> float | None:
        """A series without labels, from the page."""
        page = self.daemon.metrics(negotiation.CLASSIC).decode()
        samples = [sample for family in parser.text_string_to_metric_families(page) for sample in family.samples]
        return next((sample.value for sample in samples if sample.name == f"kubevirt_upgrade_{name}"), None)


@contextlib.asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[Daemon]:
    try:
        yield Daemon(cluster)
    finally:
        gc.unfreeze()


async def test_it_becomes_ready_once_and_stays_so() -> None:
    async with running(Cluster().list_all()) as here:
        await here.tick()
        assert not here.daemon.status().ready
        here.statuses = watched()
        await here.tick()
        assert here.daemon.status().ready
        here.statuses = watched(Sync.INTERRUPTED, pods=Sync.UNKNOWN)
        await here.tick()
        assert here.daemon.status().ready
        assert not here.daemon.status().stopping
        here.stop.set()
        assert here.daemon.status().stopping


async def test_deadlines_are_taken_up_when_they_are_due() -> None:
    """A lost guest is judged after a while, though nothing else happens in the cluster."""
    cluster = Cluster(guests=1).list_all()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    async with running(cluster) as here:
        assert here.value("exporter_deadline_lag_seconds") is None
        due = cluster.fold.deadline()
        assert due is not None
        cluster.now = due + 0.25
        await here.tick()
        after = cluster.fold.deadline()
        assert after is None or after > cluster.now
        assert here.value("exporter_deadline_lag_seconds") == 0.25


async def test_the_log_tells_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="exporter.app")
    cluster = Cluster().list_all()
    async with running(cluster) as here:
        await here.tick()
        assert "session_began" not in caplog.messages
        cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=OLD, operator=NEW))
        await here.tick()
        await here.tick()
    assert caplog.messages.count("session_began") == 1


async def test_the_page_and_the_reports_are_those_of_now() -> None:
    cluster = Cluster().list_all()
    async with running(cluster) as here:
        assert here.value("in_progress") == 0
        assert here.daemon.reports() == []
        cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=OLD, operator=NEW))
        cluster.now += 7
        assert here.value("in_progress") == 1
        [report] = here.daemon.reports()
        assert report.observed_until == cluster.now
        assert here.value("exporter_page_duration_seconds_count") == 2  # before this one


# --- root tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def test_asked_to_stop_all_tasks_end() -> None:
    stop = asyncio.Event()
    ended = []

    async def task() -> None:
        try:
            stop.set()
            await forever()
        finally:
            ended.append(True)

    await app.until(stop, {"one": task, "two": forever})
    assert ended == [True]


async def test_a_task_that_ends_by_itself_ends_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    async def task() -> None:
        return

    with pytest.raises(errors.ExporterError, match="a part of the daemon broke"):
        await app.until(asyncio.Event(), {"short": task, "long": forever})
    assert "task short has ended by itself" in caplog.text


async def test_a_task_that_fails_ends_the_rest_and_leaves_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def task() -> None:
        raise ZeroDivisionError("oops")

    with pytest.raises(errors.ExporterError):
        await app.until(asyncio.Event(), {"broken": task, "long": forever})
    assert "ZeroDivisionError: oops" in caplog.text
