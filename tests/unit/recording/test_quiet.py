"""Quiet after a recording: leaders lead on, whoever was gone stays gone."""

from exporter.model import resources
from exporter.model.changes import ListReplaced, ObjectChanged
from exporter.model.objects import Lease
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
