"""The reflector's contract, clause by clause, on every server we have."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from exporter.model import resources
from exporter.model.changes import ListReplaced, ObjectChanged, Sync, SyncChanged
from exporter.model.resources import ResourceSpec
from tests.contract.following import Following
from tests.contract.proxy import Proxy
from tests.contract.subjects import NAMESPACE, Subject

VMS = resources.BY_NAME[resources.VMS]
LEASES = resources.BY_NAME[resources.LEASES]
LAUNCHERS = resources.BY_NAME[resources.LAUNCHERS]
SNAPSHOTS = resources.BY_NAME["virtualmachinesnapshots.snapshot.kubevirt.io"]
POLICIES = resources.BY_NAME["migrationpolicies.migrations.kubevirt.io"]
KUBEVIRTS = resources.BY_NAME[resources.KUBEVIRTS]

SYNCED, INTERRUPTED = Sync.SYNCED, Sync.INTERRUPTED


def vm(name: str, strategy: str = "Always", **metadata: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"metadata": {"name": name, "namespace": NAMESPACE, **metadata}, "spec": {"runStrategy": strategy}}


def lease(name: str, holder: str = "me") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"holderIdentity": holder}}


def pod(name: str, label: str) -> dict[str, Any]:
    containers = [{"name": "compute", "image": "i"}]
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"kubevirt.io": label}}
    return {"metadata": metadata, "spec": {"containers": containers}}


def pages_of(spec: ResourceSpec, size: int) -> ResourceSpec:
    return msgspec.structs.replace(spec, page=size)


async def watching(subject: Subject, follower: Following, name: str) -> None:
    """Wait until its watch has told of an object."""
    await follower.until(lambda f: f.lists)
    await subject.put(VMS, vm(name))
    await follower.until(lambda f: f.status.events)


# --- lists


async def test_list_comes_in_pages_and_is_one_change(subject: Subject) -> None:
    async with subject:
        await subject.define(VMS)
        await subject.put(VMS, *(vm(f"vm-{n}") for n in range(5)))
        async with Following(await subject.access(), pages_of(VMS, 2)) as follower:
            await follower.until(lambda f: f.lists)
        (change,) = follower.told
        assert isinstance(change, ListReplaced)
        assert sorted(o.name for o in change.added) == [f"vm-{n}" for n in range(5)]
        assert (change.initial, change.resource, follower.status.sync) == (True, VMS.name, SYNCED)


async def test_empty_list_is_a_list(subject: Subject) -> None:
    async with subject:
        await subject.define(VMS)
        async with Following(await subject.access(), VMS) as follower:
            await follower.until(lambda f: f.lists)
            assert follower.objects == {}


async def test_expired_continue_token_starts_the_list_again(subject: Subject) -> None:
    """Nothing is told of the list that could not be finished."""
    async with subject:
        await subject.put(LEASES, *(lease(f"l-{n}") for n in range(5)))
        async with Following(await subject.access(), pages_of(LEASES, 2)) as follower:

            async def expire() -> None:
                await subject.put(LEASES, lease("l-0", "other"))
                await subject.expire()

            follower.api.after_page = expire
            await follower.knows("l-0", "l-1", "l-2", "l-3", "l-4")
        assert [type(change) for change in follower.told] == [ListReplaced]
        assert follower.status.errors == {"gone": 1}


# --- watches


async def test_watch_tells_what_happens_after_the_list(subject: Subject) -> None:
    async with subject:
        await subject.define(VMS)
        await subject.put(VMS, vm("a"))
        async with Following(await subject.access(), VMS) as follower:
            await follower.knows("a")
            await subject.put(VMS, vm("b"))
            await subject.put(VMS, vm("b", "Halted"))
            await subject.delete(VMS, f"{NAMESPACE}/a")
            await follower.knows("b")
        added, changed, removed = follower.told[1:]
        assert isinstance(added, ObjectChanged)
        assert isinstance(changed, ObjectChanged)
        assert isinstance(removed, ObjectChanged)
        assert (added.old, added.new) == (None, changed.old)
        assert changed.new is not None
        assert (changed.new.run_strategy, changed.new.uid) == ("Halted", changed.old and changed.old.uid)  # type: ignore[attr-defined]
        assert removed.new is None
        assert (follower.status.events, follower.status.objects) == (3, 1)


async def test_change_of_nothing_we_use_is_not_told(subject: Subject) -> None:
    async with subject:
        await subject.define(VMS)
        await subject.put(VMS, vm("a"))
        async with Following(await subject.access(), VMS) as follower:
            await follower.knows("a")
            await subject.put(VMS, vm("a", annotations={"note": "new"}))
            await follower.until(lambda f: f.status.events)
        assert len(follower.told) == 1


async def test_selector_decides_what_is_seen(subject: Subject) -> None:
    """An object that matches no more is gone, one that matches now is new."""
    async with subject:
        await subject.put(LAUNCHERS, pod("one", "virt-launcher"), pod("two", "virt-handler"))
        async with Following(await subject.access(), LAUNCHERS) as follower:
            await follower.knows("one")
            await subject.put(LAUNCHERS, pod("two", "virt-launcher"))
            await follower.knows("one", "two")
            await subject.put(LAUNCHERS, pod("one", "other"))
            await follower.knows("two")


async def test_watch_that_the_server_ends_goes_on_unnoticed(subject: Subject) -> None:
    async with subject:
        await subject.define(VMS)
        async with Following(await subject.access(), VMS, watch_lifetime=1) as follower:
            await follower.until(lambda f: f.status.restarts >= 1)
            await subject.put(VMS, vm("a"))
            await follower.knows("a")
        assert len(follower.lists) == 1
        assert follower.states == [SYNCED]
        assert follower.status.errors == {}


# --- streams that break


async def test_cut_stream_goes_on_from_the_last_version(subject: Subject) -> None:
    """What happened meanwhile is told event by event, and the cut is told, too."""
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        await subject.put(VMS, vm("a"))
        async with Following(await subject.access(port=proxy.port), VMS) as follower:
            await follower.knows("a")
            proxy.refuses = True
            proxy.cut()
            await follower.until(lambda f: f.status.sync is INTERRUPTED)
            await subject.put(VMS, vm("b"))
            await subject.delete(VMS, f"{NAMESPACE}/b")
            await subject.put(VMS, vm("c"))
            proxy.refuses = False
            await follower.knows("a", "c")
        assert len(follower.lists) == 1
        assert [type(change) for change in follower.told[1:]] == [SyncChanged, SyncChanged, *[ObjectChanged] * 3]
        assert follower.states == [SYNCED, INTERRUPTED, SYNCED]


async def test_quiet_stream_is_in_sync_again_once_it_holds(subject: Subject) -> None:
    """No event need come."""
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        async with Following(await subject.access(port=proxy.port), VMS) as follower:
            await watching(subject, follower, "a")
            proxy.cut()
            await follower.until(lambda f: f.states == [SYNCED, INTERRUPTED, SYNCED])
        assert len(follower.lists) == 1


async def test_line_cut_in_the_middle_is_told_once_and_whole(subject: Subject) -> None:
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        async with Following(await subject.access(port=proxy.port), VMS) as follower:
            await watching(subject, follower, "before")
            proxy.allowance = 20_000
            await subject.put(VMS, vm("long", annotations={"text": "x" * 100_000}))
            await follower.knows("before", "long")
        assert follower.status.malformed == 0
        assert len(follower.lists) == 1
        assert INTERRUPTED in follower.states


async def test_silent_stream_is_given_up(subject: Subject) -> None:
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        async with Following(
            await subject.access(port=proxy.port), VMS, watch_silence=0.3, request_deadline=0.5
        ) as follower:
            await watching(subject, follower, "before")
            proxy.freeze()
            await subject.put(VMS, vm("meanwhile"))
            await follower.until(lambda f: f.status.errors.get("silence"))
            proxy.thaw()
            await follower.knows("before", "meanwhile")
        assert len(follower.lists) == 1


async def test_server_that_is_away_is_asked_again_and_nothing_is_lost(subject: Subject) -> None:
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        proxy.refuses = True
        async with Following(await subject.access(port=proxy.port), VMS) as follower:
            await follower.until(lambda f: f.waits)
            assert (follower.told, follower.status.sync) == ([], Sync.UNKNOWN)
            await subject.put(VMS, vm("a"))
            proxy.refuses = False
            await follower.knows("a")


# --- versions that are too old


async def test_change_of_a_definition_leads_to_a_new_list(subject: Subject) -> None:
    """As in every upgrade: the watch is closed and its version refused; what changed meanwhile is a difference."""
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        await subject.put(VMS, vm("stays"), vm("goes"), vm("changes"))
        async with Following(await subject.access(port=proxy.port), VMS) as follower:
            await follower.knows("stays", "goes", "changes")
            proxy.refuses = True
            proxy.cut()
            await subject.delete(VMS, f"{NAMESPACE}/goes")
            await subject.put(VMS, vm("changes", "Halted"), vm("comes"))
            await subject.change_definition(VMS)
            proxy.refuses = False
            await follower.until(lambda f: len(f.lists) > 1)
            await follower.knows("stays", "changes", "comes")
        second = follower.lists[1]
        assert [o.name for o in second.added] == ["comes"]
        assert [new.name for _, new in second.changed] == ["changes"]
        assert [o.name for o in second.removed] == ["goes"]
        assert not second.initial
        assert follower.states[:3] == [SYNCED, INTERRUPTED, SYNCED]


async def test_forgotten_version_leads_to_a_new_list(subject: Subject) -> None:
    async with subject, Proxy(subject.port) as proxy:
        await subject.put(LEASES, lease("a"))
        async with Following(await subject.access(port=proxy.port), LEASES) as follower:
            await follower.knows("a")
            proxy.refuses = True
            proxy.cut()
            await subject.put(LEASES, lease("b"), lease("a", "other"))
            await subject.expire()
            proxy.refuses = False
            await follower.knows("a", "b")
        assert len(follower.lists) == 2
        assert follower.status.errors["gone"] == 1
        assert follower.status.relists == 1


# --- what we may not see, and what is not there


async def test_forbidden_resource_is_told_and_tried_again(subject: Subject) -> None:
    async with subject:
        await subject.define(VMS)
        await subject.put(VMS, vm("a"))
        await subject.permit(LEASES)
        async with Following(await subject.access(user=True), VMS) as follower:
            await follower.until(lambda f: len(f.waits) > 2)
            assert follower.states == [Sync.FORBIDDEN]
            await subject.permit(VMS)
            await follower.knows("a")
            await subject.permit(LEASES)
        assert follower.states == [Sync.FORBIDDEN, SYNCED]


async def test_absent_resource_is_told_and_found_when_it_comes(subject: Subject) -> None:
    async with subject:
        async with Following(await subject.access(), POLICIES) as follower:
            await follower.until(lambda f: len(f.waits) > 2)
            assert follower.states == [Sync.ABSENT]
            await subject.define(POLICIES)
            await subject.put(POLICIES, vm("a"))
            await follower.knows("a")
            await subject.delete(POLICIES, f"{NAMESPACE}/a")
            await subject.undefine(POLICIES)
            await follower.until(lambda f: f.states[-1] is Sync.ABSENT)
        assert [state for state in follower.states if state is not INTERRUPTED] == [Sync.ABSENT, SYNCED, Sync.ABSENT]


async def test_first_version_that_is_served_is_used(subject: Subject) -> None:
    """v1beta1 before v1alpha1, which is all that older releases serve."""
    async with subject:
        await subject.define(SNAPSHOTS, "v1alpha1")
        await subject.put(SNAPSHOTS, vm("a"))
        async with Following(await subject.access(), SNAPSHOTS) as follower:
            await follower.knows("a")
            await subject.put(SNAPSHOTS, vm("b"))
            await follower.knows("a", "b")


async def test_metadata_is_all_that_some_need(subject: Subject) -> None:
    async with subject:
        await subject.define(SNAPSHOTS, "v1alpha1")
        labels = {"app.kubernetes.io/managed-by": "virt-operator"}
        await subject.put(SNAPSHOTS, vm("a", labels=labels))
        async with Following(await subject.access(), SNAPSHOTS) as follower:
            await follower.knows("a")
            await subject.put(SNAPSHOTS, vm("b", labels=labels))
            await follower.knows("a", "b")
        assert [o.managed for o in follower.objects.values()] == [True, True]  # type: ignore[attr-defined]
        assert all(o.uid and o.created for o in follower.objects.values())


# --- objects that are not as they should be


async def test_malformed_object_costs_itself_only(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted each time, named once, and its last readable state stays."""
    async with subject, Proxy(subject.port) as proxy:
        await subject.define(VMS)
        await subject.put(VMS, vm("good"), vm("bad"))
        async with Following(await subject.access(port=proxy.port), VMS) as follower:
            await follower.knows("good", "bad")
            await subject.put(VMS, {**vm("bad"), "spec": "not a struct"}, {**vm("worse"), "spec": 7}, vm("new"))
            await follower.knows("good", "bad", "new")
            assert follower.status.malformed == 2
            proxy.refuses = True
            proxy.cut()
            await subject.put(VMS, vm("newer"))
            await subject.change_definition(VMS)
            proxy.refuses = False
            await follower.knows("good", "bad", "new", "newer")
            assert follower.status.malformed == 4
            await subject.delete(VMS, f"{NAMESPACE}/bad")
            await follower.knows("good", "new", "newer")
        named = [record.__dict__["object"] for record in caplog.records if record.msg == "malformed_object"]
        assert sorted(named) == [f"{NAMESPACE}/bad", f"{NAMESPACE}/worse"]


