"""The daemon and its journal: not ready before what came before is known, and no news of what is old."""

import asyncio
import contextlib
import gc
import logging
import pathlib
from collections.abc import AsyncIterator

import pytest

from exporter import app, settings
from exporter.exposition import negotiation
from exporter.fold import Fold
from exporter.journal import objects, state
from exporter.journal.journal import Journal, Surroundings
from exporter.kube.clock import Clock
from exporter.kube.namespace import InstallNamespace
from exporter.kube.status import WatchStatus
from exporter.model import resources
from exporter.model.changes import Sync
from exporter.model.store import Store
from tests.cluster import Cluster
from tests.unit.journal import lives


class Here:
    """A daemon that is told of a cluster of the test's making, and an API server with its reports."""

    def __init__(self, server: lives.Cluster, cluster: Cluster) -> None:
        self.cluster = cluster
        self.fold = Fold(cluster.settings, exporter_version="test")
        clock = Clock(wall=lambda: cluster.now, monotonic=lambda: cluster.now)
        self.journal = Journal(
            self.fold,
            lambda: Fold(cluster.settings, exporter_version="test"),
            Surroundings(api=server.api, namespace=InstallNamespace("kubevirt"), clock=clock),
            limits=settings.Journal(),
            most=20,
        )
        synced = [WatchStatus(resource=spec.name, sync=Sync.SYNCED, objects=1) for spec in resources.RESOURCES]
        self.daemon = app.Daemon(
            self.fold, watched=lambda: synced, clock=clock, stop=asyncio.Event(), journal=self.journal
        )

    async def tick(self) -> None:
        """One look at the clock."""
        task = asyncio.create_task(self.daemon.tick())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    @contextlib.asynccontextmanager
    async def begun(self) -> AsyncIterator[None]:
        """The journal runs and has begun."""
        running = asyncio.create_task(self.journal.run())
        async with asyncio.timeout(10):
            while self.journal.resumed is None:  # noqa: ASYNC110 - a property of ours
                await asyncio.sleep(0.01)
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await self.journal.farewell()

    def list_all(self) -> None:
        for name, known in self.cluster.objects.items():
            self.journal.emit(Store(name).replace(list(known.values()), at=self.cluster.now))


@contextlib.asynccontextmanager
async def restarted(folder: pathlib.Path) -> AsyncIterator[Here]:
    """A daemon that follows one which saw a guest interrupted in an upgrade."""
    cluster = Cluster(guests=3).list_all()
    cluster.begin_upgrade()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(40)
    async with lives.cluster(folder) as server:
        stored = await server.reports.create("first")
        status = objects.status(cluster.report(), state=state.encode(cluster.fold.snapshot()).text)
        await server.reports.write(stored.name, version=stored.version, status=status)
        cluster.now += 5
        try:
            yield Here(server, cluster)
        finally:
            gc.unfreeze()


async def test_it_is_not_ready_before_it_knows_what_came_before(tmp_path: pathlib.Path) -> None:
    async with restarted(tmp_path) as here:
        here.list_all()
        await here.tick()
        assert not here.daemon.status().ready
        assert here.daemon.reports() == []
        assert b'journal_standing{standing="starting"} 1.0' in here.daemon.metrics(negotiation.CLASSIC)
        async with here.begun():
            await here.tick()
            assert here.daemon.status().ready
            [report] = here.daemon.reports()
            assert report.continuity.interrupted.total == 1
            assert b"kubevirt_upgrade_exporter_journal_resumed 1.0" in here.daemon.metrics(negotiation.CLASSIC)


async def test_the_log_does_not_repeat_what_the_one_before_has_said(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="exporter")
    async with restarted(tmp_path) as here:
        async with here.begun():
            here.list_all()
            await here.tick()
        assert "journal_resumed" in caplog.messages
        assert not {"session_began", "session_verdict", "guest_anomaly"} & set(caplog.messages)
        assert [r.__dict__["check"] for r in caplog.records if r.message == "finding"] == ["unobserved"]
