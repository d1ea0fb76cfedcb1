"""What another observer of the same session knows and we do not: it counts in our report from then on. Pure.

Needed when a replica takes over, and when a snapshot could not be read. Facts about objects are the same for all who
see them, so only what the other was ahead in is added; what each measures for itself (probes, gaps) is merged by the
worse, never summed. Seconds that went unobserved are our own, unless we have not been here from the beginning.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec

from exporter.model.report import (
    Anomaly,
    ApiReport,
    ComponentReport,
    ContinuityReport,
    Interrupted,
    LeaderReport,
    MigrationsReport,
    ProbeReport,
    Report,
    Retention,
    RetentionReport,
    SloReport,
    SloState,
)

_Part = TypeVar("_Part", ContinuityReport, MigrationsReport, RetentionReport)
_COUNTED: Final = ("migrated", "interruption_seconds", "asked", "duplicate_launchers", "anomalies_dropped")
_KEPT_OBJECTS: Final = ("created", "deleted", "lost", "recreated", "spec_changed")
_MEASURED: Final = ("measured_seconds", "disruption_seconds", "cluster_seconds", "client_seconds")


def same_session(one: Report, other: Report) -> bool:
    """Both are about one session, whose beginning two observers need not have learnt in the same second."""
    if one.to_version != other.to_version:
        return False
    if one.deployment_id and other.deployment_id and one.deployment_id != other.deployment_id:
        return False
    ends = [math.inf if report.ended_at is None else report.ended_at for report in (one, other)]
    return one.started_at <= ends[1] and other.started_at <= ends[0]


class Inheritance:
    """What is added to our report. `known` and `own` are of the same session, `own` without what was inherited before.

    `newcomer`: neither we nor those whose snapshots we go on from have seen the session begin. `since`: from when on we
    or they have counted what went unobserved.
    """

    def __init__(self, known: Report, own: Report, *, newcomer: bool, since: float) -> None:
        self._known = known
        self._own = own
        self._newcomer = newcomer
        theirs, ours = known.continuity, own.continuity
        self._reasons = {
            reason: ahead
            for reason, count in theirs.interrupted.by_reason.items()
            if (ahead := count - ours.interrupted.by_reason.get(reason, 0)) > 0
        }
        # A loss that they could explain may be one of those that we could not.
        losses = max(continuity.interrupted.total + continuity.unattributed for continuity in (theirs, ours))
        explained = ours.interrupted.total + sum(self._reasons.values())
        self._unattributed = max(0, losses - explained) - ours.unattributed
        self._unobserved = 0.0
        if newcomer:
            absent = max(0.0, since - known.observed_until)
            self._unobserved = max(0.0, theirs.unobserved_seconds + absent - ours.unobserved_seconds)

    def added(self, now: Report) -> Report:
        """Our report as of now, not yet judged, with what the other knows."""
        known = self._known
        changes: dict[str, object] = {
            "reported_complete_at": _first(now.reported_complete_at, known.reported_complete_at),
            "observed_complete_at": _first(now.observed_complete_at, known.observed_complete_at),
            "workloads_complete_at": _first(now.workloads_complete_at, known.workloads_complete_at),
            "progress": max(now.progress, known.progress),
            "components": self._components(now.components),
            "continuity": self._continuity(now.continuity),
            "migrations": _ahead(known.migrations, self._own.migrations, now.migrations, ("succeeded", "failed")),
            "leadership": self._leadership(now.leadership),
            "api": self._api(now.api),
            "retention": Retention(objects=self._retention(now.retention.objects)),
        }
        if self._newcomer:
            changes |= {"from_version": known.from_version, "kind": known.kind, "started_at": known.started_at}
        return msgspec.structs.replace(now, **changes)

    def latched(self, slos: Iterable[SloReport]) -> tuple[SloReport, ...]:
        """An objective that the other has seen exhausted stays so."""
        theirs = {slo.slo: slo for slo in self._known.slos if slo.state is SloState.EXHAUSTED}
        return tuple(slo if slo.state is SloState.EXHAUSTED else theirs.get(slo.slo, slo) for slo in slos)

    def _continuity(self, now: ContinuityReport) -> ContinuityReport:
        known = self._known.continuity
        counted = _ahead(known, self._own.continuity, now, _COUNTED)
        reasons = {
            reason: now.interrupted.by_reason.get(reason, 0) + self._reasons.get(reason, 0)
            for reason in sorted(now.interrupted.by_reason.keys() | self._reasons.keys())
        }
        return msgspec.structs.replace(
            counted,
            baseline=now.baseline if now.baseline is not None else known.baseline,
            interrupted=Interrupted(total=sum(reasons.values()), by_reason=reasons),
            unattributed=max(0, now.unattributed + self._unattributed),
            unobserved_seconds=round(now.unobserved_seconds + self._unobserved, 3),
            anomalies=self._anomalies(now.anomalies),
        )

    def _anomalies(self, now: tuple[Anomaly, ...]) -> tuple[Anomaly, ...]:
        """Theirs that we had not named, and ours, without those that they could explain and we could not."""
        named = {_named(anomaly) for anomaly in self._own.continuity.anomalies}
        more = [anomaly for anomaly in self._known.continuity.anomalies if _named(anomaly) not in named]
        explained = {(a.namespace, a.name, "unattributed") for a in more if a.kind == "interrupted"}
        before = self._own.observed_until
        kept = [anomaly for anomaly in now if anomaly.at > before or _named(anomaly) not in explained]
        return tuple(sorted([*more, *kept], key=lambda a: (a.at, a.namespace, a.name, a.kind)))

    def _components(self, now: tuple[ComponentReport, ...]) -> tuple[ComponentReport, ...]:
        theirs = {part.name: part for part in self._known.components}
        ours = {part.name: part for part in self._own.components}
        return tuple(
            self._component(part, theirs[part.name], ours.get(part.name)) if part.name in theirs else part
            for part in now
        )

    def _component(self, now: ComponentReport, known: ComponentReport, own: ComponentReport | None) -> ComponentReport:
        more = max(0, known.restarts - (own.restarts if own is not None else 0))
        return msgspec.structs.replace(
            now,
            from_version=known.from_version if self._newcomer else now.from_version,
            started_at=_first(now.started_at, known.started_at),
            completed_at=_first(now.completed_at, known.completed_at),
            restarts=now.restarts + more,
        )

    def _leadership(self, now: tuple[LeaderReport, ...]) -> tuple[LeaderReport, ...]:
        theirs = {part.component: part for part in self._known.leadership}
        ours = {part.component: part for part in self._own.leadership}
        merged = []
        for part in now:
            known, own = theirs.get(part.component), ours.get(part.component)
            if known is not None:
                transitions = max(0, known.transitions - (own.transitions if own is not None else 0))
                part = msgspec.structs.replace(  # noqa: PLW2901 - the same part
                    part,
                    transitions=part.transitions + transitions,
                    leaderless_seconds=max(part.leaderless_seconds, known.leaderless_seconds),
                    longest_gap_seconds=max(part.longest_gap_seconds, known.longest_gap_seconds),
                )
            merged.append(part)
        return tuple(merged)

    def _api(self, now: ApiReport) -> ApiReport:
        known = self._known.api
        rows = {(row.probe, row.connection): row for row in known.probes}
        for row in now.probes:
            key = (row.probe, row.connection)
            rows[key] = _worse(row, rows[key]) if key in rows else row
        lost = {*now.versions_lost, *known.versions_lost} if self._newcomer else now.versions_lost
        return msgspec.structs.replace(
            now, probes=tuple(row for _, row in sorted(rows.items())), versions_lost=tuple(sorted(lost))
        )

    def _retention(self, now: Mapping[str, RetentionReport]) -> dict[str, RetentionReport]:
        merged = dict(now)
        for resource, known in self._known.retention.objects.items():
            own, part = self._own.retention.objects.get(resource), now.get(resource)
            if part is None or own is None:
                continue
            counted = _ahead(known, own, part, _KEPT_OBJECTS)
            merged[resource] = msgspec.structs.replace(
                counted, before=part.before if part.before is not None else known.before
            )
        return merged


def _ahead(known: _Part, own: _Part, now: _Part, fields: Iterable[str]) -> _Part:
    """`now`, with what `known` was ahead of `own` in."""
    more = {name: getattr(now, name) + max(0, getattr(known, name) - getattr(own, name)) for name in fields}
    return msgspec.structs.replace(now, **more)


def _worse(one: ProbeReport, other: ProbeReport) -> ProbeReport:
    """Each figure the larger one of two vantages."""
    return ProbeReport(
        probe=one.probe,
        connection=one.connection,
        **{name: max(getattr(one, name), getattr(other, name)) for name in _MEASURED},
        failures={
            reason: max(one.failures.get(reason, 0), other.failures.get(reason, 0))
            for reason in sorted(one.failures.keys() | other.failures.keys())
        },
    )


def _first(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _named(anomaly: Anomaly) -> tuple[str, str, str]:
    return anomaly.namespace, anomaly.name, anomaly.kind
