"""The objectives of a session (design §6), each a pure function of the report and its evidence.

`consumed_ratio` is the share of the budget that is gone. Objectives without a budget ("no interruption") are exhausted
by the first event; the others when more than the whole budget is gone. No data is never a pass: what cannot be told
is `unknown`.
"""

from collections.abc import Iterator

from exporter.model.report import Report, SloReport, SloState
from exporter.report.evidence import Evidence
from exporter.settings import Objectives

API, CONTINUITY, ROLLOUT, FRESHNESS, LEADER, RETENTION = (
    "api_availability",
    "vmi_continuity",
    "rollout",
    "workload_freshness",
    "leader_handover",
    "retention",
)
NAMES = (API, CONTINUITY, ROLLOUT, FRESHNESS, LEADER, RETENTION)
DECIDING = (API, CONTINUITY, ROLLOUT, LEADER, RETENTION)
CONTROL_PROBE = "apiserver-readyz"
"""Its failures say that the whole cluster's API was away; they are not KubeVirt's."""

UPDATE_METHOD = "workload_update"
"""Reason of interruptions that the Evict update method is meant to make; they do not decide."""

_TOLD_BY = {
    "compatibility": API,
    "continuity": CONTINUITY,
    "migrations": FRESHNESS,
    "leadership": LEADER,
    "retention": RETENTION,
}
_DAY = 86_400.0
_AT_RISK = 0.75


def evaluate(report: Report, evidence: Evidence, objectives: Objectives) -> Iterator[SloReport]:
    """All SLOs; the API's only where probes are configured. What a failed concern says tells nothing."""
    untold = {_TOLD_BY.get(concern) for concern in evidence.broken}
    for slo in _all(report, evidence, objectives):
        yield _slo(slo.slo, slo.objective, None) if slo.slo in untold else slo


def _all(report: Report, evidence: Evidence, objectives: Objectives) -> Iterator[SloReport]:
    if report.api.probes_configured:
        yield _api(report, objectives)
    yield _continuity(report, evidence, objectives)
    yield _rollout(report, evidence, objectives)
    yield _freshness(report, evidence, objectives)
    yield _leader(report, evidence, objectives)
    yield _retention(report, evidence)


def _slo(slo: str, objective: str, ratio: float | None, *, none_allowed: bool = False, known: bool = True) -> SloReport:
    """`known` False: what was seen is fine, but not all of it was seen."""
    if ratio is None:
        return SloReport(slo=slo, objective=objective, consumed_ratio=None, state=SloState.UNKNOWN)
    if ratio > 1 or (none_allowed and ratio > 0):
        state = SloState.EXHAUSTED
    elif not known:
        state = SloState.UNKNOWN
    else:
        state = SloState.AT_RISK if ratio > _AT_RISK else SloState.MET
    return SloReport(slo=slo, objective=objective, consumed_ratio=round(ratio, 4), state=state)


def _api(report: Report, objectives: Objectives) -> SloReport:
    probes = [p for p in report.api.probes if p.probe != CONTROL_PROBE]
    done = report.observed_complete_at if report.observed_complete_at is not None else report.observed_until
    enough = done - report.started_at - objectives.unobserved_allowed
    # A second in which nothing got out of our own side says nothing about KubeVirt.
    looked = {p.probe for p in probes if (seen := p.measured_seconds - p.client_seconds) > 0 and seen >= enough}
    complete = looked >= {name for name in report.api.probes_configured if name != CONTROL_PROBE}
    worst = max((p.disruption_seconds for p in probes), default=None)
    return _slo(
        API,
        f"at most {objectives.api_disruption:g} s of disruption per probe",
        worst / objectives.api_disruption if worst is not None else None,
        known=complete,
    )


def _continuity(report: Report, evidence: Evidence, objectives: Objectives) -> SloReport:
    continuity = report.continuity
    charged = continuity.interrupted.total - continuity.interrupted.by_reason.get(UPDATE_METHOD, 0)
    seen = (
        continuity.unattributed == 0
        and continuity.unobserved_seconds <= objectives.unobserved_allowed
        and not evidence.blind
    )
    return _slo(
        CONTINUITY,
        "no guest interrupted, no duplicate launcher",
        float(charged + continuity.duplicate_launchers),
        none_allowed=True,
        known=seen,
    )


def _rollout(report: Report, evidence: Evidence, objectives: Objectives) -> SloReport:
    done = report.observed_complete_at
    ratio = evidence.longest_pause / objectives.rollout_stall
    if evidence.handler_waves is None:
        allowed = f"{objectives.rollout_base:g} s and more (nodes of virt-handler not known)"
    else:
        seconds = objectives.rollout_base + evidence.handler_waves * (evidence.handler_grace + objectives.rollout_wave)
        elapsed = (done if done is not None else report.observed_until) - report.started_at
        ratio = max(ratio, elapsed / seconds)
        allowed = f"{seconds:g} s"
    return _slo(
        ROLLOUT,
        f"complete within {allowed}, no stall over {objectives.rollout_stall:g} s",
        ratio,
        known=done is not None and evidence.handler_waves is not None and not evidence.blind,
    )


def _freshness(report: Report, evidence: Evidence, objectives: Objectives) -> SloReport:
    allowed = max(objectives.failed_migrations_minimum, objectives.failed_migrations_ratio * evidence.finished_updates)
    ratio = evidence.failed_updates / allowed
    done = report.workloads_complete_at
    if evidence.workloads_began is not None:
        end = done if done is not None else report.observed_until
        ratio = max(ratio, (end - evidence.workloads_began) / _DAY)
    return _slo(
        FRESHNESS,
        f"guests updated within 24 h, at most {allowed:g} failed update migrations",
        ratio,
        known=done is not None,
    )


def _leader(report: Report, evidence: Evidence, objectives: Objectives) -> SloReport:
    gaps = [leader.longest_gap_seconds for leader in report.leadership]
    return _slo(
        LEADER,
        f"no gap over {objectives.leader_gap:g} s",
        max(gaps) / objectives.leader_gap if gaps else None,
        known="leases.coordination.k8s.io" not in evidence.blind,
    )


def _retention(report: Report, evidence: Evidence) -> SloReport:
    objects = report.retention.objects
    lost = sum(entry.lost for entry in objects.values())
    vms = objects.get("virtualmachines.kubevirt.io")
    return _slo(
        RETENTION,
        "nothing lost",
        float(lost) if objects else None,
        none_allowed=True,
        known=vms is not None and vms.after is not None and not evidence.blind,
    )
