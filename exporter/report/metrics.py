"""SLOs and verdict of the session under way, or of the last one, as metrics."""

from collections import Counter
from collections.abc import Iterator

from exporter.model.families import Family, Kind, Sample
from exporter.model.report import Report, SloState, Verdict
from exporter.report import verdict

_ALL = [(check.value, severity.value) for check, severity in verdict.SEVERITIES.items()]
_OTHER = "other"

CONSUMED = Family(
    name="session_slo_budget_consumed_ratio", kind=Kind.GAUGE, labels=("slo",),
    help="Share of the session's budget that is gone, per SLO; more than 1 is exhausted, absent is not measured.",
)  # fmt: skip
STATE = Family(
    name="session_slo_state", kind=Kind.STATESET, labels=("slo", "state"), states=tuple(SloState),
    help="State of each SLO of the session.",
)  # fmt: skip
VERDICT = Family(
    name="session_verdict", kind=Kind.STATESET, labels=("verdict",), states=tuple(Verdict),
    help="Verdict on the session, once it cannot change any more.",
)  # fmt: skip
SO_FAR = Family(
    name="session_verdict_so_far", kind=Kind.STATESET, labels=("verdict",), states=tuple(Verdict),
    help="What the verdict would be if the session ended now.",
)  # fmt: skip
FINDINGS = Family(
    name="session_findings", kind=Kind.GAUGE, labels=("check", "severity"),
    help="Findings of the session's report, by what was found. What a later release has found is `other`.",
)  # fmt: skip

FAMILIES = (CONSUMED, STATE, VERDICT, SO_FAR, FINDINGS)


def samples(report: Report) -> Iterator[Sample]:
    """Families of `FAMILIES`."""
    for slo in report.slos:
        if slo.consumed_ratio is not None:
            yield CONSUMED(slo.consumed_ratio, slo=slo.slo)
        yield from STATE.state(slo.state, slo=slo.slo)
    yield from VERDICT.state(report.verdict)
    yield from SO_FAR.state(report.verdict_so_far)
    found = dict.fromkeys(_ALL, 0)
    found.update(Counter((_known(finding.check), finding.severity.value) for finding in report.findings))
    for (check, severity), count in found.items():
        yield FINDINGS(count, check=check, severity=severity)


def _known(check: str) -> str:
    return check if check in verdict.SEVERITIES else _OTHER
