"""Watches of the simulated API server, over HTTP."""

from exporter.sim.catalogue import CRDS
from exporter.sim.scenario import Step, Upgrade, When
from tests.sim.client import LEASES, VMIS, VMS, Client, serving

VMI = "virtualmachineinstances.kubevirt.io"


async def version_of(client: Client, path: str) -> str:
    return str((await client.get(f"{path}?limit=1"))["metadata"]["resourceVersion"])


async def test_a_watch_tells_what_happened_since_a_list() -> None:
    async with serving() as (simulation, client):
        version = await version_of(client, LEASES)
        simulation.advance(3)
        async with client.watch(LEASES, version=version) as stream:
            event = await stream.next()
            assert event is not None
            assert event["type"] == "MODIFIED"
            assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)
            simulation.advance(3)
            later = await stream.next()
            assert later is not None
            assert int(later["object"]["metadata"]["resourceVersion"]) > int(
                event["object"]["metadata"]["resourceVersion"]
            )


async def test_creation_change_and_deletion_are_told() -> None:
    async with serving() as (simulation, client):
        path = "/api/v1/namespaces/team-a/configmaps"
        async with client.watch(path, version=await version_of(client, path)) as stream:
            body = {"metadata": {"name": "one", "namespace": "team-a"}, "data": {"a": "1"}}
            simulation.cluster.create("configmaps", body)
            with simulation.cluster.edit("configmaps", "one", "team-a") as kept:
                kept["data"]["a"] = "2"
            with simulation.cluster.edit("configmaps", "one", "team-a"):
                pass  # nothing changed, so nothing is told
            simulation.cluster.delete("configmaps", "one", "team-a")
            events = await stream.until("DELETED")
        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))


async def test_without_a_version_a_watch_begins_with_everything() -> None:
    async with serving() as (_, client), client.watch(VMS, query="&timeoutSeconds=1") as stream:
        assert [event["type"] for event in await stream.rest()] == ["ADDED"] * 5


async def test_a_streaming_list_ends_with_a_marked_bookmark() -> None:
    query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with serving() as (_, client), client.watch(VMS, query=query) as stream:
        events = await stream.until("BOOKMARK")
        assert [event["type"] for event in events] == ["ADDED"] * 5 + ["BOOKMARK"]
        assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_objects_enter_and_leave_a_selection() -> None:
    async with serving() as (simulation, client):
        version = await version_of(client, VMIS)
        async with client.watch(VMIS, version=version, query="&labelSelector=colour%3Dred") as stream:
            for colour in ("red", "red2", "red"):
                with simulation.cluster.edit(VMI, "vm-a0", "team-a") as body:
                    body["metadata"]["labels"]["colour"] = colour
            with simulation.cluster.edit(VMI, "vm-a0", "team-a") as body:
                body["metadata"]["labels"]["more"] = "yes"
            events = [await stream.next() for _ in range(4)]
        assert [event["type"] for event in events if event] == ["ADDED", "DELETED", "ADDED", "MODIFIED"]


async def test_bookmarks_come_when_asked_for_and_carry_only_a_version() -> None:
    async with serving(bookmark_seconds=0.05) as (simulation, client):
        version = await version_of(client, VMS)
        async with client.watch(VMS, version=version, query="&allowWatchBookmarks=true") as stream:
            event = await stream.next()
            assert event is not None
            assert event["type"] == "BOOKMARK"
            assert event["object"]["kind"] == "VirtualMachine"
            assert event["object"]["metadata"]["resourceVersion"] == str(simulation.cluster.store.version)
        async with client.watch(VMS, version=version, query="&timeoutSeconds=1") as stream:
            assert await stream.rest() == []


async def test_metadata_only_watches_have_metadata_only_objects() -> None:
    async with serving() as (_, client):
        accept = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"}
        async with client.session.get(f"{client.url}{VMS}?watch=1&timeoutSeconds=1", headers=accept) as answer:
            text = await answer.text()
        assert text.count('"kind":"PartialObjectMetadata"') == 5
        assert '"spec"' not in text


async def test_a_version_that_is_compacted_is_an_error_in_a_stream_of_200() -> None:
    async with serving() as (simulation, client):
        version = await version_of(client, LEASES)
        simulation.advance(5)
        simulation.cluster.store.table("leases.coordination.k8s.io").forget_before(simulation.cluster.store.version)
        async with client.watch(LEASES, version=version) as stream:
            assert stream.status == 200
            (event,) = await stream.rest()
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_a_changed_definition_cuts_its_watches_then_refuses_then_expires() -> None:
    """As recorded: the stream ends, the next watch gets 429, a later one from the old version 410."""
    async with serving() as (simulation, client):
        version = await version_of(client, VMIS)
        async with client.watch(VMIS, version=version) as stream:
            with simulation.cluster.edit(CRDS, VMI) as definition:
                definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "changed"
            assert await stream.rest() == []
        status, text, headers = await client.ask(f"{VMIS}?watch=1&resourceVersion={version}")
        assert status == 429
        assert "storage is (re)initializing" in text
        assert headers["Retry-After"] == "1"
        simulation.advance(1)
        async with client.watch(VMIS, version=version) as stream:
            (event,) = await stream.rest()
        assert event["object"]["code"] == 410
        fresh = await version_of(client, VMIS)
        async with client.watch(VMIS, version=fresh, query="&timeoutSeconds=1") as stream:
            assert await stream.rest() == []


async def test_an_upgrade_cuts_watches_of_instances_but_not_of_pods() -> None:
    async with serving(Step(when=When(at=1), action=Upgrade(to="v1.4.0"))) as (simulation, client):
        pods = "/api/v1/namespaces/team-a/pods"
        since, pods_since = await version_of(client, VMIS), await version_of(client, pods)
        async with client.watch(VMIS, version=since) as instances, client.watch(pods, version=pods_since) as launchers:
            while "definitions-changed v1.4.0" not in simulation.truth.milestones:
                simulation.advance(1)
            assert await instances.rest() == []
            simulation.cluster.delete("pods", simulation.world.guests["team-a/vm-a0"].pod, "team-a")
            event = await launchers.next()
            assert event is not None
            assert event["type"] == "DELETED"
