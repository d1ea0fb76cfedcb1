"""Seconds reported are seconds injected: for each cause and kind of connection, against the simulator over TLS.

Outages begin and end between two rounds of probes, so the numbers are exact.
"""

import asyncio
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import pytest

from exporter.model import probing
from exporter.model.report import ProbeReport
from exporter.probes.runner import MOST_UNDER_WAY, Standing
from exporter.probes.table import table
from exporter.sim.faults import Fault, Harm
from tests.unit.probes import virtual
from tests.unit.probes.world import NAMESPACE, Cluster, Watch, probes

VERSION, DRY_RUN, LIST = "subresource-version", "vm-dry-run-create-v1", "vm-list-v1"
BOTH = (probing.REUSED, probing.NEW)
BETWEEN = 0.75
"""Of a second: probes are sent in its first half."""


class Cause(NamedTuple):
    """Something goes wrong, and is mended; what it costs each probe it strikes a second, and under which name."""

    begin: Callable[[Cluster], None]
    end: Callable[[Cluster], None]
    struck: tuple[tuple[str, str], ...]
    reason: str


def fault(*harms: Fault) -> tuple[Callable[[Cluster], None], Callable[[Cluster], None]]:
    def begin(cluster: Cluster) -> None:
        for harm in harms:
            cluster.faults.add(harm)

    return begin, lambda cluster: cluster.faults.clear()


def of_virt_api(harm: Harm, reason: str, *, code: int = 500) -> Cause:
    return Cause(
        *fault(Fault(harm=harm, path="subresources.kubevirt.io", code=code)),
        tuple((VERSION, connection) for connection in BOTH),
        reason,
    )


def webhooks(*, down: bool) -> Callable[[Cluster], None]:
    def set_them(cluster: Cluster) -> None:
        cluster.backend.webhooks_down = down

    return set_them


KUBEVIRTS = {
    "reset": of_virt_api(Harm.RESET, "reset"),
    "hang": of_virt_api(Harm.HANG, "timeout"),
    "too-many-requests": of_virt_api(Harm.STATUS, "http_429", code=429),
    "unavailable": of_virt_api(Harm.STATUS, "http_5xx", code=503),
    "not-found": of_virt_api(Harm.STATUS, "http_4xx", code=404),
    "wrong-body": of_virt_api(Harm.GARBLED, "schema"),
    "half-an-answer": of_virt_api(Harm.CUT, "reset"),
    "webhook-down": Cause(webhooks(down=True), webhooks(down=False), ((DRY_RUN, probing.REUSED),), "webhook"),
}


async def outage(folder: pathlib.Path, cause: Cause, *, seconds: int) -> Watch:
    """Five good seconds, the outage, good seconds until all is known."""
    cluster = Cluster()
    async with cluster.serving(folder) as api:
        watch = Watch(api, probes(probing.CONTROL, VERSION, DRY_RUN, LIST))
        async with watch.running():
            await asyncio.sleep(5 + BETWEEN)
            cause.begin(cluster)
            await asyncio.sleep(seconds)
            cause.end(cluster)
            await asyncio.sleep(12)
    return watch


def charged(report: ProbeReport) -> dict[str, float]:
    return {
        "disruption": report.disruption_seconds,
        "cluster": report.cluster_seconds,
        "client": report.client_seconds,
    }


@pytest.mark.parametrize("cause", KUBEVIRTS.values(), ids=KUBEVIRTS)
def test_an_outage_of_kubevirt_is_its_disruption_to_the_second(tmp_path: pathlib.Path, cause: Cause) -> None:
    watch = virtual.run(outage(tmp_path, cause, seconds=7))
    for slot in watch.runner.slots:
        report = watch.report(slot.probe.name, slot.connection)
        struck = (slot.probe.name, slot.connection) in cause.struck
        assert charged(report) == {"disruption": 7 if struck else 0, "cluster": 0, "client": 0}, slot.probe.name
        assert report.failures == ({cause.reason: 7} if struck else {})
        assert report.measured_seconds == 5 + 7 + 12


CLUSTERS = {
    "refused": Cause(*fault(Fault(harm=Harm.REFUSED)), (), ""),
    "silence": Cause(lambda cluster: cluster.door.freeze(), lambda cluster: cluster.door.thaw(), (), "timeout"),
    "unready": Cause(*fault(Fault(harm=Harm.STATUS, code=503)), (), "http_5xx"),
}
PATIENCE = {"silence": probing.DEADLINE}
"""Requests that are answered when the outage ends, within their deadline, have not failed."""


@pytest.mark.parametrize("name", CLUSTERS)
def test_an_outage_of_the_whole_api_is_the_clusters(tmp_path: pathlib.Path, name: str) -> None:
    """Whatever it looks like from here: the control probe fails, too."""
    cause, away = CLUSTERS[name], 17
    watch = virtual.run(outage(tmp_path, cause, seconds=away))
    for slot in watch.runner.slots:
        report = watch.report(slot.probe.name, slot.connection)
        assert charged(report)["disruption"] == 0, slot.probe.name
        assert charged(report)["cluster"] == pytest.approx(away - PATIENCE.get(name, 0), abs=1), slot.probe.name
        if cause.reason:
            assert set(report.failures) == {cause.reason}


