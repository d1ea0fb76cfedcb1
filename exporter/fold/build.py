"""Puts a report together from what tracker and concerns say, and has it judged."""

import math
from typing import NamedTuple

from exporter import report as reports
from exporter.concerns import session as session_concern
from exporter.concerns.base import Concern
from exporter.concerns.compatibility import Compatibility
from exporter.concerns.continuity import Continuity
from exporter.concerns.leadership import Leadership
from exporter.concerns.migrations import Migrations
from exporter.concerns.retention import Retention
from exporter.concerns.rollout import Rollout
from exporter.concerns.session import Session
from exporter.concerns.versions import Versions
from exporter.model.report import Report
from exporter.report.evidence import Evidence
from exporter.report.inheritance import Inheritance
from exporter.tracker import obstacles, sessions
from exporter.tracker.tracker import Tracker


class Parts(NamedTuple):
    """The concerns, in the order in which they run."""

    exporter_version: str
    session: Session
    versions: Versions
    rollout: Rollout
    continuity: Continuity
    migrations: Migrations
    compatibility: Compatibility
    leadership: Leadership
    retention: Retention

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """Without the rest."""
        return tuple(self[1:])


def report(
    parts: Parts,
    tracker: Tracker,
    session: sessions.Session,
    *,
    now: float,
    known: Evidence,
    inheritance: Inheritance | None = None,
) -> Report:
    """The document about a session as of now (its end, if that is earlier), with what others knew of it."""
    until = now if session.ended is None else min(now, session.ended)
    draft = Report(
        from_version=session.from_version or None,
        to_version=session.to_version or None,
        kind=session.kind,
        deployment_id=session.deployment_id or None,
        cluster_uid=tracker.kubevirt.uid if tracker.kubevirt is not None else None,
        exporter_version=parts.exporter_version,
        phase=session.phase,
        progress=round(session.progress, 4),
        stalled=_stalled(tracker, now),
        started_at=session.started,
        reported_complete_at=session.reported,
        observed_complete_at=session.observed,
        workloads_complete_at=session.workloads,
        ended_at=session.ended,
        observed_until=until,
        verdict=None,
        verdict_so_far=None,
        findings=(),
        components=parts.rollout.report(now, tracker),
        continuity=parts.continuity.report(now, tracker),
        migrations=parts.migrations.report(tracker),
        leadership=parts.leadership.report(now, tracker),
        api=parts.compatibility.report(now, tracker),
        retention=parts.retention.report(now, tracker),
        slos=(),
    )
    if inheritance is not None:
        draft = inheritance.added(draft)
    return reports.judged(draft, known, tracker.settings.objectives, inheritance)


def evidence(
    parts: Parts, tracker: Tracker, session: sessions.Session, *, now: float, broken: tuple[str, ...]
) -> Evidence:
    """What the verdict needs beyond the document; as of the end of a session, it stays as it was then."""
    nodes = session.handler_nodes
    failed, finished = parts.migrations.failed_updates
    outdated = tracker.outdated()
    return Evidence(
        path_supported=session_concern.supported(session),
        handler_waves=1 + math.ceil((nodes - 1) / math.ceil(nodes / 10)) if nodes else None,
        handler_grace=session.handler_grace,
        longest_pause=tracker.rollouts.longest_pause(now),
        obstacles=_obstacles(tracker, _stalled(tracker, now)),
        out_of_order=tuple(tracker.rollouts.out_of_order(session)),
        relapsed=session.relapsed,
        failed_updates=failed,
        finished_updates=finished,
        stranded=dict(sorted(outdated.stranded.items())) if outdated is not None else {},
        workloads_began=session.workloads_began,
        blind=tracker.sync.blind(),
        operator_version=tracker.kubevirt.operator_version if tracker.kubevirt is not None else "",
        broken=broken,
    )


def _obstacles(tracker: Tracker, stalled: tuple[str, ...]) -> dict[str, str]:
    """Of each stalled component."""
    found = {}
    for name in stalled:
        component = tracker.components.get(name)
        if component is None:
            continue
        if said := obstacles.words(component.pods.values(), tracker.rollouts.target(component)):
            found[name] = said
    return found


def _stalled(tracker: Tracker, now: float) -> tuple[str, ...]:
    """Components that stand still, once there is enough to tell."""
    return tracker.rollouts.stalled(now) if tracker.sync.ready else ()
