"""Quiet after a recording: leaders lead on, virt-handlers live on, whoever was gone stays gone."""

from exporter.model import resources
from exporter.model.changes import ListReplaced, ObjectChanged
from exporter.model.objects import Lease, Node
from exporter.recording.quiet import Quiet

NOW = 1_000.0


def lease(name: str, *, renewed: float | None, holder: str = "a", duration: float = 15.0) -> Lease:
    return Lease(key=f"kubevirt/{name}", uid=name, holder=holder, renewed=renewed, duration=duration)


def listed(*leases: Lease, at: float = NOW) -> ListReplaced:
    return ListReplaced(at=at, resource=resources.LEASES, added=tuple(leases), changed=(), removed=(), initial=True)


def put(old: Lease | None, new: Lease | None, *, at: float) -> ObjectChanged:
    return ObjectChanged(at=at, resource=resources.LEASES, old=old, new=new)


def renewals(quiet: Quiet, since: float, until: float) -> list[tuple[float, str, float | None]]:
    found = []
    for change in quiet.changes(since, until):
        assert isinstance(change.new, Lease)
        found.append((change.at, change.new.name, change.new.renewed))
    return found


def test_leases_are_renewed_three_times_in_their_duration_each_at_its_own_pace() -> None:
    quiet = Quiet()
    quiet.observe(listed(lease("one", renewed=NOW), lease("two", renewed=NOW, duration=30.0)))
    told = renewals(quiet, NOW + 1, NOW + 20)
    assert told == [
        (NOW + t, name, NOW + t)
        for t, name in [(5, "one"), (10, "one"), (10, "two"), (15, "one"), (20, "one"), (20, "two")]
    ]


def test_it_goes_on_where_it_ended() -> None:
    quiet, other = Quiet(), Quiet()
    for each in (quiet, other):
        each.observe(listed(lease("one", renewed=NOW)))
    parts = [*renewals(quiet, NOW, NOW + 12), *renewals(quiet, NOW + 12, NOW + 40)]
    assert parts == renewals(other, NOW, NOW + 40)


def test_a_lease_that_has_expired_stays_so() -> None:
    quiet = Quiet()
    quiet.observe(listed(lease("one", renewed=NOW)))
    assert renewals(quiet, NOW + 15.1, NOW + 100) == []


def test_released_ended_and_unheld_leases_are_not_renewed() -> None:
    quiet = Quiet()
    gone = lease("gone", renewed=NOW)
    quiet.observe(listed(lease("released", renewed=NOW, holder=""), lease("never", renewed=None), gone))
    quiet.observe(put(gone, None, at=NOW + 1))
    assert renewals(quiet, NOW + 1, NOW + 100) == []


def test_a_clock_that_differs_goes_on_to_differ() -> None:
    """The lease is an hour ahead, and we learnt of its renewal half a second late."""
    quiet = Quiet()
    old = lease("one", renewed=NOW + 3_595)
    quiet.observe(listed(old, at=NOW - 4))
    quiet.observe(put(old, lease("one", renewed=NOW + 3_600), at=NOW + 0.5))
    assert renewals(quiet, NOW + 1, NOW + 6) == [(NOW + 5.5, "one", NOW + 3_605)]


# --- heartbeats of nodes


def node(name: str, *, heartbeat: float | None, schedulable: bool | None = True) -> Node:
    return Node(key=name, uid=name, heartbeat=heartbeat, kubevirt_schedulable=schedulable)


def nodes_listed(*nodes: Node, at: float = NOW) -> ListReplaced:
    return ListReplaced(at=at, resource=resources.NODES, added=nodes, changed=(), removed=(), initial=True)


def heartbeats(quiet: Quiet, since: float, until: float) -> list[tuple[float, str, float | None]]:
    found = []
    for change in quiet.changes(since, until):
        assert change.resource == resources.NODES
        assert isinstance(change.new, Node)
        found.append((change.at, change.new.key, change.new.heartbeat))
    return found


def test_heartbeats_go_on_every_minute() -> None:
    quiet = Quiet()
    quiet.observe(nodes_listed(node("a", heartbeat=NOW - 20), node("b", heartbeat=NOW - 100)))
    assert heartbeats(quiet, NOW, NOW + 100) == [
        (NOW, "b", NOW),
        (NOW + 40, "a", NOW + 40),
        (NOW + 60, "b", NOW + 60),
        (NOW + 100, "a", NOW + 100),
    ]


def test_whoever_gave_no_sign_of_life_gives_none() -> None:
    """Too old, stopped (its label says false then), never there, and deleted."""
    quiet = Quiet()
    gone = node("gone", heartbeat=NOW)
    stopped = node("stopped", heartbeat=NOW)
    quiet.observe(nodes_listed(node("old", heartbeat=NOW - 181), node("never", heartbeat=None), gone, stopped))
    quiet.observe(ObjectChanged(at=NOW, resource=resources.NODES, old=gone, new=None))
    after = node("stopped", heartbeat=NOW, schedulable=False)
    quiet.observe(ObjectChanged(at=NOW, resource=resources.NODES, old=stopped, new=after))
    assert heartbeats(quiet, NOW, NOW + 1_000) == []


def test_leases_and_nodes_of_the_same_name_are_not_confused() -> None:
    quiet = Quiet()
    same = "kubevirt/one"
    quiet.observe(listed(lease("one", renewed=NOW)))
    quiet.observe(nodes_listed(node(same, heartbeat=NOW)))
    told = [(change.resource, change.at) for change in quiet.changes(NOW, NOW + 61)]
    assert told.count((resources.NODES, NOW + 60)) == 1
    assert told.count((resources.LEASES, NOW + 60)) == 1
