"""What another observer knew of a session counts in our report: nothing is lost, nothing counted twice."""

from typing import Any

import msgspec
import pytest

from exporter.model import report as r
from exporter.report.inheritance import Inheritance, same_session
from tests.unit.report.examples import REPORT, START


def but(report: r.Report = REPORT, **changes: Any) -> r.Report:  # noqa: ANN401
    return msgspec.structs.replace(report, **changes)


def hurt(unattributed: int = 0, unobserved: float = 0.0, baseline: int | None = 20, **reasons: int) -> r.Report:
    """The example with these losses."""
    interrupted = r.Interrupted(total=sum(reasons.values()), by_reason=reasons)
    continuity = msgspec.structs.replace(
        REPORT.continuity,
        interrupted=interrupted,
        unattributed=unattributed,
        unobserved_seconds=unobserved,
        baseline=baseline,
        anomalies=(),
    )
    return but(continuity=continuity)


def losses(report: r.Report) -> tuple[dict[str, int], int]:
    return report.continuity.interrupted.by_reason, report.continuity.unattributed


def inherited(known: r.Report, own: r.Report, now: r.Report, *, newcomer: bool = False) -> r.Report:
    return Inheritance(known, own, newcomer=newcomer, since=own.observed_until).added(now)


def test_two_who_saw_the_same_add_nothing_to_each_other() -> None:
    assert inherited(REPORT, REPORT, REPORT) == REPORT


def test_what_only_the_other_saw_is_added_to_what_comes_later() -> None:
    now = inherited(hurt(failed=2), hurt(), hurt(failed=1, evicted=1))
    assert losses(now) == ({"evicted": 1, "failed": 3}, 0)
    assert now.continuity.interrupted.total == 4


@pytest.mark.parametrize(
    ("known", "own", "sum_"),
    [
        (hurt(failed=1), hurt(unattributed=1), ({"failed": 1}, 0)),
        (hurt(unattributed=1), hurt(failed=1), ({"failed": 1}, 0)),
        (hurt(failed=1, unattributed=1), hurt(evicted=1, unattributed=1), ({"evicted": 1, "failed": 1}, 0)),
        (hurt(failed=1), hurt(unattributed=3), ({"failed": 1}, 2)),
        (hurt(unattributed=3), hurt(unattributed=1), ({}, 3)),
    ],
)
def test_a_loss_that_one_explains_and_the_other_does_not_is_one(
    known: r.Report, own: r.Report, sum_: tuple[dict[str, int], int]
) -> None:
    assert losses(inherited(known, own, own)) == sum_


def test_later_losses_are_counted_as_they_are() -> None:
    """Nobody else explains what happens now."""
    known, own = hurt(failed=1), hurt(unattributed=1)
    assert losses(inherited(known, own, hurt(failed=1, unattributed=2))) == ({"failed": 2}, 1)


def test_probes_are_merged_by_the_worse_and_never_summed() -> None:
    [row] = REPORT.api.probes
    other = msgspec.structs.replace(row, disruption_seconds=5.0, measured_seconds=100.0, failures={"reset": 5})
    known = but(api=msgspec.structs.replace(REPORT.api, probes=(other,)))
    [merged] = inherited(known, REPORT, REPORT).api.probes
    assert (merged.disruption_seconds, merged.measured_seconds) == (5.0, 480.0)
    assert merged.failures == {"reset": 5, "timeout": 3}


def test_a_probe_that_only_the_other_has_is_kept() -> None:
    nothing = but(api=r.ApiReport(probes_configured=("version",)))
    assert inherited(REPORT, nothing, nothing).api.probes == REPORT.api.probes


def test_gaps_are_merged_by_the_worse_and_transitions_counted_once() -> None:
    [lead] = REPORT.leadership
    longer = msgspec.structs.replace(lead, transitions=2, longest_gap_seconds=31.0)
    [merged] = inherited(but(leadership=(longer,)), REPORT, REPORT).leadership
    assert (merged.transitions, merged.longest_gap_seconds) == (2, 31.0)


def test_moments_are_the_first_that_anybody_saw() -> None:
    known = but(observed_complete_at=START + 330, workloads_complete_at=START + 400)
    now = inherited(known, REPORT, but(reported_complete_at=None))
    assert (now.started_at, now.observed_complete_at) == (REPORT.started_at, START + 330)
    assert (now.workloads_complete_at, now.reported_complete_at) == (START + 400, REPORT.reported_complete_at)


def test_an_objective_that_was_exhausted_stays_so() -> None:
    met = tuple(msgspec.structs.replace(slo, state=r.SloState.MET) for slo in REPORT.slos)
    inheritance = Inheritance(REPORT, but(slos=met), newcomer=False, since=0.0)
    assert [slo.state for slo in inheritance.latched(met)] == [r.SloState.EXHAUSTED, r.SloState.MET]


def test_a_newcomer_takes_over_how_it_began_and_what_nobody_saw() -> None:
    """Its snapshot could not be read, so the time since the other's last word went unobserved."""
    known = but(hurt(failed=1, unobserved=7), observed_until=START + 100, from_version="v1.2.0")
    own = but(hurt(baseline=None), observed_until=START + 130, started_at=START + 120)
    now = inherited(known, own, but(own, observed_until=START + 200), newcomer=True)
    assert (now.from_version, now.started_at, now.continuity.baseline) == ("v1.2.0", known.started_at, 20)
    assert now.continuity.unobserved_seconds == 37
    assert losses(now) == ({"failed": 1}, 0)


def test_who_has_seen_it_all_has_no_blind_time_of_others() -> None:
    assert inherited(hurt(unobserved=600), hurt(), hurt(unobserved=4)).continuity.unobserved_seconds == 4


def anomaly(name: str, kind: str, at: float) -> r.Anomaly:
    return r.Anomaly(namespace="team-a", name=name, kind=kind, at=at)


def test_anomalies_are_named_once() -> None:
    def named(*anomalies: r.Anomaly) -> r.Report:
        return but(continuity=msgspec.structs.replace(REPORT.continuity, anomalies=anomalies))

    known = named(anomaly("one", "interrupted", START + 1), anomaly("two", "interrupted", START + 2))
    own = named(anomaly("one", "interrupted", START + 1.5), anomaly("two", "unattributed", START + 9))
    later = anomaly("two", "unattributed", REPORT.observed_until + 5)
    now = inherited(known, own, named(*own.continuity.anomalies, later))
    assert [(a.name, a.kind) for a in now.continuity.anomalies] == [
        ("one", "interrupted"),
        ("two", "interrupted"),
        ("two", "unattributed"),
    ]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"started_at": START + 3, "deployment_id": None}, True),
        ({"started_at": START + 3, "ended_at": START + 900}, True),
        ({"to_version": "v1.5.0"}, False),
        ({"deployment_id": "other"}, False),
        ({"started_at": START - 900, "ended_at": START - 30}, False),
    ],
)
def test_sessions_are_told_apart(changes: dict[str, Any], *, same: bool) -> None:
    assert same_session(REPORT, but(**changes)) is same
    assert same_session(but(**changes), REPORT) is same
