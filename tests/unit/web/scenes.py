"""What the page may have to show, by name: reports and status as a daemon would have them at some moment."""

from collections.abc import Mapping, Sequence

import msgspec

from exporter.kube.status import WatchStatus
from exporter.model import report as r, resources
from exporter.model.changes import Sync
from exporter.report import slos
from exporter.web.status import Status

START = 1_760_000_000.0
CONTINUITY, ROLLOUT, LEADER = slos.CONTINUITY, slos.ROLLOUT, slos.LEADER
Scene = tuple[Sequence[r.Report], Status]


def status(now: float, *, ready: bool = True, odd: Mapping[str, Sync] | None = None) -> Status:
    """Everything is watched well, but for the odd ones."""
    return Status(
        version="0.1.0",
        now=now,
        started_at=START - 7200,
        ready=ready,
        stopping=False,
        resources=tuple(
            _watched(spec.name, (odd or {}).get(spec.name, Sync.SYNCED), now) for spec in resources.RESOURCES
        ),
    )


def cut(now: float, *, heard: float) -> Status:
    """The API server is away: every watch is cut, and was last heard of so many seconds ago."""
    names = [spec.name for spec in resources.RESOURCES]
    watched = (
        WatchStatus(resource=name, sync=Sync.INTERRUPTED, objects=12, last_event_at=now - heard) for name in names
    )
    return msgspec.structs.replace(status(now), resources=tuple(watched))


def _watched(name: str, sync: Sync, now: float) -> WatchStatus:
    seen = sync in (Sync.SYNCED, Sync.INTERRUPTED)
    return WatchStatus(resource=name, sync=sync, objects=12 if seen else 0, last_event_at=now - 2 if seen else None)


def component(
    name: str, *, began: float | None = None, done: float | None = None, **fields: object
) -> r.ComponentReport:
    """Two pods; all at the target where it is done, none where it did not begin."""
    report = r.ComponentReport(
        name=name,
        from_version="v1.3.0",
        to_version="v1.4.0",
        started_at=None if began is None else START + began,
        completed_at=None if done is None else START + done,
        desired=2,
        updated=0 if done is None else 2,
        ready=0 if done is None else 2,
        restarts=0,
    )
    return msgspec.structs.replace(report, **fields)


def probe(name: str, connection: str = "reused", **fields: object) -> r.ProbeReport:
    """Two minutes without a failure."""
    report = r.ProbeReport(
        probe=name,
        connection=connection,
        measured_seconds=120.0,
        disruption_seconds=0.0,
        cluster_seconds=0.0,
        client_seconds=0.0,
        failures={},
    )
    return msgspec.structs.replace(report, **fields)


def slo(name: str, objective: str, ratio: float | None, state: r.SloState) -> r.SloReport:
    return r.SloReport(slo=name, objective=objective, consumed_ratio=ratio, state=state)


UNDER_WAY = r.Report(
    from_version="v1.3.0",
    to_version="v1.4.0",
    kind=r.SessionKind.UPGRADE,
    deployment_id="a1b2c3",
    cluster_uid=None,
    exporter_version="0.1.0",
    phase=r.Phase.CONTROL_PLANE,
    progress=0.4667,
    stalled=(),
    started_at=START,
    reported_complete_at=None,
    observed_complete_at=None,
    workloads_complete_at=None,
    ended_at=None,
    observed_until=START + 130,
    verdict=None,
    verdict_so_far=r.Verdict.INCONCLUSIVE,
    findings=(),
    components=(
        component("virt-operator", began=1, done=30),
        component("virt-handler", began=69, desired=5, updated=3, ready=2),
        component("virt-controller"),
        component("virt-api"),
    ),
    continuity=r.ContinuityReport(
        baseline=60,
        migrated=0,
        interrupted=r.Interrupted(total=0, by_reason={"evicted": 0, "out_of_memory": 0}),
        interruption_seconds=0.0,
        asked=1,
        duplicate_launchers=0,
        unattributed=0,
        unobserved_seconds=0.0,
        anomalies=(),
        anomalies_dropped=0,
    ),
    migrations=r.MigrationsReport(succeeded=0, failed=0, in_flight=0, outdated=None, stranded=None),
    leadership=(
        r.LeaderReport(component="virt-operator", transitions=1, leaderless_seconds=17.6, longest_gap_seconds=17.6),
        r.LeaderReport(component="virt-controller", transitions=0, leaderless_seconds=0.0, longest_gap_seconds=0.0),
    ),
    api=r.ApiReport(
        probes_configured=("apiserver-readyz", "subresource-version", "list-vms"),
        probes=(
            probe("apiserver-readyz", "new"),
            probe("subresource-version", disruption_seconds=2.0, failures={"http_5xx": 2, "timeout": 0}),
            probe("subresource-version", "new", cluster_seconds=3.0, failures={"timeout": 3}),
            probe("list-vms", measured_seconds=0.0),
        ),
    ),
    retention=r.Retention(
        objects={
            "virtualmachines.kubevirt.io": r.RetentionReport(
                before=60, after=60, created=0, deleted=0, lost=0, recreated=0, spec_changed=0
            ),
            "virtualmachinepools.pool.kubevirt.io": r.RetentionReport(
                before=None, after=None, created=0, deleted=0, lost=0, recreated=0, spec_changed=0
            ),
        }
    ),
    slos=(
        slo(slos.API, "at most 10 s of disruption per probe", 0.2, r.SloState.MET),
        slo(CONTINUITY, "no guest interrupted, no duplicate launcher", 0.0, r.SloState.MET),
        slo(ROLLOUT, "complete within 1500 s, no stall over 900 s", 0.087, r.SloState.UNKNOWN),
        slo(slos.FRESHNESS, "guests updated within 24 h, at most 3 failed update migrations", 0.0, r.SloState.UNKNOWN),
        slo(LEADER, "no gap over 30 s", 0.5867, r.SloState.MET),
        slo(slos.RETENTION, "nothing lost", 0.0, r.SloState.MET),
    ),
)


