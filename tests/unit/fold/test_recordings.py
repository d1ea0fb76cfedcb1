"""Every recording's timeline comes out right, to the second (tables in the recordings' README)."""

import functools
import pathlib

import pytest

from exporter.fold import Fold
from exporter.model.report import Phase, Report, SessionKind, Verdict
from exporter.recording.reader import Recording
from exporter.settings import Settings

TOLERANCE = 1.0


@functools.cache
def replayed(path: pathlib.Path) -> tuple[tuple[Report, ...], float]:
    """Reports as of the recording's end, and the moment of its first mark, from which the README counts."""
    fold = Fold(Settings(), exporter_version="test")
    with Recording(path) as recording:
        for change in recording.changes():
            fold.feed(change)
        first = next(mark.at for mark in recording.marks if mark.text.startswith("T0"))
        return tuple(fold.reports(recording.ended)), first


def seconds(value: float | None, first: float) -> float:
    assert value is not None
    return value - first


def test_the_clean_upgrade(recordings: pathlib.Path) -> None:
    """1.3.0 to 1.4.0: everything the README tells."""
    (report,), first = replayed(recordings / "upgrade-1.3.0-1.4.0.jsonl.gz")
    assert (report.from_version, report.to_version, report.kind) == ("v1.3.0", "v1.4.0", SessionKind.UPGRADE)
    assert seconds(report.started_at, first) == pytest.approx(0.8, abs=TOLERANCE)
    assert seconds(report.observed_complete_at, first) == pytest.approx(316.2, abs=TOLERANCE)
    assert seconds(report.reported_complete_at, first) == pytest.approx(338.2, abs=TOLERANCE)
    assert seconds(report.workloads_complete_at, first) == pytest.approx(405, abs=TOLERANCE)
    assert (report.phase, report.progress, report.stalled) == (Phase.SETTLING, 1.0, ())
    assert (report.verdict, report.verdict_so_far) == (None, Verdict.PASSED)
    times = {c.name: (seconds(c.started_at, first), seconds(c.completed_at, first)) for c in report.components}
    assert list(times) == ["virt-operator", "virt-handler", "virt-controller", "virt-api"]
    assert times["virt-operator"] == pytest.approx((0.8, 29.9), abs=TOLERANCE)
    assert times["virt-handler"] == pytest.approx((68.9, 205.7), abs=TOLERANCE)
    assert times["virt-controller"] == pytest.approx((210.8, 259.4), abs=TOLERANCE)
    assert times["virt-api"] == pytest.approx((263.7, 316.2), abs=TOLERANCE)
    assert report.continuity.baseline == 20
    assert quiet(report)
    assert (report.migrations.succeeded, report.migrations.failed, report.migrations.in_flight) == (19, 0, 0)
    assert (report.migrations.outdated, report.migrations.stranded) == (1, 1)
    assert gaps(report) == {"virt-operator": (1, 17.6, 17.6), "virt-controller": (1, 16.7, 16.7)}
    assert report.api.storage_blocked == ()
    assert report.retention.objects["virtualmachines.kubevirt.io"].before == 20


def test_the_staged_upgrade(recordings: pathlib.Path) -> None:
    """1.2.0 to 1.3.0 to 1.4.0: two sessions, the second begins in the first one's tail."""
    (one, two), first = replayed(recordings / "upgrade-1.2.0-1.3.0-1.4.0-staged.jsonl.gz")
    assert [(r.from_version, r.to_version) for r in (one, two)] == [("v1.2.0", "v1.3.0"), ("v1.3.0", "v1.4.0")]
    assert (one.phase, one.verdict, two.phase, two.verdict_so_far) == (
        Phase.SUPERSEDED,
        Verdict.PASSED,
        Phase.SETTLING,
        Verdict.PASSED,
    )
    assert seconds(one.started_at, first) == pytest.approx(0.8, abs=TOLERANCE)
    assert seconds(one.reported_complete_at, first) == pytest.approx(315.2, abs=TOLERANCE)
    assert seconds(one.ended_at, first) == pytest.approx(430.3, abs=TOLERANCE)
    assert seconds(two.started_at, first) == pytest.approx(430.3, abs=TOLERANCE)
    assert seconds(two.reported_complete_at, first) == pytest.approx(757.4, abs=TOLERANCE)
    for report, starts in ((one, (66.7, 206.6, 257.5)), (two, (494.7, 632.1, 685.5))):
        began = tuple(seconds(c.started_at, first) for c in report.components[1:])
        assert began == pytest.approx(starts, abs=TOLERANCE)
        assert report.migrations.succeeded == 19
        assert report.migrations.stranded == 1
        assert quiet(report)
    assert gaps(one) == {"virt-operator": (1, 16.2, 16.2), "virt-controller": (2, 16.6, 32.0)}
    assert gaps(two) == {"virt-operator": (2, 17.7, 32.8), "virt-controller": (2, 17.3, 33.7)}
    assert len(one.api.storage_blocked) == 4
    assert all("v1beta1" in line and "1.2" in line for line in one.api.storage_blocked)
    assert two.api.storage_blocked == ()


def test_the_stuck_handler(recordings: pathlib.Path) -> None:
    """The stall shows 300 s after the last progress, 117.05 s after the first mark."""
    path = recordings / "upgrade-1.3.0-1.4.0-stuck-handler.jsonl.gz"
    (report,), first = replayed(path)
    assert (report.phase, report.stalled) == (Phase.CONTROL_PLANE, ("virt-handler",))
    assert (report.observed_complete_at, report.reported_complete_at) == (None, None)
    assert (report.verdict, report.verdict_so_far) == (None, Verdict.INCONCLUSIVE)
    assert quiet(report)
    fold = Fold(Settings(), exporter_version="test")
    with Recording(path) as recording:
        for change in recording.changes():
            fold.feed(change)
    for now, stalled in ((first + 416.9, ()), (first + 417.2, ("virt-handler",))):
        current = fold.current(now)
        assert current is not None
        assert current.stalled == stalled


def quiet(report: Report) -> bool:
    """No guest was hurt, nothing was lost, nobody looked away."""
    continuity = report.continuity
    return (
        continuity.interrupted.total == 0
        and continuity.duplicate_launchers == 0
        and continuity.unattributed == 0
        and continuity.unobserved_seconds == 0
        and all(entry.lost == 0 for entry in report.retention.objects.values())
    )


def gaps(report: Report) -> dict[str, tuple[int, float, float]]:
    """Transitions, longest gap and leaderless seconds by lease."""
    return {
        leader.component: (
            leader.transitions,
            round(leader.longest_gap_seconds, 1),
            round(leader.leaderless_seconds, 1),
        )
        for leader in report.leadership
    }
