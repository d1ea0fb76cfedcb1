"""The facts the fold is fed with, each with the time at which it was learnt.

`at` is Unix seconds and never decreases along a stream. A change carries old and new, so that whoever observes it
can count with O(1) work and need not keep objects. See design §1.
"""

import enum
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from exporter.model.objects import Object


class Sync(enum.Enum):
    """What we know about a resource."""

    UNKNOWN = "unknown"
    """Not listed yet."""
    SYNCED = "synced"
    INTERRUPTED = "interrupted"
    """Listed before; the watch is cut and has not resumed."""
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    """No such resource in this cluster."""


class ObjectChanged(msgspec.Struct, frozen=True):
    """An object appeared (old is None), changed, or went (new is None)."""

    at: float
    resource: str
    old: Object | None
    new: Object | None


class ListReplaced(msgspec.Struct, frozen=True):
    """A whole list replaced the old one. `initial`: there was none before, so nothing is a difference."""

    at: float
    resource: str
    added: tuple[Object, ...]
    changed: tuple[tuple[Object, Object], ...]
    removed: tuple[Object, ...]
    initial: bool


class SyncChanged(msgspec.Struct, frozen=True):
    """A resource was found forbidden or absent, its watch was cut, or resumed."""

    at: float
    resource: str
    state: Sync


class ProbeFinished(msgspec.Struct, frozen=True):
    """A probe's result. `sent` is when the request left; `reason` is empty where it succeeded."""

    at: float
    probe: str
    connection: str
    sent: float
    seconds: float
    reason: str


class TimePassed(msgspec.Struct, frozen=True):
    """A deadline is due; `at` is the deadline's time, not the time somebody looked."""

    at: float


class SessionClosed(msgspec.Struct, frozen=True):
    """A person closed the session under way."""

    at: float


Change = ObjectChanged | ListReplaced | SyncChanged | ProbeFinished | TimePassed | SessionClosed
OF_OBJECTS: Final = (ObjectChanged, ListReplaced)
"""The changes that have deltas. `isinstance` with it takes a quarter of the time that it takes with their union."""


class Delta(msgspec.Struct, frozen=True, gc=False):
    """One object's difference. `gap`: it was learnt by comparing lists, what happened between is unknown."""

    old: Object | None
    new: Object | None
    gap: bool
    initial: bool


def deltas(change: ObjectChanged | ListReplaced) -> Iterable[Delta]:
    """Every object's difference in the change. An object with a new UID comes as a change of the same key."""
    if isinstance(change, ObjectChanged):
        return (Delta(change.old, change.new, gap=False, initial=False),)
    return _differences(change)


def _differences(change: ListReplaced) -> Iterator[Delta]:
    for removed in change.removed:
        yield Delta(removed, None, gap=True, initial=False)
    for old, new in change.changed:
        yield Delta(old, new, gap=True, initial=False)
    for added in change.added:
        yield Delta(None, added, gap=not change.initial, initial=change.initial)
