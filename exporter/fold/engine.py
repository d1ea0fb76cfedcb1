"""Feeds each change to the tracker, then to the concerns, in a declared order; fires deadlines in between."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from exporter import report as reports
from exporter.concerns.base import Concern
from exporter.concerns.compatibility import Compatibility
from exporter.concerns.continuity import Continuity
from exporter.concerns.leadership import Leadership
from exporter.concerns.migrations import Migrations
from exporter.concerns.retention import Retention
from exporter.concerns.rollout import Rollout
from exporter.concerns.session import Session
from exporter.concerns.versions import Versions
from exporter.fold import build
from exporter.model.changes import Change, TimePassed
from exporter.model.families import Family, Sample
from exporter.model.report import Phase, Report
from exporter.report.evidence import Evidence
from exporter.report.inheritance import Inheritance
from exporter.settings import Settings
from exporter.tracker import sessions
from exporter.tracker.sessions import Began, Closed, Ended
from exporter.tracker.tracker import Tracker, View

SNAPSHOT_VERSION = 2


class Source:
    """One concern, for whoever publishes: its families and what they are now."""

    def __init__(self, concern: Concern, tracker: Tracker, broken: Mapping[str, Exception]) -> None:
        self.name: str = concern.name
        self.families: tuple[Family, ...] = concern.families
        self._concern = concern
        self._tracker = tracker
        self._broken = broken

    def samples(self, now: float) -> Iterator[Sample]:
        """May raise whatever a faulty concern raises, or once raised; the publisher keeps that apart."""
        if (error := self._broken.get(self.name)) is not None:
            raise error
        yield from self._concern.samples(now, self._tracker)


class SloSource:
    """The SLOs and the verdict, which read everybody: from the report."""

    name = "slo"
    families: tuple[Family, ...] = reports.FAMILIES

    def __init__(self, fold: "Fold") -> None:
        self._fold = fold

    def samples(self, now: float) -> Iterator[Sample]:
        """Of the session under way or the last one."""
        report = self._fold.current(now)
        if report is not None:
            yield from reports.samples(report)


class Fold:
    """All state there is. Equal changes give equal samples and reports, whoever feeds them."""

    def __init__(self, settings: Settings, *, exporter_version: str, probes: tuple[str, ...] = ()) -> None:
        self._settings = settings
        self._tracker = Tracker(settings)
        self._parts = build.Parts(
            exporter_version=exporter_version,
            session=Session(),
            versions=Versions(),
            rollout=Rollout(),
            continuity=Continuity(settings),
            migrations=Migrations(),
            compatibility=Compatibility(settings, probes=probes),
            leadership=Leadership(),
            retention=Retention(settings),
        )
        self._concerns: tuple[Concern, ...] = self._parts.concerns
        self._whole = self._concerns
        self._broken: dict[str, Exception] = {}
        """Concerns that have raised: what they know is not to be trusted any more, the others go on."""
        self._past: list[Report] = []
        self._inheritance: tuple[float, Inheritance] | None = None
        """What others knew of a session, and the start of that session."""
        self._final: tuple[float, Evidence] | None = None
        """Start of the session that ended last, and what its verdict rests on: what comes after it changes nothing."""
        self._last = float("-inf")
        self._ready_since: float | None = None
        self._continued: float | None = None
        """Start of the session of the snapshot that we go on from."""

    @property
    def last(self) -> float:
        """Time of the last change."""
        return self._last

    @property
    def ready(self) -> bool:
        """Every deciding resource is listed, or known to be absent or forbidden: sessions are judged."""
        return self._tracker.sync.ready

    @property
    def active(self) -> bool:
        """A session is under way."""
        return self._tracker.active

    @property
    def view(self) -> View:
        """What the tracker knows, for others to look at."""
        return self._tracker

    def feed(self, change: Change) -> None:
        """Take a change in, after the deadlines that are due before it. A time before the last one counts as that."""
        at = max(change.at, self._last)
        if at > self._last:  # of changes of one moment, the first has fired what is due before all of them
            self._fire(at)
        self._apply(change if change.at == at else msgspec.structs.replace(change, at=at))

    def _fire(self, until: float) -> None:
        fired = self._last
        while (due := self.deadline()) is not None and due <= until:
            fired = max(due, fired)
            self._apply(TimePassed(at=fired))

    def _apply(self, change: Change) -> None:
        self._last = change.at
        for transition in self._tracker.observe(change):
            match transition:
                case Closed(session=session):
                    if session.phase is not Phase.DROPPED:
                        self._past.append(self._report(session, now=change.at))
                        del self._past[: -self._settings.reports]
                    continue
                case Began(session=session):
                    self._tracker.session_began(session)
                case _:
                    pass
            for concern in self._whole:
                try:
                    concern.session(transition, self._tracker)
                except Exception as error:  # noqa: BLE001 - the boundary around a concern
                    self._break(concern, error)
            if isinstance(transition, Ended):
                self._final = transition.session.started, self._evidence(transition.session, now=change.at)
        for concern in self._whole:
            try:
                concern.observe(change, self._tracker)
            except Exception as error:  # noqa: BLE001 - the boundary around a concern
                self._break(concern, error)
        if self._ready_since is None and self.ready:
            self._ready_since = change.at

    def _break(self, concern: Concern, error: Exception) -> None:
        """A concern that raises costs only itself from then on."""
        self._broken[concern.name] = error
        self._whole = tuple(other for other in self._whole if other is not concern)

    def deadline(self) -> float | None:
        """When the fold next wants a `TimePassed`; whoever has no clock need not care, `feed` fires what is due."""
        first = self._tracker.deadline()
        for concern in self._whole:
            due = concern.deadline()
            if due is not None and (first is None or due < first):
                first = due
        return first

    def sources(self) -> tuple[Source | SloSource, ...]:
        """What there is to publish."""
        return (*(Source(concern, self._tracker, self._broken) for concern in self._concerns), SloSource(self))

    def _report(self, session: sessions.Session, *, now: float) -> Report:
        inheritance = None
        if self._inheritance is not None and self._inheritance[0] == session.started:
            inheritance = self._inheritance[1]
        if session.over and self._final is not None and self._final[0] == session.started:
            known = self._final[1]
        else:
            known = self._evidence(session, now=now)
        return build.report(self._parts, self._tracker, session, now=now, known=known, inheritance=inheritance)

    def _evidence(self, session: sessions.Session, *, now: float) -> Evidence:
        until = now if session.ended is None else min(now, session.ended)
        return build.evidence(self._parts, self._tracker, session, now=until, broken=tuple(self._broken))

    def current(self, now: float) -> Report | None:
        """The report of the session under way, or of the last one."""
        session = self._tracker.session
        if session is None:
            return self._past[-1] if self._past else None
        return self._report(session, now=now)

    def reports(self, now: float) -> list[Report]:
        """All sessions, oldest first. One that only virt-operator took part in is none."""
        session = self._tracker.session
        current = [self._report(session, now=now)] if session is not None else []
        return [*self._past, *(report for report in current if report.phase is not Phase.DROPPED)]

    def inherit(self, known: Report) -> None:
        """What another observer's report of our session, under way or the last, knows beyond ours counts from now on.

        It replaces what was inherited before. Snapshots do not hold it: whoever restores one inherits again.
        """
        session, self._inheritance = self._tracker.session, None
        if session is not None:
            own = self._report(session, now=self._last)
            since = self._ready_since if self._ready_since is not None else self._last
            if session.started == self._continued:
                since = session.started
            self._inheritance = session.started, Inheritance(known, own, newcomer=not session.seen_start, since=since)

    def snapshot(self) -> dict[str, Any]:
        """What a restart needs, as JSON values; bounded however large the cluster is."""
        return {
            "version": SNAPSHOT_VERSION,
            "last": self._last,
            "tracker": self._tracker.snapshot(),
            "concerns": {concern.name: concern.snapshot() for concern in self._concerns},
            "final": msgspec.to_builtins(self._final),
        }

    def restore(self, state: dict[str, Any], *, past: tuple[Report, ...] = ()) -> None:
        """Continue a predecessor's work; before any change.

        What became of guests and objects while nobody watched matters to a session under way only. Between sessions
        snapshots are not kept up to date, and nothing is compared with them.

        Raises:
            ValueError, KeyError, TypeError, msgspec.ValidationError: the snapshot is not ours or is damaged; this fold
                must then be thrown away.
        """
        if state["version"] != SNAPSHOT_VERSION:
            message = f"snapshot version {state['version']!r}, we read {SNAPSHOT_VERSION}"
            raise ValueError(message)
        self._tracker.restore(state["tracker"], last=float(state["last"]))
        for concern in self._concerns:
            concern.restore(state["concerns"][concern.name])
        self._final = msgspec.convert(state["final"], tuple[float, Evidence] | None)
        self.remember(past)
        self._last = float(state["last"])
        self._continued = self._tracker.session.started if self._tracker.session is not None else None

    def remember(self, past: Sequence[Report]) -> None:
        """Sessions before those that this fold knows, oldest first; before any change."""
        self._past = list(past)
