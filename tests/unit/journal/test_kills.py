"""Killed at 100 random moments of a clean and of an interrupted upgrade: the report is the one without kills.

What may differ is what nobody could see: moments that fell into blind time are learnt at its end, a guest whose whole
interruption fell into it is `unattributed`, probes were not sent, and the seconds are said to be unobserved.
"""

import pathlib
import random

import msgspec
import pytest

from exporter.model.report import Report, SloState, Verdict
from exporter.report import slos
from tests.unit.journal.lives import SETTINGS, Kill, Lives, cluster, story

SEED = 20260819
RUNS = 10
KILLS = 10
"""In each run; 100 in all."""
LATE = 0.01
"""Seconds: reports are rounded."""


@pytest.mark.parametrize("scenario", ["clean", "guest-evicted"])
async def test_a_hundred_kills_lose_nothing_and_count_nothing_twice(scenario: str, tmp_path: pathlib.Path) -> None:
    told = story(scenario, tmp_path)
    rng = random.Random(f"{SEED}/{scenario}")
    async with cluster(tmp_path) as here:
        expected = await Lives(here.reports).play(told)
        assert expected.ended_at is not None
        assert expected.continuity.unobserved_seconds == 0
        resumed = 0
        for _ in range(RUNS):
            await here.clear()
            moments = [rng.uniform(expected.started_at - 20, expected.ended_at) for _ in range(KILLS)]
            lives = Lives(here.reports)
            got = await lives.play(told, [Kill(moment, rng.uniform(0.5, 20)) for moment in moments])
            compare(got, expected, lives.blind)
            resumed += len(lives.blind)
        assert resumed > RUNS * KILLS / 2, "most kills must fall into the session, and lives must go on from others"


def compare(got: Report, expected: Report, blind: list[tuple[float, float]]) -> None:
    """Equal but for what nobody could see in these intervals."""
    unseen = abs(got.started_at - expected.started_at) > LATE  # nobody was there when virt-operator was replaced
    assert frame(got, but="virt-operator" if unseen else "") == frame(expected, but="virt-operator" if unseen else "")
    assert unobserved(got) == pytest.approx(length(blind, got), abs=LATE * (1 + len(blind)))
    for name in ("reported_complete_at", "observed_complete_at", "workloads_complete_at"):
        learnt(getattr(got, name), getattr(expected, name), blind)
    assert settling(got) == pytest.approx(settling(expected), abs=LATE)
    assert unseen or got.continuity.baseline == expected.continuity.baseline
    for mine, theirs in zip(got.components, expected.components, strict=True):
        if not (unseen and mine.name == "virt-operator"):
            learnt(mine.started_at, theirs.started_at, blind)
            learnt(mine.completed_at, theirs.completed_at, blind)
    guests(got, expected)
    probes(got, expected)


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


def unobserved(report: Report) -> float:
    return report.continuity.unobserved_seconds


def length(blind: list[tuple[float, float]], report: Report) -> float:
    """Of the blind time that is the session's; a life that wrote nothing has left none of it out."""
    assert report.ended_at is not None
    total, seen = 0.0, report.started_at
    for start, end in sorted(blind):
        total += max(0.0, min(end, report.ended_at) - max(start, seen))
        seen = max(seen, end)
    return total


def learnt(got: float | None, expected: float | None, blind: list[tuple[float, float]]) -> None:
    """At its own time, or at the end of the blind time into which that fell."""
    assert (got is None) == (expected is None)
    if got is None or expected is None or abs(got - expected) <= LATE:
        return
    assert any(start - LATE <= expected and got <= end + LATE for start, end in blind), (got, expected, blind)


def guests(got: Report, expected: Report) -> None:
    """Each loss is there once, explained as without kills, or not explained."""
    mine, theirs = got.continuity, expected.continuity
    assert mine.interrupted.total + mine.unattributed == theirs.interrupted.total + theirs.unattributed
    assert all(count <= theirs.interrupted.by_reason.get(r, 0) for r, count in mine.interrupted.by_reason.items())
    assert sorted(a.name for a in mine.anomalies) == sorted(a.name for a in theirs.anomalies)
    allowed = SETTINGS.objectives.unobserved_allowed
    if mine.unattributed or mine.unobserved_seconds > allowed:
        assert got.verdict in {Verdict.INCONCLUSIVE, expected.verdict}
    else:
        assert got.verdict is expected.verdict
        assert standing(got) == standing(expected)


def standing(report: Report) -> dict[str, SloState]:
    """How long a hand-over in blind time took is not known exactly, so an objective may come closer to its end."""
    near = {SloState.AT_RISK: SloState.MET}
    return {slo.slo: near.get(slo.state, slo.state) for slo in report.slos}


def probes(got: Report, expected: Report) -> None:
    """Nothing measured twice."""
    theirs = {(row.probe, row.connection): row for row in expected.api.probes}
    assert {(row.probe, row.connection) for row in got.api.probes} == set(theirs)
    for row in got.api.probes:
        assert row.measured_seconds <= theirs[row.probe, row.connection].measured_seconds
        assert row.disruption_seconds <= theirs[row.probe, row.connection].disruption_seconds
        assert row.probe == slos.CONTROL_PROBE or row.cluster_seconds == 0
