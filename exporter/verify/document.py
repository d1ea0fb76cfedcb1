"""The report about a session (design of the report: one document, the same wherever it is shown), from its metrics.

What metrics do not tell, such as when each component was complete, is null. The findings are those of the questions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from exporter.model.findings import Answer as Verdicts, Finding as Found, State, answer as answered
from exporter.model.report import (
    Anomaly,
    ApiReport,
    ComponentReport,
    ContinuityReport,
    Finding,
    Interrupted,
    LeaderReport,
    MigrationsReport,
    Phase,
    ProbeReport,
    Report,
    Retention,
    RetentionReport,
    SessionKind,
    Severity,
    SloReport,
    SloState,
    Verdict,
)
from exporter.report import slos
from exporter.verify import questions
from exporter.verify.prometheus import Series
from exporter.verify.sessions import Found as Session

_PREFIX: Final = "kubevirt_upgrade_"
_SEVERITIES: Final = {
    State.PASS: Severity.INFO, State.WARN: Severity.WARNING, State.UNKNOWN: Severity.WARNING,
    State.FAIL: Severity.CRITICAL,
}  # fmt: skip
_VERDICTS: Final = {
    Verdicts.YES: Verdict.PASSED, Verdicts.NO: Verdict.FAILED, Verdicts.CANNOT_TELL: Verdict.INCONCLUSIVE,
}  # fmt: skip

Labels = Mapping[str, str]


def everything(labels: Labels) -> str:
    """PromQL for all series of the exporter that have these labels."""
    return questions.selector({"__name__": "kubevirt_upgrade_.+"}, labels)


class Page:
    """All series of the exporter at one moment, replicas merged by the larger value."""

    def __init__(self, series: Iterable[Series]) -> None:
        self._families: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for one in series:
            labels = dict(one.labels)
            family = self._families.setdefault(labels.pop("__name__", "").removeprefix(_PREFIX), {})
            for name in ("pod", "instance"):
                labels.pop(name, None)
            key = tuple(sorted(labels.items()))
            family[key] = max(one.value, family.get(key, one.value))

    def each(self, name: str, **wanted: str) -> list[tuple[Labels, float]]:
        """The series of a family that have these labels."""
        found = ((dict(key), value) for key, value in self._families.get(name, {}).items())
        return [(labels, value) for labels, value in found if wanted.items() <= labels.items()]

    def one(self, name: str, **wanted: str) -> float | None:
        """The value, or the largest of several; None where there is none."""
        return max((value for _, value in self.each(name, **wanted)), default=None)

    def count(self, name: str, **wanted: str) -> int | None:
        """The sum, whole; None where there is none."""
        values = [value for _, value in self.each(name, **wanted)]
        return round(sum(values)) if values else None

    def by(self, name: str, label: str, **wanted: str) -> dict[str, float]:
        """Values by one label."""
        return {labels.get(label, ""): value for labels, value in self.each(name, **wanted)}

    def state(self, name: str, label: str, **wanted: str) -> str | None:
        """The state of a state-set that is 1."""
        return next((labels[label] for labels, value in self.each(name, **wanted) if value == 1), None)

    def text(self, name: str, label: str) -> str:
        """A label of an info; empty where there is none."""
        return next((labels.get(label, "") for labels, _ in self.each(name)), "")


def report(page: Page, session: Session, findings: Sequence[Found]) -> Report:
    """The report; its verdict is that of the findings, and final only where the session is over."""
    verdict = _VERDICTS[answered(findings)]
    over = session.ended is not None
    kind = page.text("session_info", "kind")
    phase = page.state("session_end", "end") if over else page.state("phase", "phase")
    to_version = session.to_version or None
    return Report(
        from_version=session.from_version or None,
        to_version=to_version,
        kind=SessionKind(kind) if kind in set(SessionKind) else SessionKind.UPGRADE,
        deployment_id=None,
        cluster_uid=None,
        exporter_version=page.text("exporter_build_info", "version"),
        phase=Phase(phase) if phase in set(Phase) else Phase.PREPARING,
        progress=page.one("session_progress_ratio") or 0.0,
        stalled=tuple(sorted(name for name, on in page.by("session_component_stalled", "component").items() if on)),
        started_at=session.start,
        reported_complete_at=page.one("session_reported_completion_timestamp_seconds"),
        observed_complete_at=page.one("session_observed_completion_timestamp_seconds"),
        workloads_complete_at=page.one("session_workloads_completion_timestamp_seconds"),
        ended_at=session.ended,
        observed_until=session.at if session.ended is None else session.ended,
        verdict=verdict if over else None,
        verdict_so_far=verdict,
        findings=tuple(_finding(finding) for finding in findings),
        components=tuple(_components(page, to_version)),
        continuity=_continuity(page),
        migrations=_migrations(page),
        leadership=tuple(_leaders(page)),
        api=_api(page),
        retention=Retention(objects=_objects(page)),
        slos=tuple(_slos(page)),
    )


def _finding(finding: Found) -> Finding:
    details = f" ({'; '.join(finding.details)})" if finding.details else ""
    return Finding(check=finding.check, severity=_SEVERITIES[finding.state], summary=finding.summary + details)


def _components(page: Page, to_version: str | None) -> Iterable[ComponentReport]:
    for name in sorted(page.by("component_replicas", "component", state="desired")):
        numbers = page.by("component_replicas", "state", component=name)
        desired, updated, ready = (_whole(numbers.get(state)) for state in ("desired", "updated", "ready"))
        yield ComponentReport(
            name=name, from_version=None, to_version=to_version, started_at=None, completed_at=None,
            desired=desired, updated=updated, ready=ready,
            restarts=page.count("session_component_restarts", component=name) or 0,
        )  # fmt: skip


def _continuity(page: Page) -> ContinuityReport:
    reasons = {
        reason: round(number) for reason, number in page.by("session_vmi_interruptions", "reason").items() if number
    }
    anomalies = (
        Anomaly(namespace=_own(labels, "namespace"), name=labels.get("name", ""), kind=labels.get("kind", ""), at=at)
        for labels, at in page.each("session_anomaly_timestamp_seconds")
    )
    return ContinuityReport(
        baseline=page.count("session_vmis_baseline"),
        migrated=page.count("session_vmis_migrated") or 0,
        interrupted=Interrupted(total=sum(reasons.values()), by_reason=reasons),
        interruption_seconds=page.one("session_vmi_interruption_seconds") or 0.0,
        asked=page.count("session_vmi_stops", kind="asked") or 0,
        duplicate_launchers=page.count("session_vmi_duplicate_launchers") or 0,
        unattributed=page.count("session_vmi_losses_unattributed") or 0,
        unobserved_seconds=page.one("session_unobserved_seconds") or 0.0,
        anomalies=tuple(sorted(anomalies, key=lambda anomaly: (anomaly.at, anomaly.namespace, anomaly.name))),
        anomalies_dropped=page.count("session_anomalies_dropped") or 0,
    )


def _own(labels: Labels, name: str) -> str:
    """A label of the exporter's, which Prometheus renames where the target has one of that name."""
    return labels.get(f"exported_{name}", labels.get(name, ""))


