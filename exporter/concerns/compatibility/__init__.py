"""Compatibility: do clients of every served API version still work, and do stored versions bar a way.

Adds up what the probes saw (`seconds`) and compares what is served and stored (`surface`).
"""

import math
from collections.abc import Iterator
from typing import Any

from exporter.concerns.compatibility import surface
from exporter.concerns.compatibility.seconds import BUCKETS, NO_WINDOW, Accounting, Tally, Track, Window
from exporter.concerns.compatibility.surface import Baseline, Block, Served, Surface
from exporter.model import probing, resources
from exporter.model.changes import Change, ListReplaced, ObjectChanged, ProbeFinished, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.report import ApiReport, ProbeReport
from exporter.settings import Settings
from exporter.tracker.sessions import Began, Closed, Ended, Session, Transition
from exporter.tracker.tracker import View

_FORMAT = 1
_WATCHED = frozenset({resources.CRDS, resources.API_SERVICES})
_PROBE = ("probe", "connection")

REQUESTS = Family(name="api_requests", kind=Kind.COUNTER, labels=_PROBE, help="Probe requests that finished.")
FAILURES = Family(
    name="api_failures", kind=Kind.COUNTER, labels=(*_PROBE, "reason"), help="Probe requests that failed, by reason."
)
DURATION = Family(
    name="api_request_duration_seconds", kind=Kind.HISTOGRAM, labels=_PROBE, buckets=BUCKETS,
    help="How long probe requests took that succeeded.",
)  # fmt: skip
_SECONDS = {
    "measured": "Seconds in which the probe sent a request; in all others nothing is known.",
    "disrupted": "Measured seconds in which the probe failed although the API server itself answered.",
    "cluster": "Measured seconds in which the probe failed and the control probe of the API server failed, too:"
    " not charged to KubeVirt.",
    "client": "Measured seconds in which the probe failed on our own side: not charged to KubeVirt.",
}
_NAMES = {
    "measured": "api_measured_seconds", "disrupted": "api_disruption_seconds", "cluster": "api_cluster_seconds",
    "client": "api_client_seconds",
}  # fmt: skip
TOTALS = {
    word: Family(name=name, kind=Kind.COUNTER, labels=_PROBE, help=_SECONDS[word]) for word, name in _NAMES.items()
}
SESSION = {
    word: Family(
        name=f"session_{name}", kind=Kind.GAUGE, labels=_PROBE,
        help=f"{_SECONDS[word]} In the session, up to its observed completion and some settling.",
    )
    for word, name in _NAMES.items()
}  # fmt: skip
SERVED = Family(
    name="api_versions_served", kind=Kind.GAUGE,
    help="Versions of resources that KubeVirt's API serves, aggregated group-versions included.",
)  # fmt: skip
AVAILABLE = Family(
    name="aggregated_api_available", kind=Kind.GAUGE, labels=("group", "version"),
    help="1 where the API server says that this aggregated API of KubeVirt is available, else 0.",
)  # fmt: skip
LOST = Family(
    name="session_api_versions_lost", kind=Kind.GAUGE,
    help="Versions of resources that were served when the session began and are not now.",
)  # fmt: skip
LOST_VERSION = Family(
    name="session_lost_api_version", kind=Kind.INFO, labels=("group", "version", "resource"),
    help="A version of a resource that was served when the session began and is not now; without a resource, a whole"
    " aggregated group-version.",
)  # fmt: skip
NEW = Family(
    name="session_api_versions_new", kind=Kind.GAUGE,
    help="Versions of resources that are served now and were not when the session began.",
)  # fmt: skip
BLOCKING = Family(
    name="storage_versions_blocking", kind=Kind.GAUGE, labels=("direction",),
    help="Stored versions of KubeVirt's CRDs that the next release does not define (upgrade), or the previous one"
    " (rollback): the API server would refuse its definitions. Missing where that release is not known.",
)  # fmt: skip
BLOCK = Family(
    name="storage_version_blocks", kind=Kind.GAUGE, labels=("crd", "version", "direction", "release"),
    help="1 for each stored version that bars the way to a release.",
)  # fmt: skip

FAMILIES = (
    REQUESTS, FAILURES, DURATION, *TOTALS.values(), *SESSION.values(), SERVED, AVAILABLE, LOST, LOST_VERSION, NEW,
    BLOCKING, BLOCK,
)  # fmt: skip


