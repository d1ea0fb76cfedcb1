"""Whether a report, written by one process after the other, is the one that a single process would have written.

What may differ is what nobody could see: moments that fell into blind time are learnt at its end, a guest whose whole
interruption fell into it is `unattributed`, probes were not sent, and the seconds are said to be unobserved.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from exporter import settings
from exporter.model.report import Report, SloState, Verdict
from exporter.report import slos

LATE = 0.01
"""Seconds: reports are rounded."""

Interval = tuple[float, float]
MOMENTS = ("reported_complete_at", "observed_complete_at", "workloads_complete_at")


def compare(
    got: Report, expected: Report, blind: Sequence[Interval], *, late: float = LATE, unseen: bool | None = None
) -> None:
    """Equal but for what nobody could see in these intervals, and as close in time as `late` says.

    `unseen`: nobody was there when virt-operator was replaced; by default, where the session began at another time.
    """
    if unseen is None:
        unseen = abs(got.started_at - expected.started_at) > late
    assert frame(got, but="virt-operator" if unseen else "") == frame(expected, but="virt-operator" if unseen else "")
    for name in MOMENTS:
        learnt(getattr(got, name), getattr(expected, name), blind, late)
    assert settling(got) == pytest.approx(settling(expected), abs=late)
    assert unseen or got.continuity.baseline == expected.continuity.baseline
    for mine, theirs in zip(got.components, expected.components, strict=True):
        if not (unseen and mine.name == "virt-operator"):
            learnt(mine.started_at, theirs.started_at, blind, late)
            learnt(mine.completed_at, theirs.completed_at, blind, late)
    guests(got, expected)
    probes(got, expected, late)


def moved(report: Report, when: Callable[[float], float]) -> Report:
    """With the moments that `compare` reads changed in this way; the settling lasts as long as it did."""

    def other(at: float | None) -> float | None:
        return None if at is None else when(at)

    assert report.workloads_complete_at is not None
    return msgspec.structs.replace(
        report,
        **{name: other(getattr(report, name)) for name in ("started_at", *MOMENTS)},
        ended_at=when(report.workloads_complete_at) + settling(report),
        components=tuple(
            msgspec.structs.replace(part, started_at=other(part.started_at), completed_at=other(part.completed_at))
            for part in report.components
        ),
    )


def frame(report: Report, *, but: str) -> dict[str, object]:
    """What does not depend on when it was learnt, without one component."""
    return {
        "what": (report.from_version, report.to_version, report.kind, report.deployment_id, report.cluster_uid),
        "phase": (report.phase, report.progress, report.stalled),
        "components": [
            (c.name, c.from_version, c.to_version, c.desired, c.updated, c.ready, c.restarts)
            for c in report.components
            if c.name != but
        ],
        "migrations": (report.migrations, report.continuity.migrated),
        "guests": (report.continuity.asked, report.continuity.duplicate_launchers, report.continuity.anomalies_dropped),
        "leaders": [(lead.component, lead.transitions) for lead in report.leadership if lead.component != but],
        "kept": {name: msgspec.structs.replace(entry, before=None) for name, entry in report.retention.objects.items()},
        "api": (report.api.probes_configured, report.api.versions_lost, report.api.storage_blocked),
    }


def settling(report: Report) -> float:
    assert report.ended_at is not None
    assert report.workloads_complete_at is not None
    return report.ended_at - report.workloads_complete_at


def length(blind: Iterable[Interval], report: Report) -> float:
    """Of the blind time that is the session's; a life that wrote nothing has left none of it out."""
    assert report.ended_at is not None
    total, seen = 0.0, report.started_at
    for start, end in sorted(blind):
        total += max(0.0, min(end, report.ended_at) - max(start, seen))
        seen = max(seen, end)
    return total


def learnt(got: float | None, expected: float | None, blind: Iterable[Interval], late: float) -> None:
    """At its own time, or at the end of the blind time into which that fell."""
    assert (got is None) == (expected is None)
    if got is None or expected is None or abs(got - expected) <= late:
        return
    assert any(start - late <= expected and got <= end + late for start, end in blind), (got, expected, blind)


def guests(got: Report, expected: Report) -> None:
    """Each loss is there once, explained as without kills, or not explained."""
    mine, theirs = got.continuity, expected.continuity
    assert mine.interrupted.total + mine.unattributed == theirs.interrupted.total + theirs.unattributed
    assert all(count <= theirs.interrupted.by_reason.get(r, 0) for r, count in mine.interrupted.by_reason.items())
    assert sorted(a.name for a in mine.anomalies) == sorted(a.name for a in theirs.anomalies)
    if mine.unattributed or mine.unobserved_seconds > settings.Objectives().unobserved_allowed:
        assert got.verdict in {Verdict.INCONCLUSIVE, expected.verdict}
    else:
        assert got.verdict is expected.verdict
        assert standing(got) == standing(expected)


def standing(report: Report) -> dict[str, SloState]:
    """How long a hand-over in blind time took is not known exactly, so an objective may come closer to its end."""
    near = {SloState.AT_RISK: SloState.MET}
    return {slo.slo: near.get(slo.state, slo.state) for slo in report.slos}


def probes(got: Report, expected: Report, late: float) -> None:
    """Nothing measured twice."""
    theirs = {(row.probe, row.connection): row for row in expected.api.probes}
    assert {(row.probe, row.connection) for row in got.api.probes} == set(theirs)
    for row in got.api.probes:
        assert row.measured_seconds <= theirs[row.probe, row.connection].measured_seconds + late
        assert row.disruption_seconds <= theirs[row.probe, row.connection].disruption_seconds + late
        assert row.probe == slos.CONTROL_PROBE or row.cluster_seconds == 0