def _migrations(page: Page) -> MigrationsReport:
    return MigrationsReport(
        succeeded=page.count("session_migrations", outcome="succeeded") or 0,
        failed=page.count("session_migrations", outcome="failed") or 0,
        in_flight=page.count("migrations_in_flight"),
        outdated=page.count("vmis_outdated"),
        stranded=page.count("vmis_stranded"),
    )


def _leaders(page: Page) -> Iterable[LeaderReport]:
    gaps = page.by("session_leader_longest_gap_seconds", "component")
    for name in sorted(gaps):
        yield LeaderReport(
            component=name,
            transitions=page.count("session_leader_transitions", component=name) or 0,
            leaderless_seconds=page.one("session_leaderless_seconds", component=name) or 0.0,
            longest_gap_seconds=gaps[name],
        )


def _api(page: Page) -> ApiReport:
    probes: list[ProbeReport] = []
    for labels, measured in page.each("session_api_measured_seconds"):
        one = {"probe": labels["probe"], "connection": labels["connection"]}
        seconds = (page.one(f"session_api_{kind}_seconds", **one) for kind in ("disruption", "cluster", "client"))
        disruption, cluster, client = (amount or 0.0 for amount in seconds)
        probes.append(
            ProbeReport(
                **one, measured_seconds=measured, disruption_seconds=disruption, cluster_seconds=cluster,
                client_seconds=client, failures={},
            )
        )  # fmt: skip
    probes.sort(key=lambda probe: (probe.probe, probe.connection))
    lost = (
        f"{labels.get('group')}/{labels.get('version')} {labels.get('resource', '')}".rstrip()
        for labels, _ in page.each("session_lost_api_version_info")
    )
    blocked = (
        f"{labels.get('crd')}: {labels.get('version')} blocks {labels.get('direction')} to {labels.get('release')}"
        for labels, _ in page.each("storage_version_blocks")
    )
    return ApiReport(
        probes_configured=tuple(sorted({probe.probe for probe in probes})),
        probes=tuple(probes),
        versions_lost=tuple(sorted(lost)),
        storage_blocked=tuple(sorted(blocked)),
    )


def _objects(page: Page) -> dict[str, RetentionReport]:
    rows: dict[str, RetentionReport] = {}
    for name in sorted(page.by("objects", "resource")):
        counts = {
            what: page.count(f"session_objects_{what}", resource=name) or 0
            for what in ("added", "deleted", "lost", "recreated", "spec_changed")
        }
        rows[name] = RetentionReport(
            before=page.count("session_objects_before", resource=name),
            after=page.count("objects", resource=name),
            created=counts["added"],
            deleted=counts["deleted"],
            lost=counts["lost"],
            recreated=counts["recreated"],
            spec_changed=counts["spec_changed"],
        )
    return rows


def _slos(page: Page) -> Iterable[SloReport]:
    consumed = page.by("session_slo_budget_consumed_ratio", "slo")
    for name in slos.NAMES:
        state = page.state("session_slo_state", "state", slo=name)
        if state is not None:
            yield SloReport(
                slo=name, objective="", consumed_ratio=consumed.get(name),
                state=SloState(state) if state in set(SloState) else SloState.UNKNOWN,
            )  # fmt: skip


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
