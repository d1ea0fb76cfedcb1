"""What has happened between two looks at the reports, as events for a log: a name, keys, and how grave it is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from exporter.model.report import Report, Severity, Verdict


class News(NamedTuple):
    """One event. The names are constant; keys and values are for a log line."""

    event: str
    severity: Severity
    about: dict[str, str]


def news(before: Sequence[Report], after: Sequence[Report]) -> Iterator[News]:
    """Sessions that began, moved or ended, verdicts that changed, findings and anomalies that are new."""
    known = {report.started_at: report for report in before}
    for report in after:
        old = known.get(report.started_at)
        session = {"from": report.from_version or "unknown", "to": report.to_version or "unknown"}
        if old is None:
            yield News("session_began", Severity.INFO, {**session, "kind": report.kind, "phase": report.phase})
        elif old.phase is not report.phase:
            event = "session_ended" if report.phase.over else "session_phase"
            yield News(event, Severity.INFO, {**session, "before": old.phase, "after": report.phase})
        yield from _verdict(old, report, session)
        yield from _details(old, report)


def _verdict(old: Report | None, report: Report, session: dict[str, str]) -> Iterator[News]:
    """Once: at the end, or as soon as it is certain that it is a failure."""
    if report.verdict is not None and (old is None or old.verdict is None):
        severity = Severity.INFO if report.verdict is Verdict.PASSED else Severity.WARNING
        yield News("session_verdict", severity, {**session, "verdict": report.verdict})


def _details(old: Report | None, report: Report) -> Iterator[News]:
    found, known = report.findings, old.findings if old is not None else ()
    before, after = (Counter(finding.check for finding in findings) for findings in (known, found))
    for finding in found:
        # The words of a finding change with its numbers; only another finding is news.
        if after[finding.check] > before[finding.check] and finding not in known:
            yield News("finding", finding.severity, {"check": finding.check, "summary": finding.summary})
    named = old.continuity.anomalies if old is not None else ()
    for anomaly in report.continuity.anomalies:
        if anomaly not in named:
            guest = f"{anomaly.namespace}/{anomaly.name}"
            yield News("guest_anomaly", Severity.WARNING, {"guest": guest, "kind": anomaly.kind})
