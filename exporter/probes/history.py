"""The last results of the probes, for a person who wants to know what a failure looked like.

Failures stay longer than successes: each has a place of its own for every probe.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

SUCCESSES: Final = 3
FAILURES: Final = 20
"""Kept of each probe and kind of connection."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One result. Times in Unix seconds; `seconds` is how long it took."""

    probe: str
    connection: str
    sent: float
    seconds: float
    reason: str
    status: int
    detail: str
    audit_id: str


class History:
    """A ring of successes and one of failures per probe and kind of connection."""

    def __init__(self) -> None:
        self._rings: dict[tuple[str, str, bool], deque[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Keep a result; an older one goes."""
        ok = not entry.reason
        key = (entry.probe, entry.connection, ok)
        if key not in self._rings:
            self._rings[key] = deque(maxlen=SUCCESSES if ok else FAILURES)
        self._rings[key].append(entry)

    def __iter__(self) -> Iterator[Entry]:
        """All that is kept, by probe, the newest first."""
        probes = sorted({(probe, connection) for probe, connection, _ in self._rings})
        for probe, connection in probes:
            entries = [e for ok in (True, False) for e in self._rings.get((probe, connection, ok), ())]
            yield from sorted(entries, key=lambda entry: entry.sent, reverse=True)