def judged(report: r.Report, name: str, ratio: float | None, state: r.SloState) -> r.Report:
    """The report with one SLO in another state."""
    changed = tuple(
        msgspec.structs.replace(s, consumed_ratio=ratio, state=state) if s.slo == name else s for s in report.slos
    )
    return msgspec.structs.replace(report, slos=changed)


FAILED = msgspec.structs.replace(
    judged(judged(UNDER_WAY, CONTINUITY, 2.0, r.SloState.EXHAUSTED), ROLLOUT, 0.8, r.SloState.AT_RISK),
    verdict=r.Verdict.FAILED,
    verdict_so_far=r.Verdict.FAILED,
    stalled=("virt-handler",),
    findings=(
        r.Finding(check="interrupted", severity=r.Severity.CRITICAL, summary="2 guests interrupted (out_of_memory 2)"),
        r.Finding(
            check="stalled",
            severity=r.Severity.CRITICAL,
            summary="virt-handler makes no progress: not ready on worker-3",
        ),
        r.Finding(check="path", severity=r.Severity.WARNING, summary="v1.2.0 to v1.4.0 is a jump that is unsupported"),
    ),
    components=(
        component("virt-operator", began=1, done=30),
        component("virt-handler", began=69, desired=5, updated=3, ready=2, restarts=7),
        component("virt-controller"),
        component("virt-api"),
    ),
    continuity=msgspec.structs.replace(
        UNDER_WAY.continuity,
        interrupted=r.Interrupted(total=2, by_reason={"evicted": 0, "out_of_memory": 2}),
        interruption_seconds=83.4,
        unobserved_seconds=75.0,
        anomalies=(
            r.Anomaly(namespace="team-a", name="vm-a1", kind="out_of_memory", at=START + 80),
            r.Anomaly(
                namespace="a-team-with-a-rather-long-name",
                name="the-database-of-everything-0",
                kind="out_of_memory",
                at=START + 95,
            ),
        ),
        anomalies_dropped=3,
    ),
)

PASSED = msgspec.structs.replace(
    judged(judged(UNDER_WAY, ROLLOUT, 0.2111, r.SloState.MET), slos.FRESHNESS, 0.0, r.SloState.MET),
    phase=r.Phase.COMPLETED,
    progress=1.0,
    reported_complete_at=START + 338,
    observed_complete_at=START + 316,
    workloads_complete_at=START + 405,
    ended_at=START + 1305,
    observed_until=START + 1305,
    verdict=r.Verdict.PASSED,
    verdict_so_far=r.Verdict.PASSED,
    findings=(
        r.Finding(
            check="stranded", severity=r.Severity.WARNING, summary="1 guests keep their old launcher (not migratable 1)"
        ),
    ),
    components=(
        component("virt-operator", began=1, done=30),
        component("virt-handler", began=69, done=205, desired=5, updated=5, ready=5),
        component("virt-controller", began=210, done=259),
        component("virt-api", began=263, done=316),
    ),
    continuity=msgspec.structs.replace(UNDER_WAY.continuity, migrated=59),
    migrations=r.MigrationsReport(succeeded=59, failed=0, in_flight=0, outdated=1, stranded=1),
)

EARLIER = msgspec.structs.replace(
    PASSED,
    from_version="v1.2.0",
    to_version="v1.3.0",
    started_at=START - 86_400 * 40,
    ended_at=START - 86_400 * 40 + 1400,
)

AWAY = msgspec.structs.replace(
    UNDER_WAY,
    api=r.ApiReport(
        probes_configured=("apiserver-readyz", "subresource-version"),
        probes=(
            probe("apiserver-readyz", cluster_seconds=81.0, failures={"connect": 93}),
            probe("subresource-version", cluster_seconds=81.0, failures={"connect": 81}),
        ),
    ),
)

SCENES: dict[str, Scene] = {
    "starting": ((), status(START, ready=False, odd={resources.PODS: Sync.UNKNOWN, resources.VMS: Sync.UNKNOWN})),
    "idle": ((), status(START)),
    "under-way": ((EARLIER, UNDER_WAY), status(START + 130)),
    "failed": (
        (EARLIER, FAILED),
        status(
            START + 560,
            odd={resources.NODES: Sync.FORBIDDEN, resources.LEASES: Sync.INTERRUPTED, resources.JOBS: Sync.ABSENT},
        ),
    ),
    "blind": ((EARLIER, AWAY), cut(START + 223, heard=93)),
    "passed": ((EARLIER, PASSED), status(START + 9000)),
}
