"""The runner: when it sends, what it counts as measured, and that a failure costs nothing but the probe itself."""

import asyncio
import pathlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from exporter.kube.api import Api
from exporter.model import probing
from exporter.probes.asking import Ask
from exporter.probes.result import ProbeResult
from exporter.probes.runner import Standing
from exporter.probes.table import Probe
from exporter.sim.faults import Fault, Harm
from tests.unit.probes import virtual
from tests.unit.probes.virtual import EPOCH, VirtualLoop
from tests.unit.probes.world import Cluster, Watch, probes

T = TypeVar("T")

VERSION, LIST = "subresource-version", "vm-list-v1"


def told(folder: pathlib.Path, story: Callable[[Cluster, Api], Coroutine[Any, Any, T]]) -> T:
    """A story in a cluster that is served."""

    async def whole() -> T:
        cluster = Cluster()
        async with cluster.serving(folder) as api:
            return await story(cluster, api)

    return virtual.run(whole())


def probe(name: str, run: Callable[[Ask], Coroutine[Any, Any, ProbeResult]]) -> Probe:
    return Probe(name=name, run=run)


def sent(watch: Watch, name: str) -> list[float]:
    """Seconds after the beginning in which the probe was sent."""
    return [result.sent - EPOCH for result in watch.results if result.probe == name]


def test_in_a_session_every_second_otherwise_every_fifteenth(tmp_path: pathlib.Path) -> None:
    session = [False]

    async def story(_: Cluster, api: Api) -> Watch:
        watch = Watch(api, probes(LIST), eager=lambda: session[0])
        async with watch.running():
            await asyncio.sleep(32.7)
            session[0] = True
            await asyncio.sleep(5)
            session[0] = False
            await asyncio.sleep(30)
        return watch

    assert sent(told(tmp_path, story), LIST) == [15, 30, 33, 34, 35, 36, 37, 45, 60]


def test_probes_are_sent_on_time_while_earlier_ones_hang(tmp_path: pathlib.Path) -> None:
    """Each result carries the second in which it was sent, not the one in which it was learnt."""

    async def story(cluster: Cluster, api: Api) -> Watch:
        cluster.faults.add(Fault(harm=Harm.HANG, path="virtualmachines"))
        watch = Watch(api, probes(LIST))
        async with watch.running():
            await asyncio.sleep(14.5)
        return watch

    watch = told(tmp_path, story)
    assert sent(watch, LIST) == [1, 2, 3, 4]
    for result in watch.results:
        assert result.at - result.sent == pytest.approx(probing.DEADLINE, abs=0.01)
        assert result.reason == "timeout"


def test_seconds_that_passed_while_we_did_not_run_are_missed_and_a_late_deadline_is_our_fault(
    tmp_path: pathlib.Path,
) -> None:
    async def story(cluster: Cluster, api: Api) -> Watch:
        cluster.faults.add(Fault(harm=Harm.HANG, path="virtualmachines"))
        watch = Watch(api, probes(LIST))
        async with watch.running():
            await asyncio.sleep(2.5)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.stand_still(30)
            cluster.faults.clear()
            await asyncio.sleep(2)
        return watch

    watch = told(tmp_path, story)
    assert [(r.sent - EPOCH, r.reason) for r in watch.results] == [
        (1, probing.CLIENT), (2, probing.CLIENT), (33, ""), (34, ""),
    ]  # fmt: skip
    assert watch.runner.slots[0].missed == 30


