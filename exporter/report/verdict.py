"""The verdict, and the findings a person should read."""

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from exporter.model.report import Finding, Phase, Report, SessionKind, Severity, SloState, Verdict
from exporter.report import slos
from exporter.report.evidence import Evidence
from exporter.report.inheritance import Inheritance
from exporter.settings import Objectives


class Check(enum.StrEnum):
    """All that can be found. Each is found once in a report, or once for each thing that it is found of."""

    BROKEN = "broken"
    DUPLICATE_LAUNCHERS = "duplicate_launchers"
    INTERRUPTED = "interrupted"
    STALLED = "stalled"
    LOST = "lost"
    LEADER = slos.LEADER
    ROLLOUT = slos.ROLLOUT
    API = slos.API
    PATH = "path"
    OPERATOR_VERSION = "operator_version"
    ORDER = "order"
    RELAPSE = "relapse"
    FAILED_MIGRATIONS = "failed_migrations"
    EVICTED = "evicted"
    STRANDED = "stranded"
    UNATTRIBUTED = "unattributed"
    UNOBSERVED = "unobserved"
    NOT_PERMITTED = "not_permitted"
    VERSION_LOST = "version_lost"
    STORAGE_VERSION = "storage_version"
    SUPERSEDED = "superseded"
    CLOSED = "closed"


_CRITICAL = {
    Check.BROKEN, Check.DUPLICATE_LAUNCHERS, Check.INTERRUPTED, Check.STALLED, Check.LOST, Check.LEADER, Check.ROLLOUT,
    Check.API,
}  # fmt: skip
_INFO = {Check.SUPERSEDED, Check.CLOSED}
SEVERITIES: Final[Mapping[Check, Severity]] = {
    check: Severity.CRITICAL if check in _CRITICAL else Severity.INFO if check in _INFO else Severity.WARNING
    for check in Check
}


def judged(
    report: Report, evidence: Evidence, objectives: Objectives, inheritance: Inheritance | None = None
) -> Report:
    """The report with SLOs, findings and verdict.

    Failed as soon as one deciding SLO is exhausted, which nothing later revokes; at the end inconclusive if one of
    them lacks observation, else passed. `verdict_so_far` is what it would be if the session ended now.
    """
    evaluated = tuple(slos.evaluate(report, evidence, objectives))
    if inheritance is not None:
        evaluated = inheritance.latched(evaluated)
    deciding = [slo for slo in evaluated if slo.slo in slos.DECIDING]
    if any(slo.state is SloState.EXHAUSTED for slo in deciding):
        so_far = Verdict.FAILED
    elif evidence.broken or any(slo.state is SloState.UNKNOWN for slo in deciding):
        so_far = Verdict.INCONCLUSIVE
    else:
        so_far = Verdict.PASSED
    final = so_far is Verdict.FAILED or report.phase.over
    with_slos = msgspec.structs.replace(report, slos=evaluated)
    return msgspec.structs.replace(
        with_slos,
        verdict=so_far if final else None,
        verdict_so_far=so_far,
        findings=tuple(_findings(with_slos, evidence)),
    )


def _findings(report: Report, evidence: Evidence) -> Iterator[Finding]:
    """In the order in which somebody should read them."""
    for name in evidence.broken:
        yield _finding(Check.BROKEN, f"our part {name} failed: what it says has stopped; see the log")
    yield from _critical(report, evidence)
    yield from _warnings(report, evidence)
    yield from _storage(report)
    if report.phase is Phase.SUPERSEDED:
        when = "before" if report.observed_complete_at is None else "after"
        yield _finding(Check.SUPERSEDED, f"another target was set {when} this rollout was complete")
    if report.phase is Phase.CLOSED:
        when = "before" if report.observed_complete_at is None else "after"
        yield _finding(Check.CLOSED, f"a person closed the session {when} the rollout was complete")


def _critical(report: Report, evidence: Evidence) -> Iterator[Finding]:
    continuity = report.continuity
    if continuity.duplicate_launchers:
        yield _finding(
            Check.DUPLICATE_LAUNCHERS,
            f"guests with two launchers running: {continuity.duplicate_launchers}; check them for a split brain",
        )
    charged = {reason: n for reason, n in continuity.interrupted.by_reason.items() if reason != slos.UPDATE_METHOD}
    if charged:
        reasons = ", ".join(f"{reason} {count}" for reason, count in charged.items())
        yield _finding(Check.INTERRUPTED, f"guests interrupted: {sum(charged.values())} ({reasons})")
    for name in report.stalled:
        why = evidence.obstacles.get(name)
        yield _finding(Check.STALLED, f"{name} makes no progress{f': {why}' if why else ''}")
    for resource, entry in report.retention.objects.items():
        if entry.lost:
            yield _finding(Check.LOST, f"{resource} lost: {entry.lost}")
    for slo in report.slos:
        if slo.state is SloState.EXHAUSTED and slo.slo in (slos.LEADER, slos.ROLLOUT, slos.API):
            yield _finding(Check(slo.slo), f"objective exhausted: {slo.objective}")


def _warnings(report: Report, evidence: Evidence) -> Iterator[Finding]:
    if evidence.path_supported is False:
        step = f"{report.from_version} to {report.to_version}"
        what = "a rollback" if report.kind is SessionKind.ROLLBACK else "a jump"
        yield _finding(Check.PATH, f"{step} is {what} that KubeVirt does not support")
    if report.to_version and evidence.operator_version not in ("", report.to_version) and report.reported_complete_at:
        yield _finding(
            Check.OPERATOR_VERSION,
            f"virt-operator {evidence.operator_version} manages {report.to_version}",
        )
    for late, early in evidence.out_of_order:
        yield _finding(Check.ORDER, f"{late} was rolled out before {early}")
    if evidence.relapsed:
        yield _finding(Check.RELAPSE, "a component went back to an old version after it was complete")
    if evidence.failed_updates:
        yield _finding(
            Check.FAILED_MIGRATIONS,
            f"{evidence.failed_updates} of {evidence.finished_updates} update migrations failed",
        )
    evicted = report.continuity.interrupted.by_reason.get(slos.UPDATE_METHOD, 0)
    if evicted:
        yield _finding(Check.EVICTED, f"guests restarted by the Evict update method: {evicted}")
    stranded = report.migrations.stranded
    if stranded and report.observed_complete_at is not None:
        reasons = ", ".join(f"{reason} {count}" for reason, count in evidence.stranded.items())
        yield _finding(Check.STRANDED, f"guests that keep their old launcher: {stranded} ({reasons})")
    if report.continuity.unattributed:
        yield _finding(
            Check.UNATTRIBUTED,
            f"guests that lost their instance while nobody was looking: {report.continuity.unattributed}",
        )
    if report.continuity.unobserved_seconds:
        seconds = max(0.1, round(report.continuity.unobserved_seconds, 1))
        yield _finding(Check.UNOBSERVED, f"{seconds:g} s were not observed")
    for resource in evidence.blind:
        yield _finding(Check.NOT_PERMITTED, f"we may not read {resource}")
    for lost in report.api.versions_lost:
        yield _finding(Check.VERSION_LOST, f"{lost} is no longer served")


def _storage(report: Report) -> Iterator[Finding]:
    for blocked in report.api.storage_blocked:
        yield _finding(Check.STORAGE_VERSION, blocked)


def _finding(check: Check, summary: str) -> Finding:
    return Finding(check=check.value, severity=SEVERITIES[check], summary=summary)
