"""The database behind the simulated API server: encoded objects, one counter of versions, and a history to watch.

It keeps objects as JSON bytes (deflated in large worlds) and hands out bytes, so that 50,000 guests fit in memory and a
list costs no encoding. It knows resource keys, names and versions, but nothing about what objects mean: that is
`cluster`.
"""

from __future__ import annotations

import bisect
import enum
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from exporter.sim.refusals import JSON, expired_version

Key = tuple[str, str]  # namespace ("" for cluster-scoped), name
Fields = dict[str, str]

_DICTIONARY_BYTES = 32_000  # what zlib can refer back to


class Change(enum.Enum):
    """The type of a watch event."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object as it is kept. `labels` and `fields` are what selectors may ask for."""

    key: Key
    version: int
    packed: bytes
    labels: Fields
    fields: Fields


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the object's bytes after it (before it, with the new version, for a deletion)."""

    at: float
    version: int
    change: Change
    resource: str
    key: Key
    raw: bytes
    labels: Fields
    fields: Fields
    before: tuple[Fields, Fields] | None  # labels and fields before the change; None for an addition


Subscriber = Callable[[Event], None]


class Table:
    """The objects and the history of one resource."""

    def __init__(self, resource: str, *, history: int, deflate: bool) -> None:
        self.resource = resource
        self.entries: dict[Key, Entry] = {}
        self.oldest = 0  # a watch from before this version is refused
        self._events: list[Event] = []
        self._history = history
        self._deflate = deflate
        self._dictionary = b""
        self._sorted: list[Key] | None = None

    def put(self, entry: Entry) -> None:
        if entry.key not in self.entries:
            self._sorted = None
        self.entries[entry.key] = entry

    def remove(self, key: Key) -> Entry:
        self._sorted = None
        return self.entries.pop(key)

    def ordered(self) -> list[Entry]:
        """All entries by namespace and name: the order of lists."""
        if self._sorted is None:
            self._sorted = sorted(self.entries)
        entries = self.entries
        return [entries[key] for key in self._sorted]

    def pack(self, raw: bytes) -> bytes:
        if not self._deflate:
            return raw
        if not self._dictionary:
            self._dictionary = raw[:_DICTIONARY_BYTES]
        squeezer = zlib.compressobj(level=1, memLevel=5, zdict=self._dictionary)
        return squeezer.compress(raw) + squeezer.flush()

    def unpack(self, packed: bytes) -> bytes:
        return zlib.decompressobj(zdict=self._dictionary).decompress(packed) if self._deflate else packed

    def record(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > 2 * self._history:
            self.forget_before(self._events[-self._history].version)

    def forget_before(self, version: int) -> None:
        """Compaction: watches may no longer start before `version`."""
        cut = bisect.bisect_left(self._events, version, key=lambda event: event.version)
        if cut:
            self.oldest = self._events[cut - 1].version
            del self._events[:cut]
        self.oldest = max(self.oldest, version - 1)

    def since(self, version: int) -> list[Event]:
        if version < self.oldest:
            raise expired_version(version, self.oldest)
        return self._events[bisect.bisect_right(self._events, version, key=lambda event: event.version) :]


class Store:
    """All tables, the counter of versions that they share, and those who listen to every change."""

    def __init__(self, *, history: int = 4096, deflate: bool = False) -> None:
        self.version = 1000
        self._history = history
        self._deflate = deflate
        self._tables: dict[str, Table] = {}
        self._subscribers: list[Subscriber] = []

    def table(self, resource: str) -> Table:
        table = self._tables.get(resource)
        if table is None:
            table = self._tables[resource] = Table(resource, history=self._history, deflate=self._deflate)
        return table

    def drop(self, resource: str) -> None:
        """Forget a resource altogether; a later one of the same name starts with no history."""
        self._tables.pop(resource, None)
        self.table(resource).oldest = self.version

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every change from now on; the answer ends that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def next_version(self) -> int:
        self.version += 1
        return self.version

    def raw(self, resource: str, key: Key) -> bytes | None:
        table = self.table(resource)
        entry = table.entries.get(key)
        return None if entry is None else table.unpack(entry.packed)

    def write(self, resource: str, key: Key, body: JSON, *, at: float) -> Event:
        """Keep `body` under a new version, which is written into it."""
        table = self.table(resource)
        old = table.entries.get(key)
        version = self.next_version()
        body["metadata"]["resourceVersion"] = str(version)
        raw = msgspec.json.encode(body)
        entry = Entry(
            key=key, version=version, packed=table.pack(raw), labels=body["metadata"].get("labels") or {},
            fields=_fields(key, body),
        )  # fmt: skip
        table.put(entry)
        change = Change.ADDED if old is None else Change.MODIFIED
        return self._announce(table, entry, change=change, raw=raw, old=old, at=at)

    def remove(self, resource: str, key: Key, *, at: float) -> Event:
        table = self.table(resource)
        old = table.remove(key)
        version = self.next_version()
        body = msgspec.json.decode(table.unpack(old.packed), type=dict)
        body["metadata"]["resourceVersion"] = str(version)
        entry = Entry(key=key, version=version, packed=b"", labels=old.labels, fields=old.fields)
        return self._announce(table, entry, change=Change.DELETED, raw=msgspec.json.encode(body), old=old, at=at)

    def _announce(
        self, table: Table, entry: Entry, *, change: Change, raw: bytes, old: Entry | None, at: float
    ) -> Event:
        event = Event(
            at=at, version=entry.version, change=change, resource=table.resource, key=entry.key, raw=raw,
            labels=entry.labels, fields=entry.fields, before=None if old is None else (old.labels, old.fields),
        )  # fmt: skip
        table.record(event)
        for subscriber in tuple(self._subscribers):
            subscriber(event)
        return event

    def raws(self, resource: str) -> Iterator[bytes]:
        table = self.table(resource)
        for entry in table.ordered():
            yield table.unpack(entry.packed)


def _fields(key: Key, body: JSON) -> Fields:
    """The field selectors we serve: every resource has the first two, pods the others, too."""
    fields = {"metadata.name": key[1], "metadata.namespace": key[0]}
    if body.get("kind") == "Pod":
        fields["spec.nodeName"] = body.get("spec", {}).get("nodeName") or ""
        fields["status.phase"] = (body.get("status") or {}).get("phase") or ""
    return fields
