"""Metrics about the exporter itself: what it watches and how well, and what its own work costs.

A source like any other. It reads the state that the composition root hands it, and keeps only what nobody else knows.
"""

import bisect
import platform
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exporter.kube.status import WatchStatus
from exporter.model.changes import Sync
from exporter.model.families import Distribution, Family, Kind, Sample

BUILD: Final = Family(
    name="exporter_build",
    kind=Kind.INFO,
    help="The version of this exporter and of the Python that runs it.",
    labels=("version", "python"),
)
SYNCED: Final = Family(
    name="exporter_resource_synced",
    kind=Kind.GAUGE,
    help="1 while our picture of this resource is complete and current. Where it is 0, what follows from the resource"
    " is missing or old.",
    labels=("resource",),
)
STATE: Final = Family(
    name="exporter_resource_state",
    kind=Kind.STATESET,
    help="What we know of this resource: not listed yet (unknown), synced, its watch is cut (interrupted), we may not"
    " read it (forbidden), or the cluster has none (absent).",
    labels=("resource", "state"),
    states=tuple(sync.value for sync in Sync),
)
OBJECTS: Final = Family(
    name="exporter_objects",
    kind=Kind.GAUGE,
    help="Objects of this resource that we hold.",
    labels=("resource",),
)
EVENTS: Final = Family(
    name="exporter_watch_events",
    kind=Kind.COUNTER,
    help="Watch events received, without bookmarks.",
    labels=("resource",),
)
RECEIVED: Final = Family(
    name="exporter_received_bytes",
    kind=Kind.COUNTER,
    help="Bytes of lists and watch events received.",
    labels=("resource",),
)
RELISTS: Final = Family(
    name="exporter_relists",
    kind=Kind.COUNTER,
    help="Complete lists after the first one: the watch could not go on where it had stopped.",
    labels=("resource",),
)
RESTARTS: Final = Family(
    name="exporter_watch_restarts",
    kind=Kind.COUNTER,
    help="Watches opened after the first one. API servers end each watch after some minutes, so some are normal.",
    labels=("resource",),
)
MALFORMED: Final = Family(
    name="exporter_malformed_objects",
    kind=Kind.COUNTER,
    help="Objects that could not be decoded. Each costs only itself: its last readable state stays.",
    labels=("resource",),
)
ERRORS: Final = Family(
    name="exporter_api_errors",
    kind=Kind.COUNTER,
    help="Failed requests of our own lists and watches, by reason.",
    labels=("resource", "reason"),
)
LAST_EVENT: Final = Family(
    name="exporter_last_event_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When this resource's list or watch last told us anything, bookmarks included.",
    labels=("resource",),
)
PAGE: Final = Family(
    name="exporter_page_duration_seconds",
    kind=Kind.HISTOGRAM,
    help="Time it took to make a metrics page, those before this one.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
DEADLINE_LAG: Final = Family(
    name="exporter_deadline_lag_seconds",
    kind=Kind.GAUGE,
    help="How late the last deadline was taken up. It grows where the process gets too little CPU.",
)

FAMILIES: Final = (
    BUILD, SYNCED, STATE, OBJECTS, EVENTS, RECEIVED, RELISTS, RESTARTS, MALFORMED, ERRORS, LAST_EVENT,
    PAGE, DEADLINE_LAG,
)  # fmt: skip


class Durations:
    """Counts durations, in seconds, for a histogram."""

    def __init__(self, family: Family) -> None:
        self._bounds = family.buckets
        self._counts = [0] * (len(family.buckets) + 1)
        self._total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect.bisect_left(self._bounds, seconds)] += 1
        self._total += seconds

    def distribution(self) -> Distribution:
        """What was counted so far."""
        cumulative = [sum(self._counts[: end + 1]) for end in range(len(self._counts))]
        return Distribution(tuple(cumulative), self._total)


class OwnSource:
    """The source of this module's families."""

    name = "exporter"
    families = FAMILIES

    def __init__(self, *, version: str, resources: Callable[[], Iterable[WatchStatus]]) -> None:
        self._version = version
        self._resources = resources
        self.pages = Durations(PAGE)
        self.deadline_lag: float | None = None
        """Seconds; None until a deadline was due."""

    def samples(self, now: float) -> Iterator[Sample]:
        """What is true now."""
        yield BUILD(1, version=self._version, python=platform.python_version())
        for status in self._resources():
            yield from _of_resource(status)
        yield PAGE.histogram(self.pages.distribution())
        if self.deadline_lag is not None:
            yield DEADLINE_LAG(self.deadline_lag)


def _of_resource(status: WatchStatus) -> Iterator[Sample]:
    resource = status.resource
    listed = status.sync in (Sync.SYNCED, Sync.INTERRUPTED)
    yield SYNCED(status.sync is Sync.SYNCED, resource=resource)
    yield from STATE.state(status.sync.value, resource=resource)
    if listed:  # before, we hold none because we know none
        yield OBJECTS(status.objects, resource=resource)
    yield EVENTS(status.events, resource=resource)
    yield RECEIVED(status.received_bytes, resource=resource)
    yield RELISTS(status.relists, resource=resource)
    yield RESTARTS(status.restarts, resource=resource)
    yield MALFORMED(status.malformed, resource=resource)
    for reason, times in sorted(status.errors.items()):
        yield ERRORS(times, resource=resource, reason=reason)
    if status.last_event_at is not None:
        yield LAST_EVENT(status.last_event_at, resource=resource)