@pytest.mark.parametrize(("code", "standing"), [(403, Standing.NOT_PERMITTED), (404, Standing.NOT_FOUND)])
def test_a_probe_that_never_worked_is_not_measured(tmp_path: pathlib.Path, code: int, standing: Standing) -> None:
    """It is tried once a minute; after its first success the same answer is a failure."""

    async def story(cluster: Cluster, api: Api) -> Watch:
        fault = Fault(harm=Harm.STATUS, path="virtualmachines", code=code)
        active = cluster.faults.add(fault)
        watch = Watch(api, probes(LIST, VERSION))
        async with watch.running():
            await asyncio.sleep(59)
            assert watch.runner.slots[0].standing is standing
            assert sent(watch, LIST) == []
            cluster.faults.remove(active)
            await asyncio.sleep(2.7)
            cluster.faults.add(fault)
            await asyncio.sleep(2)
        return watch

    watch = told(tmp_path, story)
    results = [(r.sent - EPOCH, r.reason) for r in watch.results if r.probe == LIST]
    assert results == [(60, ""), (61, ""), (62, "http_4xx"), (63, "http_4xx")]
    assert watch.runner.slots[0].standing is Standing.WORKING
    assert len(sent(watch, VERSION)) == 2 * 63


def test_a_probe_that_finds_the_api_away_at_first_is_measured(tmp_path: pathlib.Path) -> None:
    """Only a refusal says that we may not ask."""

    async def story(cluster: Cluster, api: Api) -> Watch:
        cluster.faults.add(Fault(harm=Harm.STATUS, code=503))
        watch = Watch(api, probes(LIST))
        async with watch.running():
            await asyncio.sleep(3.7)
        return watch

    watch = told(tmp_path, story)
    assert [r.reason for r in watch.results] == ["http_5xx"] * 3
    assert watch.runner.slots[0].standing is Standing.UNKNOWN


def test_a_broken_probe_costs_only_itself(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(ask: Ask) -> ProbeResult:
        raise ValueError(ask.audit_id)

    async def story(_: Cluster, api: Api) -> Watch:
        watch = Watch(api, (probe("broken", broken), *probes(LIST)))
        async with watch.running():
            await asyncio.sleep(3.7)
        return watch

    watch = told(tmp_path, story)
    assert [r.reason for r in watch.results if r.probe == "broken"] == ["other"] * 3
    assert [r.reason for r in watch.results if r.probe == LIST] == [""] * 3
    assert "ValueError" in caplog.text


def test_a_repeating_failure_is_logged_once(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """When it begins, when it becomes another, when it ends."""
    caplog.set_level("INFO", logger="exporter.probes")

    async def story(cluster: Cluster, api: Api) -> None:
        watch = Watch(api, probes(LIST))
        async with watch.running():
            await asyncio.sleep(3.7)
            for code in (503, 429):
                cluster.faults.add(Fault(harm=Harm.STATUS, code=code, times=3, message="go away"))
                await asyncio.sleep(3)
            await asyncio.sleep(3)

    told(tmp_path, story)
    said = [(r.getMessage(), vars(r).get("reason"), vars(r).get("detail")) for r in caplog.records]
    assert said == [
        ("probe_failing", "http_5xx", "go away"),
        ("probe_failing", "http_429", "go away"),
        ("probe_recovered", None, None),
    ]


def test_failures_stay_longer_than_successes(tmp_path: pathlib.Path) -> None:
    async def story(cluster: Cluster, api: Api) -> Watch:
        watch = Watch(api, probes(LIST))
        async with watch.running():
            await asyncio.sleep(1.7)
            cluster.faults.add(Fault(harm=Harm.STATUS, code=503, times=2, message="go away"))
            await asyncio.sleep(300)
        return watch

    entries = list(told(tmp_path, story).runner.history)
    assert [entry.reason for entry in entries] == ["", "", "", "http_5xx", "http_5xx"]
    assert [entry.detail for entry in entries[3:]] == ["go away", "go away"]
    assert entries[0].sent > entries[-1].sent
    assert len({entry.audit_id for entry in entries}) == 5


def test_versions_that_replicas_claim_are_passed_on(tmp_path: pathlib.Path) -> None:
    claimed: list[str] = []

    async def story(_: Cluster, api: Api) -> None:
        watch = Watch(api, probes(VERSION))
        watch.runner.on_version = claimed.append
        async with watch.running():
            await asyncio.sleep(2.7)

    told(tmp_path, story)
    assert claimed == ["v1.3.0"] * 4
