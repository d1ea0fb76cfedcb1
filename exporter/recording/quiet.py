"""Quiet after a recording's end: nothing happens any more, and what is alive goes on saying so.

Leaders renew their leases, virt-handlers their nodes' heartbeats; without that, all of them would seem to be gone
moments later. Whatever has expired by then stays so.
"""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from exporter.model import resources
from exporter.model.changes import OF_OBJECTS, Change, ObjectChanged, deltas
from exporter.model.objects import Lease, Node, Object

_RENEWALS = 3
"""In each duration of a lease."""
_HEARTBEAT_EVERY = 60.0
"""Seconds: virt-handler waits 60 to 132 s between two (reference §4.5)."""
_HEARTBEAT_LASTS = 180.0


class _Sign(NamedTuple):
    """A sign of life: the field with its time, when it was given by our clock, how often it is, how long it is good."""

    resource: str
    of: Lease | Node
    field: str
    given: float
    every: float
    lasts: float

    def again(self, at: float) -> "_Sign":
        """The next. Clocks may differ, and go on to differ as they did."""
        time = getattr(self.of, self.field) + (at - self.given)
        return self._replace(of=msgspec.structs.replace(self.of, **{self.field: time}), given=at)


class Quiet:
    """Follows the signs of life in a recording, and tells those that come after it."""

    def __init__(self) -> None:
        self._signs: dict[tuple[str, str], _Sign] = {}

    def observe(self, change: Change) -> None:
        """Take note of a change of the recording."""
        if not isinstance(change, OF_OBJECTS) or change.resource not in (resources.LEASES, resources.NODES):
            return
        for delta in deltas(change):
            if (subject := delta.new or delta.old) is not None:
                self._signs.pop((change.resource, subject.key), None)
            if delta.new is not None and (sign := _sign(delta.new, change.at)) is not None:
                self._signs[change.resource, delta.new.key] = sign

    def changes(self, since: float, until: float) -> Iterator[ObjectChanged]:
        """The signs between two moments, in the order of their coming."""
        due = [
            (max(since, sign.given + sign.every), key)
            for key, sign in self._signs.items()
            if since <= sign.given + sign.lasts
        ]
        heapq.heapify(due)
        while due and due[0][0] <= until:
            at, key = due[0]
            old = self._signs[key]
            new = self._signs[key] = old.again(at)
            yield ObjectChanged(at=at, resource=new.resource, old=old.of, new=new.of)
            heapq.heapreplace(due, (at + new.every, key))


def _sign(obj: Object, at: float) -> _Sign | None:
    """What an object learnt at that time says; None for nothing."""
    if isinstance(obj, Lease) and obj.holder and obj.renewed is not None:
        return _Sign(resources.LEASES, obj, "renewed", given=at, every=obj.duration / _RENEWALS, lasts=obj.duration)
    # A virt-handler that ends says so by that label; it writes the time with its node's clock, which we must trust.
    if isinstance(obj, Node) and obj.kubevirt_schedulable and obj.heartbeat is not None:
        given, every, lasts = obj.heartbeat, _HEARTBEAT_EVERY, _HEARTBEAT_LASTS
        return _Sign(resources.NODES, obj, "heartbeat", given=given, every=every, lasts=lasts)
    return None