async def test_line_over_the_limit_costs_a_new_list(subject: Subject) -> None:
    """Memory stays bounded, and the object is known all the same."""
    async with subject:
        await subject.define(VMS)
        async with Following(await subject.access(), VMS, longest_line=10_000) as follower:
            await follower.until(lambda f: f.lists)
            await subject.put(VMS, vm("long", annotations={"text": "x" * 50_000}), vm("b"))
            await follower.knows("long", "b")
            await subject.put(VMS, vm("c"))
            await follower.knows("long", "b", "c")
        assert follower.status.errors["line_too_long"] >= 1
        assert len(follower.lists) > 1


# --- where and when


async def test_install_namespace_is_waited_for(subject: Subject) -> None:
    async with subject:
        await subject.define(KUBEVIRTS)
        await subject.put(KUBEVIRTS, vm("kubevirt"))
        await subject.put(LEASES, lease("a"))
        async with Following(await subject.access(), LEASES, namespace="") as leases:
            async with Following(await subject.access(), KUBEVIRTS) as kubevirts:
                await kubevirts.knows("kubevirt")
            assert (leases.told, leases.status.errors) == ([], {})
            leases.namespace.learn(kubevirts.lists[0])
            await leases.knows("a")


async def test_whatever_breaks_the_picture_becomes_right(subject: Subject) -> None:
    """Objects come, change and go while streams are cut, ended, forgotten and refused at random."""
    rng = random.Random(20)
    async with subject, Proxy(subject.port) as proxy:
        wanted: dict[str, str] = {}
        async with Following(await subject.access(port=proxy.port), pages_of(LEASES, 3)) as follower:
            for step in range(120):
                name = f"l-{rng.randrange(8)}"
                if name in wanted and rng.random() < 0.3:
                    del wanted[name]
                    await subject.delete(LEASES, f"{NAMESPACE}/{name}")
                else:
                    wanted[name] = f"holder-{step}"
                    await subject.put(LEASES, lease(name, wanted[name]))
                match rng.randrange(12):
                    case 0:
                        proxy.cut()
                    case 1:
                        await subject.expire()
                    case 2:
                        proxy.refuses = not proxy.refuses
                    case 3:
                        proxy.allowance = rng.randrange(3000)
                    case _:
                        await asyncio.sleep(rng.random() * 0.01)
            proxy.refuses, proxy.allowance = False, None
            await follower.until(
                lambda f: {o.name: o.holder for o in f.objects.values()} == wanted  # type: ignore[attr-defined]
            )
