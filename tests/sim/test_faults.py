"""Faults on demand, as a client sees them on the wire."""

import asyncio

import aiohttp
import pytest

from exporter import sim
from exporter.sim.faults import Fault, Harm
from exporter.sim.scenario import Inject, Step, StopApi, When
from tests.sim.client import LEASES, VMIS, VMS, Client, Stream, serving

VM = "virtualmachines.kubevirt.io"
VMI = "virtualmachineinstances.kubevirt.io"


async def latest(client: Client, path: str) -> str:
    return str((await client.get(f"{path}?limit=1"))["metadata"]["resourceVersion"])


async def _until_broken(stream: Stream) -> bytes:
    seen = b""
    try:
        async for piece in stream.answer.content.iter_any():
            seen += piece
    except aiohttp.ClientPayloadError:
        return seen
    raise AssertionError("the stream ended properly")


async def test_refused_connections_are_refused_and_open_ones_are_reset() -> None:
    async with serving() as (simulation, client):
        async with client.watch(LEASES) as stream:
            active = simulation.faults.add(Fault(harm=Harm.REFUSED))
            await simulation.server.settled()
            with pytest.raises(aiohttp.ClientError):
                await stream.rest()
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get("/version")
        simulation.faults.remove(active)
        await simulation.server.settled()
        await client.get("/version")


async def test_an_outage_of_the_cluster_refuses_for_its_time() -> None:
    async with serving(Step(when=When(at=2), action=StopApi(what="cluster-api", seconds=20))) as (simulation, client):
        simulation.advance(5)
        await simulation.server.settled()
        version = simulation.cluster.store.version
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get("/version")
        simulation.advance(10)
        assert simulation.cluster.store.version == version, "nobody can write while the API server is away"
        simulation.advance(10)
        await simulation.server.settled()
        await client.get("/version")


async def test_reset_connections_are_reset_as_often_as_told() -> None:
    """Aiohttp tries an idempotent request once more by itself, so the client sees the second reset."""
    async with serving() as (simulation, client):
        fault = simulation.faults.add(Fault(harm=Harm.RESET, resource=VM, times=2))
        with pytest.raises(aiohttp.ClientOSError):
            await client.get(VMS)
        assert fault.hits == 2
        await client.get(VMIS)
        await client.get(VMS)


async def test_a_hanging_request_gets_no_answer_until_the_fault_goes() -> None:
    async with serving() as (simulation, client):
        active = simulation.faults.add(Fault(harm=Harm.HANG, path="^/version$"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.get("/version")
        waiting = asyncio.create_task(client.ask("/version"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        simulation.faults.remove(active)
        assert (await waiting)[0] == 504


async def test_a_slow_answer_is_whole() -> None:
    async with serving() as (simulation, client):
        whole = await client.get(VMS)
        simulation.faults.add(Fault(harm=Harm.SLOW, resource=VM, delay=0.05, bytes_per_second=200_000))
        assert await client.get(VMS) == whole


async def test_an_answer_is_cut_in_the_middle() -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.CUT, resource=VM))
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.get(VMS)


async def test_a_watch_is_cut_in_the_middle_of_a_line() -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.CUT, resource=VM, verb="watch"))
        seen = b""
        async with client.watch(VMS) as stream:
            seen = await _until_broken(stream)
        assert seen.startswith(b'{"type":"ADDED"')
        assert not seen.endswith(b"\n")


async def test_a_silent_watch_is_open_and_says_nothing() -> None:
    async with serving(bookmark_seconds=0.05) as (simulation, client):
        version = await latest(client, LEASES)
        simulation.faults.add(Fault(harm=Harm.SILENCE, resource="leases.coordination.k8s.io"))
        async with client.watch(LEASES, version=version, query="&allowWatchBookmarks=true&timeoutSeconds=1") as stream:
            simulation.advance(5)
            assert stream.status == 200
            assert await stream.rest() == []


@pytest.mark.parametrize("code", [403, 410, 429, 500, 503])
async def test_errors_are_status_objects(code: int) -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.STATUS, resource=VM, code=code, retry_after=3, message="no"))
        status, _, headers = await client.ask(VMS)
        assert status == code
        assert headers["Retry-After"] == "3"
        error = await client.error(VMS)
        assert (error["code"], error["message"]) == (code, "no")


