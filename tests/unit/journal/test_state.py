"""The state stays within 256 KB however large the cluster and bad the day, and a shortened one is still good."""

import uuid
from typing import Any

import msgspec
import pytest

from exporter.fold import Fold
from exporter.journal import state
from exporter.model import resources
from tests.cluster import Cluster

GUESTS = 50_000
NODES = 500


def uid(number: int, kind: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}-{number}"))


def large() -> Cluster:
    """A cluster of 50,000 guests with names as people give them, in the middle of an upgrade."""
    cluster = Cluster(guests=0)
    for number in range(GUESTS):
        name, node = f"customer-database-{number:05d}", f"worker-{number % NODES:03d}.cluster.example"
        key = f"customer-{number % 900:03d}-production/{name}"
        things = {
            resources.VMS: msgspec.structs.replace(cluster.vm(name), uid=uid(number, "vm")),
            resources.VMIS: cluster.vmi(name, uid=uid(number, "vmi"), node=node),
        }
        for resource, thing in things.items():
            cluster.objects[resource][key] = msgspec.structs.replace(thing, key=key)
    cluster.list_all()
    cluster.begin_upgrade()
    return cluster


def keys(cluster: Cluster, start: int, count: int) -> list[str]:
    return list(cluster.objects[resources.VMIS])[start : start + count]


def fail(cluster: Cluster, start: int, count: int) -> None:
    for key in keys(cluster, start, count):
        cluster.change(resources.VMIS, key, phase="Failed", reason="NodeUnresponsive")
        cluster.now += 0.0123456


def test_fifty_thousand_guests_on_the_worst_days() -> None:
    """Nothing is dropped on a bad day; on the worst one the state still fits and says what it lacks."""
    cluster = large()
    calm = state.encode(cluster.fold.snapshot())
    assert calm.size < 16_384
    for key in keys(cluster, 0, 500):
        vmi = cluster.objects[resources.VMIS][key]
        cluster.put(resources.MIGRATIONS, cluster.migration(f"kubevirt-workload-update-{vmi.name}", vmi.name))
    fail(cluster, 1000, 300)  # three nodes are lost
    bad = state.encode(cluster.fold.snapshot())
    assert bad.dropped == ()
    assert bad.size < state.LIMIT / 2

    fail(cluster, 2000, 3000)
    for number, key in enumerate(keys(cluster, 10_000, 4000)):
        cluster.change(resources.VMS, key, stop_requests=(uid(10_000 + number, "vmi"),))
    for key in keys(cluster, 20_000, 1000):
        cluster.remove(resources.VMIS, key)
    losses = 300 + 3000 + 1000
    worst = state.encode(cluster.fold.snapshot())
    assert worst.size <= state.LIMIT
    assert worst.dropped[-1] == "concerns.continuity.cases"
    cluster.fold = Fold(cluster.settings, exporter_version="test")
    cluster.fold.restore(state.decode(worst.text))
    cluster.stores = {name: type(store)(name) for name, store in cluster.stores.items()}
    cluster.now += 20
    cluster.list_all()
    cluster.wait(60)
    continuity = cluster.report().continuity
    assert continuity.interrupted.total + continuity.unattributed == losses
    assert continuity.interrupted.total > 500
    assert state.encode(cluster.fold.snapshot()).size <= state.LIMIT


@pytest.fixture
def snapshot() -> dict[str, Any]:
    cluster = Cluster(guests=9).list_all()
    cluster.begin_upgrade()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.put(resources.MIGRATIONS, cluster.migration("one", "vm-1"))
    cluster.remove(resources.VMIS, "team/vm-2")
    cluster.change(resources.VMS, "team/vm-3", stop_requests=("vmi-vm-3",))
    made: dict[str, Any] = cluster.fold.snapshot()
    return made


def test_the_text_is_the_snapshot(snapshot: dict[str, Any]) -> None:
    text = state.encode(snapshot)
    assert state.decode(text.text) == msgspec.json.decode(msgspec.json.encode(snapshot))
    assert text.size == len(msgspec.json.encode(text.text))
    assert text.dropped == ()


def test_the_least_important_parts_go_first_and_the_whole_is_not_touched(snapshot: dict[str, Any]) -> None:
    before = msgspec.json.encode(snapshot)
    whole = state.encode(snapshot).size
    dropped: list[tuple[str, ...]] = []
    for limit in range(whole - 1, 0, -10):
        text = state.encode(snapshot, limit=limit)
        if not dropped or dropped[-1] != text.dropped:
            dropped.append(text.dropped)
        Fold(Cluster().settings, exporter_version="test").restore(state.decode(text.text))
    assert dropped[0] == ("concerns.migrations.sources",)
    assert [parts[:-1] for parts in dropped[1:]] == dropped[:-1], "one after the other"
    assert dropped[-1][-2:] == ("concerns.continuity.idle", "concerns.continuity.cases")
    assert msgspec.json.encode(snapshot) == before


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\x00"])
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        state.decode(text)
