"""A report with something in each of its parts, for tests of whoever shows reports."""

from exporter.model import report as r
from exporter.report.evidence import Evidence

START = 1_700_000_000.0

REPORT = r.Report(
    from_version="v1.3.0",
    to_version="v1.4.0",
    kind=r.SessionKind.UPGRADE,
    deployment_id="a1b2c3",
    cluster_uid=None,
    exporter_version="0.1.0",
    phase=r.Phase.WORKLOADS,
    progress=1.0,
    stalled=("virt-handler",),
    started_at=START + 0.8004,
    reported_complete_at=START + 338.2,
    observed_complete_at=START + 337,
    workloads_complete_at=None,
    ended_at=None,
    observed_until=START + 480.123456,
    verdict=None,
    verdict_so_far=r.Verdict.FAILED,
    findings=(
        r.Finding(check="stranded", severity=r.Severity.WARNING, summary="1 guest will not be updated by itself"),
        r.Finding(check="continuity", severity=r.Severity.CRITICAL, summary="a [guest] lost its instance"),
    ),
    components=(
        r.ComponentReport(
            name="virt-operator",
            from_version="v1.3.0",
            to_version="v1.4.0",
            started_at=START + 0.8,
            completed_at=START + 29.9,
            desired=2,
            updated=2,
            ready=2,
            restarts=0,
        ),
        r.ComponentReport(
            name="virt-handler",
            from_version=None,
            to_version="v1.4.0",
            started_at=START + 68.9,
            completed_at=None,
            desired=4,
            updated=3,
            ready=None,
            restarts=1,
        ),
    ),
    continuity=r.ContinuityReport(
        baseline=20,
        migrated=19,
        interrupted=r.Interrupted(total=1, by_reason={"out_of_memory": 1}),
        interruption_seconds=12.3456789,
        asked=2,
        duplicate_launchers=0,
        unattributed=0,
        unobserved_seconds=0.0,
        anomalies=(r.Anomaly(namespace="team-a", name="vm-a1", kind="interrupted", at=START + 300.25),),
        anomalies_dropped=0,
    ),
    migrations=r.MigrationsReport(succeeded=19, failed=0, in_flight=None, outdated=1, stranded=1),
    leadership=(
        r.LeaderReport(component="virt-operator", transitions=1, leaderless_seconds=17.6, longest_gap_seconds=17.6),
    ),
    api=r.ApiReport(
        probes_configured=("version",),
        probes=(
            r.ProbeReport(
                probe="version",
                connection="reused",
                measured_seconds=480.0,
                disruption_seconds=3.0,
                cluster_seconds=0.0,
                client_seconds=0.0,
                failures={"timeout": 3},
            ),
        ),
        versions_lost=(),
        storage_blocked=("virtualmachinesnapshots.snapshot.kubevirt.io: v1beta1",),
    ),
    retention=r.Retention(
        objects={
            "virtualmachines.kubevirt.io": r.RetentionReport(
                before=20, after=20, created=0, deleted=0, lost=0, recreated=0, spec_changed=0
            ),
            "virtualmachinepools.pool.kubevirt.io": r.RetentionReport(
                before=None, after=None, created=0, deleted=0, lost=0, recreated=0, spec_changed=0
            ),
        }
    ),
    slos=(
        r.SloReport(slo="continuity", objective="no interruption", consumed_ratio=1.0, state=r.SloState.EXHAUSTED),
        r.SloReport(slo="api", objective="at most 10 s", consumed_ratio=None, state=r.SloState.UNKNOWN),
    ),
)

EVIDENCE = Evidence(
    path_supported=True, handler_waves=4, handler_grace=30.0, longest_pause=0.0, out_of_order=(), relapsed=False,
    obstacles={}, failed_updates=0, finished_updates=19, stranded={}, workloads_began=None, blind=(),
    operator_version="v1.4.0", broken=(),
)  # fmt: skip
