"""Quiet after a recording's end: nothing happens any more, and leaders go on as leaders do, renewing their leases.

Without that, whoever led at the end would seem to be gone a moment later. A lease that has expired by then stays so.
"""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from exporter.model import resources
from exporter.model.changes import Change, ListReplaced, ObjectChanged, deltas
from exporter.model.objects import Lease

_RENEWALS = 3
"""In each duration of a lease."""


class _Known(NamedTuple):
    """A lease, and when we learnt of its last renewal: clocks may differ, and go on to differ as they did."""

    lease: Lease
    at: float


class Quiet:
    """Follows the leases of a recording, and tells what becomes of them after it."""

    def __init__(self) -> None:
        self._leases: dict[str, _Known] = {}

    def observe(self, change: Change) -> None:
        """Take note of a change of the recording."""
        if not isinstance(change, ObjectChanged | ListReplaced) or change.resource != resources.LEASES:
            return
        for delta in deltas(change):
            if isinstance(delta.new, Lease):
                self._leases[delta.new.key] = _Known(delta.new, change.at)
            elif delta.old is not None:
                self._leases.pop(delta.old.key, None)

    def changes(self, since: float, until: float) -> Iterator[ObjectChanged]:
        """The renewals between two moments, in the order of their coming."""
        due = [
            (max(since, known.at + known.lease.duration / _RENEWALS), key)
            for key, known in self._leases.items()
            if known.lease.holder and known.lease.renewed is not None and since <= known.at + known.lease.duration
        ]
        heapq.heapify(due)
        while due and due[0][0] <= until:
            at, key = due[0]
            old, learnt = self._leases[key]
            assert old.renewed is not None  # noqa: S101 - it is not in the list otherwise
            new = msgspec.structs.replace(old, renewed=old.renewed + (at - learnt))
            self._leases[key] = _Known(new, at)
            yield ObjectChanged(at=at, resource=resources.LEASES, old=old, new=new)
            heapq.heapreplace(due, (at + new.duration / _RENEWALS, key))