class Compatibility:
    """The concern. `probes`: those that are expected to be measured; others are reported once they are seen."""

    name = "compatibility"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self, settings: Settings, *, probes: tuple[str, ...] = ()) -> None:
        self._settling = settings.thresholds.settling
        self._configured = probes
        self._accounting = Accounting()
        self._surface = Surface()
        self._began = False
        """There is a session's account."""
        self._baseline: Baseline | None = None
        """Served when the session began; None where its beginning was not seen."""
        self._end: tuple[tuple[Served, ...], tuple[Served, ...], tuple[Block, ...]] | None = None
        """Lost, new and blocking as of the session's end."""

    def session(self, transition: Transition, view: View) -> None:
        """An account begins, or ends with what is known."""
        session = transition.session
        match transition:
            case Began():
                self._accounting.begin()
                self._began, self._end = True, None
                self._baseline = self._surface.served(view.sync) if session.seen_start else None
            case Ended() | Closed():
                if self._end is None:
                    self._accounting.end(self._window(session))
                    self._end = (*self._difference(view), tuple(self._blocks(session, view)))

    def observe(self, change: Change, view: View) -> None:
        """Count samples; follow CRDs and APIServices."""
        if change.at >= self._accounting.next:
            self._accounting.settle(change.at, self._open_window(view))
        match change:
            case ObjectChanged() | ListReplaced():
                if change.resource in _WATCHED:
                    for delta in deltas(change):
                        self._surface.take(delta)
            case ProbeFinished():
                self._accounting.take(change, self._open_window(view))
            case _:
                pass

    def _open_window(self, view: View) -> Window:
        return self._window(view.session) if view.active and view.session is not None else NO_WINDOW

    def _window(self, session: Session) -> Window:
        """The seconds in which disruption counts: whole ones, up to observed completion and settling."""
        end = math.inf
        if session.observed is not None:
            end = session.observed + self._settling
        if session.ended is not None:
            end = min(end, session.ended)
        return Window(math.ceil(session.started), end)

    def deadline(self) -> float | None:
        """When a bad second will be charged."""
        return self._accounting.due

    def _difference(self, view: View) -> tuple[tuple[Served, ...], tuple[Served, ...]]:
        if self._baseline is None:
            return (), ()
        return surface.difference(self._baseline, self._surface.served(view.sync))

    def _blocks(self, session: Session | None, view: View) -> list[Block]:
        if not view.sync.known(resources.CRDS):
            return []
        return self._surface.blocks(surface.ways(session, view.kubevirt))

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`; the last session's values stay until the next begins."""
        for track in self._accounting:
            yield from self._of_track(track)
        served = self._surface.served(view.sync)
        if resources.CRDS in served:
            yield SERVED(sum(map(len, served.values())))
        if resources.API_SERVICES in served:
            for (group, version), available in sorted(self._surface.services.items()):
                if available is not None:
                    yield AVAILABLE(available, group=group, version=version)
        yield from self._of_storage(view)
        if self._baseline:
            lost, new = self._end[:2] if self._end is not None else self._difference(view)
            yield LOST(len(lost))
            yield NEW(len(new))
            for group, version, resource in lost:
                yield LOST_VERSION(1, group=group, version=version, resource=resource)

    def _of_track(self, track: Track) -> Iterator[Sample]:
        labels = {"probe": track.probe, "connection": track.connection}
        yield REQUESTS(track.total.requests, **labels)
        yield from FAILURES.counts(track.total.failures, initial=_reasons(track.probe), **labels)
        yield DURATION.histogram(track.durations(), **labels)
        for word, family in TOTALS.items():
            yield family(getattr(track.total, word), **labels)
        if self._began:
            for word, family in SESSION.items():
                yield family(getattr(track.session, word), **labels)

    def _of_storage(self, view: View) -> Iterator[Sample]:
        if not view.sync.known(resources.CRDS):
            return
        ways = surface.ways(view.session if view.active else None, view.kubevirt)
        blocks = self._surface.blocks(ways)
        for direction, lines in ways._asdict().items():
            if lines:
                yield BLOCKING(sum(block.direction == direction for block in blocks), direction=direction)
        for block in blocks:
            yield BLOCK(1, **block._asdict())

    def report(self, now: float, view: View) -> ApiReport:
        """The session's account; what is lost and what blocks as of its end, or now."""
        if self._end is not None:
            lost, _, blocks = self._end
        else:
            lost, _ = self._difference(view)
            blocks = tuple(self._blocks(view.session, view))
        tracks = [track for track in self._accounting if track.session.requests]
        return ApiReport(
            probes_configured=tuple(sorted({*self._configured, *(track.probe for track in tracks)})),
            probes=tuple(_report(track.probe, track.connection, track.session) for track in tracks),
            versions_lost=tuple(map(str, lost)),
            storage_blocked=tuple(map(str, blocks)),
        )

    def snapshot(self) -> dict[str, Any]:
        """The session's account; process counters start at 0 again, and lists tell what is served."""
        return {
            "format": _FORMAT,
            "tracks": self._accounting.snapshot(),
            "began": self._began,
            "baseline": surface.to_state(self._baseline),
            "end": None if self._end is None else [[list(entry) for entry in part] for part in self._end],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change; a snapshot of another format is left aside."""
        if state.get("format") != _FORMAT:
            return
        self._accounting.restore(state["tracks"])
        self._began = bool(state["began"])
        self._baseline = surface.from_state(state["baseline"])
        if state["end"] is not None:
            lost, new, blocks = state["end"]
            self._end = (
                tuple(Served(*entry) for entry in lost),
                tuple(Served(*entry) for entry in new),
                tuple(Block(*entry) for entry in blocks),
            )


def _reasons(probe: str) -> tuple[str, ...]:
    """Those that can occur: only what is written passes admission."""
    return tuple(reason for reason in probing.REASONS if reason != "webhook" or "dry-run" in probe)


def _report(probe: str, connection: str, tally: Tally) -> ProbeReport:
    return ProbeReport(
        probe=probe,
        connection=connection,
        measured_seconds=float(tally.measured),
        disruption_seconds=float(tally.disrupted),
        cluster_seconds=float(tally.cluster),
        client_seconds=float(tally.client),
        failures=dict(sorted(tally.failures.items())),
    )