async def test_an_error_may_come_inside_a_stream_of_200() -> None:
    async with serving() as (simulation, client):
        version = await latest(client, VMS)
        simulation.faults.add(Fault(harm=Harm.STATUS, resource=VM, verb="watch", code=410, in_stream=True, times=1))
        async with client.watch(VMS, version=version) as stream:
            assert stream.status == 200
            (event,) = await stream.rest()
        assert event["type"] == "ERROR"
        assert event["object"]["code"] == 410


async def test_one_object_of_a_list_is_malformed_the_others_are_not() -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.MALFORMED, resource=VM))
        body = await client.get(VMS)
        assert body["items"][0]["spec"] == "not a spec"
        assert all(isinstance(item["spec"], dict) for item in body["items"][1:])


async def test_one_event_of_a_watch_is_malformed_and_the_stream_goes_on() -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.MALFORMED, resource=VM, verb="watch"))
        async with client.watch(VMS, query="&timeoutSeconds=1") as stream:
            events = await stream.rest()
        assert [isinstance(event["object"]["spec"], dict) for event in events] == [False, True, True, True, True]


async def test_garbled_lines_are_not_json() -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.GARBLED, resource=VM, verb="watch"))
        async with client.watch(VMS, query="&timeoutSeconds=1") as stream:
            with pytest.raises(ValueError, match=r"line 1 column \d+"):
                await stream.next()
            assert len(await stream.rest()) == 4


async def test_a_stale_list_shows_what_was() -> None:
    async with serving() as (simulation, client):
        active = simulation.faults.add(Fault(harm=Harm.STALE, resource=VM))
        before = await client.get(VMS)
        simulation.cluster.create("configmaps", {"metadata": {"name": "new", "namespace": "team-a"}})
        with simulation.cluster.edit(VM, "vm-a0", "team-a") as body:
            body["metadata"]["labels"]["new"] = "yes"
        assert await client.get(VMS) == before
        simulation.faults.remove(active)
        assert int((await client.get(VMS))["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_a_stale_list_shows_the_beginning_of_the_fault_even_to_who_asks_late() -> None:
    async with serving() as (simulation, client):
        before = await client.get(VMS)
        simulation.faults.add(Fault(harm=Harm.STALE, resource=VM, times=1))
        with simulation.cluster.edit(VM, "vm-a0", "team-a") as body:
            body["metadata"]["labels"]["new"] = "yes"
        assert await client.get(VMS) == before
        assert await client.get(VMS) != before


@pytest.mark.parametrize("path", ["/readyz", "/nothing", f"{VMS}/nobody", "/apis/subresources.kubevirt.io/v1/nothing"])
@pytest.mark.parametrize("harm", [Harm.CUT, Harm.SLOW, Harm.GARBLED, Harm.MALFORMED])
async def test_answers_that_are_no_objects_can_be_spoilt_too(path: str, harm: Harm) -> None:
    async with serving() as (simulation, client):
        whole = (await client.ask(path))[:2]
        simulation.faults.add(Fault(harm=harm, delay=0.05))
        began = asyncio.get_running_loop().time()
        if harm is Harm.CUT:
            with pytest.raises(aiohttp.ClientPayloadError):
                await client.ask(path)
            return
        status, text, _ = await client.ask(path)
        assert status == whole[0]
        assert (text == whole[1]) == (harm is Harm.SLOW)
        assert harm is not Harm.SLOW or asyncio.get_running_loop().time() - began >= 0.05


async def test_a_watch_that_is_refused_is_slow_too() -> None:
    async with serving() as (simulation, client):
        simulation.faults.add(Fault(harm=Harm.SLOW, delay=0.05))
        began = asyncio.get_running_loop().time()
        async with client.watch(VMS, version="abc") as stream:
            assert stream.status == 500
        assert asyncio.get_running_loop().time() - began >= 0.05


async def test_faults_end_with_simulated_time_and_come_from_scenarios() -> None:
    step = Step(
        when=When(at=5), action=Inject(fault=Fault(harm=Harm.STATUS, method="GET", path="/version", seconds=10))
    )
    async with serving(step) as (simulation, client):
        await client.get("/version")
        simulation.advance(5)
        assert (await client.ask("/version"))[0] == 500
        simulation.advance(11)
        await client.get("/version")


def test_a_refused_connection_has_no_request_to_filter_by() -> None:
    with pytest.raises(ValueError, match="no filter"):
        Fault(harm=Harm.REFUSED, path="/version")


async def test_asking_for_the_server_before_it_serves_is_an_error() -> None:
    simulation = sim.Simulation(sim.load("clean"))
    with pytest.raises(RuntimeError, match="serves nothing yet"):
        _ = simulation.server