def test_a_slow_handshake_costs_new_connections_only(tmp_path: pathlib.Path) -> None:
    """And is the cluster's: the control probe's new connections hang, too."""

    def silent(*, on: bool) -> Callable[[Cluster], None]:
        def switch(cluster: Cluster) -> None:
            cluster.door.silent = on

        return switch

    watch = virtual.run(outage(tmp_path, Cause(silent(on=True), silent(on=False), (), ""), seconds=7))
    assert charged(watch.report(VERSION, probing.REUSED)) == {"disruption": 0, "cluster": 0, "client": 0}
    report = watch.report(VERSION, probing.NEW)
    assert charged(report) == {"disruption": 0, "cluster": 7, "client": 0}
    assert report.failures == {"timeout": 7}


def test_one_bad_replica_of_two_costs_the_seconds_in_which_it_answered(tmp_path: pathlib.Path) -> None:
    async def story() -> tuple[Cluster, Watch]:
        cluster = Cluster()
        async with cluster.serving(tmp_path) as api:
            watch = Watch(api, probes(probing.CONTROL, VERSION, "subresource-healthz"))
            async with watch.running():
                await asyncio.sleep(3 + BETWEEN)
                cluster.backend.one_is_bad = True
                await asyncio.sleep(20)
                cluster.backend.one_is_bad = False
                await asyncio.sleep(3)
        return cluster, watch

    cluster, watch = virtual.run(story())
    reports = [watch.report(VERSION, connection) for connection in BOTH] + [watch.report("subresource-healthz")]
    assert sum(report.disruption_seconds for report in reports) == cluster.backend.refused == 30


@pytest.mark.parametrize("name", ["refused", "silence"])
def test_after_minutes_without_the_api_the_seconds_are_exact_and_nothing_has_piled_up(
    tmp_path: pathlib.Path, name: str
) -> None:
    cause = CLUSTERS[name]
    away = 100

    async def story() -> tuple[Watch, int]:
        cluster = Cluster()
        async with cluster.serving(tmp_path) as api:
            watch = Watch(api, probes(probing.CONTROL, VERSION, DRY_RUN))
            async with watch.running():
                await asyncio.sleep(5 + BETWEEN)
                cause.begin(cluster)
                most = 0
                for _ in range(away):
                    await asyncio.sleep(1)
                    most = max(most, sum(task.get_name().startswith("probe ") for task in asyncio.all_tasks()))
                cause.end(cluster)
                await asyncio.sleep(15)
        return watch, most

    watch, most = virtual.run(story())
    assert most < len(watch.runner.slots) * (1 + MOST_UNDER_WAY)
    for slot in watch.runner.slots:
        report = watch.report(slot.probe.name, slot.connection)
        assert report.measured_seconds == 5 + away + 15, slot.probe.name
        assert charged(report)["cluster"] == pytest.approx(away - PATIENCE.get(name, 0), abs=1), slot.probe.name
        assert charged(report)["disruption"] == 0, slot.probe.name
        assert slot.standing is Standing.WORKING
        assert (slot.under_way, slot.missed) == (0, 0)


def test_when_nothing_answers_no_probe_waits_for_a_connection(tmp_path: pathlib.Path) -> None:
    """All of the table: what hangs until its deadline takes more connections than a client library gives."""

    async def story() -> Watch:
        cluster = Cluster()
        async with cluster.serving(tmp_path) as api:
            watch = Watch(api, table(namespace=NAMESPACE))
            async with watch.running():
                await asyncio.sleep(5 + BETWEEN)
                cluster.faults.add(Fault(harm=Harm.HANG))
                await asyncio.sleep(25)
                cluster.faults.clear()  # what hangs gets no answer any more
                await asyncio.sleep(15)
        return watch

    watch = virtual.run(story())
    for slot in watch.runner.slots:
        report = watch.report(slot.probe.name, slot.connection)
        assert charged(report) == {"disruption": 0, "cluster": 25, "client": 0}, slot.probe.name
        assert report.measured_seconds == 5 + 25 + 15


async def test_an_outage_in_real_time(tmp_path: pathlib.Path) -> None:
    """No clock is faked here: three seconds of a real clock are three seconds, give or take one."""
    cluster = Cluster()
    cause = KUBEVIRTS["unavailable"]
    async with cluster.serving(tmp_path) as api:
        watch = Watch(api, probes(probing.CONTROL, VERSION))
        async with watch.running():
            await asyncio.sleep(1)
            cause.begin(cluster)
            await asyncio.sleep(3)
            cause.end(cluster)
            await asyncio.sleep(1)
        for connection in BOTH:
            report = watch.report(VERSION, connection)
            assert report.disruption_seconds == pytest.approx(3, abs=1)
            assert report.cluster_seconds == report.client_seconds == 0
