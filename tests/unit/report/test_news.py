"""What is news between two looks at the reports."""

import msgspec

from exporter.model import report as r
from exporter.report import news
from tests.unit.report.examples import REPORT

PLAIN = msgspec.structs.replace(
    REPORT, findings=(), continuity=msgspec.structs.replace(REPORT.continuity, anomalies=()), phase=r.Phase.PREPARING
)


def but(**changes: object) -> r.Report:
    """PLAIN with changes."""
    return msgspec.structs.replace(PLAIN, **changes)


def finding(check: str, summary: str = "said", severity: r.Severity = r.Severity.WARNING) -> r.Finding:
    return r.Finding(check=check, severity=severity, summary=summary)


def told(before: list[r.Report], after: list[r.Report]) -> list[tuple[str, ...]]:
    return [(each.event, *each.about.values()) for each in news.news(before, after)]


def test_nothing_new_is_no_news() -> None:
    assert told([], []) == []
    assert told([REPORT], [REPORT]) == []
    assert told([PLAIN], [but(progress=0.5, observed_until=REPORT.observed_until + 1)]) == []


def test_a_session_begins_moves_and_ends() -> None:
    moved, ended = but(phase=r.Phase.CONTROL_PLANE), but(phase=r.Phase.COMPLETED, verdict=r.Verdict.PASSED)
    assert told([], [PLAIN]) == [("session_began", "v1.3.0", "v1.4.0", "upgrade", "preparing")]
    assert told([PLAIN], [moved]) == [("session_phase", "v1.3.0", "v1.4.0", "preparing", "control_plane")]
    assert told([moved], [ended]) == [
        ("session_ended", "v1.3.0", "v1.4.0", "control_plane", "completed"),
        ("session_verdict", "v1.3.0", "v1.4.0", "passed"),
    ]


def test_a_session_that_supersedes_another_is_told_with_its_end() -> None:
    following = but(started_at=PLAIN.started_at + 400, from_version="v1.4.0", to_version="v1.5.0")
    assert [event for event, *_ in told([PLAIN], [but(phase=r.Phase.SUPERSEDED), following])] == [
        "session_ended",
        "session_began",
    ]


def test_a_failure_is_told_when_it_is_certain() -> None:
    [verdict] = news.news([PLAIN], [but(verdict=r.Verdict.FAILED)])
    assert (verdict.event, verdict.severity) == ("session_verdict", r.Severity.WARNING)
    assert told([but(verdict=r.Verdict.FAILED)], [but(verdict=r.Verdict.FAILED)]) == []


def test_a_finding_is_told_once_however_its_numbers_change() -> None:
    one, two = but(findings=(finding("stranded", "1 guest"),)), but(findings=(finding("stranded", "2 guests"),))
    assert told([PLAIN], [one]) == [("finding", "stranded", "1 guest")]
    assert told([one], [two]) == []


def test_another_finding_of_the_same_check_is_told() -> None:
    one = but(findings=(finding("stalled", "virt-api"),))
    two = but(findings=(finding("stalled", "virt-api"), finding("stalled", "virt-handler")))
    assert told([one], [two]) == [("finding", "stalled", "virt-handler")]


def test_a_guest_to_look_at_is_named_once() -> None:
    hurt = msgspec.structs.replace(PLAIN, continuity=REPORT.continuity)
    assert told([PLAIN], [hurt]) == [("guest_anomaly", "team-a/vm-a1", "interrupted")]
    assert told([hurt], [hurt]) == []


def test_names_that_a_log_record_keeps_for_itself_are_not_used() -> None:
    """`logging` refuses an `extra` that would overwrite a record's own fields."""
    ended = msgspec.structs.replace(REPORT, verdict=r.Verdict.FAILED)
    keys = {key for each in news.news([], [ended]) for key in each.about}
    assert not keys & {"name", "msg", "args", "message", "module", "process", "thread", "asctime"}
