"""The one on the wall: is there an upgrade, how far is it, is it going well, and who is hurt."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder

from dashboards.src import frame, meanings, panels, promql
from dashboards.src.panels import About, Query
from dashboards.src.promql import columns, total, worst

UID: Final = "kubevirt-upgrade"


def dashboard() -> builder.Dashboard:
    """Build it."""
    return frame.board(
        UID,
        "KubeVirt upgrade",
        "The upgrade under way, or the last one. What is not known is not shown as zero.",
        (4, ((4, _now()), (5, _versions()), (3, _progress()), (3, _duration()), (4, _done()), (5, _verdict()))),
        (8, ((12, _states()), (6, _budgets()), (6, _guests()))),
        (7, ((8, pods()), (8, burn_down()), (8, disruption()))),
        (6, ((9, _leaders()), (9, anomalies()), (6, _findings()))),
        (7, ((6, _waiting()), (6, _conditions()), (12, _retention()))),
    )


def _now() -> panels.Builder:
    return panels.number(
        About("Now", "Phase of the upgrade under way.", "none", "no data from the exporter"),
        Query(promql.code("phase", "phase", meanings.PHASES)),
        states=[meanings.PHASES],
    )


def _versions() -> panels.Builder:
    return panels.number(
        About(
            "From, to",
            "Versions of the upgrade under way, or of the last one; before the first one, KubeVirt's version.",
            "none",
        ),
        Query(promql.INFO, "{{from_version}} → {{to_version}}"),
        Query(promql.RESTING, "at {{observed_version}}"),
        only_names=True,
    )


def _progress() -> panels.Builder:
    return panels.share(
        About(
            "Progress",
            "Pods at the target and ready by pods desired, over all components. Never goes back.",
            "percentunit",
        ),
        Query(promql.PROGRESS),
        steps=((0, meanings.MOVING), (1, meanings.GOOD)),
    )


def _duration() -> panels.Builder:
    return panels.number(
        About("Duration", "From the beginning of the upgrade to its end, or until now.", panels.CLOCK),
        Query(promql.DURATION),
        decimals=1,
    )


def _done() -> panels.Builder:
    return panels.number(
        About(
            "Control plane done",
            """When all components were at the target and ready, and led by the target; before that, when they will be
            if it goes on as it went so far (an estimate).""",
            "time:HH:mm:ss",
            "not known yet",
        ),
        Query(f"1000 * {promql.DONE}", "at", colour=meanings.GOOD),
        Query(f"1000 * ({promql.EXPECTED})", "expected at", colour=meanings.MOVING),
        named=True,
        size=30,
    )


def _verdict() -> panels.Builder:
    return panels.number(
        About(
            "Verdict",
            "Final once it cannot change any more; before that, what it would be now. Failed stays failed.",
            "none",
        ),
        Query(promql.VERDICT),
        states=[meanings.VERDICT, meanings.VERDICT_SO_FAR],
    )


def _states() -> panels.Builder:
    return panels.timeline(
        About(
            "Phase and components",
            """Phase of the upgrade, and each component's part in it. Stalled: it is its turn, and nothing has moved for
            five minutes. KubeVirt's own conditions do not show that.""",
            "none",
        ),
        Query(promql.code("phase", "phase", meanings.PHASES), "phase"),
        Query(promql.code("session_component_state", "state", meanings.COMPONENTS), "{{component}}"),
        states=[meanings.PHASES, meanings.COMPONENTS],
    )


def _budgets() -> panels.Builder:
    return panels.bars(
        About(
            "Budgets used",
            "Share of each objective's budget for this upgrade that is gone. No bar: it was not measured.",
            "percentunit",
        ),
        Query(worst("session_slo_budget_consumed_ratio"), "{{slo}}"),
        steps=panels.BUDGET,
        highest=1,
    )


def _guests() -> panels.Builder:
    return panels.number(
        About(
            "Guests",
            """Running when the upgrade began; live migrations that succeeded; guests that lost their running instance
            although nobody asked for it; that wait for a new launcher; that will not get one by themselves; that were
            lost while nobody was looking.""",
            "short",
        ),
        Query(worst("session_vmis_baseline"), "at the start"),
        Query(worst("session_vmis_migrated"), "migrated"),
        Query(total(worst("session_vmi_interruptions"), "reason"), "interrupted", steps=panels.ALARM),
        Query(worst("vmis_outdated", 'reason="waiting"'), "outdated", steps=((0, meanings.GOOD), (1, meanings.MOVING))),
        Query(worst("vmis_stranded"), "stranded", steps=panels.CAUTION),
        Query(worst("session_vmi_losses_unattributed"), "unexplained", steps=panels.DOUBT),
        named=True,
    )


def pods() -> panels.Builder:
    """Pods of the control plane by version."""

    def counted(ready: str) -> str:
        return total(worst("component_pods", f'ready="{ready}"'), "component", "ready")

    return panels.lines(
        About(
            "Pods by version",
            "Pods of the control plane by the version they carry.",
            "short",
            "no data from the exporter",
        ),
        Query(promql.target(counted("true")), "{{version}}", colour=meanings.GOOD),
        Query(promql.target(counted("false")), "{{version}}, not ready", colour=meanings.NEARLY),
        Query(promql.origin(counted("true")), "{{version}}", colour=meanings.RESTING),
        Query(promql.origin(counted("false")), "{{version}}, not ready", colour=meanings.ATTENTION),
        Query(
            promql.elsewhere(total(worst("component_pods"), "component", "ready")),
            "{{version}}, neither old nor new",
            colour=meanings.UNKNOWN,
        ),
        stacked=True,
    )


def burn_down() -> panels.Builder:
    """Guests with an old launcher, and those that were interrupted."""
    return panels.lines(
        About(
            "Guests left to update",
            "Running guests with an old launcher: waiting, or stranded and why; and the guests interrupted so far.",
            "short",
            "no data from the exporter",
        ),
        Query(worst("vmis_outdated", 'reason="waiting"'), "waiting", colour=meanings.MOVING),
        Query(
            f'{worst("vmis_outdated", """reason!="waiting" """.strip())} > 0',
            "stranded: {{reason}}",
            colour=meanings.ATTENTION,
            shades=True,
        ),
        Query(
            f"{total(worst('session_vmi_interruptions'), 'reason')} > 0", "interrupted", colour=meanings.BAD, apart=True
        ),
        stacked=True,
    )


def disruption() -> panels.Builder:
    """Disruption of each probe in the session."""
    return panels.bars(
        About(
            "API disruption by probe",
            """Seconds of this upgrade in which a probe failed although the API server itself answered. The objective is
            10 s by default.""",
            "s",
            "no probe has measured an upgrade yet",
        ),
        Query(worst("session_api_disruption_seconds", 'probe!="apiserver-readyz"'), "{{probe}} {{connection}}"),
        steps=panels.DISRUPTION,
        highest=10,
    )


def _leaders() -> panels.Builder:
    def by_component(family: str) -> str:
        return columns(worst(family), "component")

    return panels.rows(
        About(
            "Leaders",
            """Who leads, and how long nobody did in this upgrade. 16 to 18 s a handover are normal: KubeVirt does not
            release its leases.""",
            "s",
            "no data from the exporter",
        ),
        {"component": "component", "version": "leader at"},
        Query(columns(worst("leader_info"), "component", "version")),
        Query(by_component("session_leader_transitions"), "handovers", unit="short"),
        Query(
            by_component("session_leader_longest_gap_seconds"),
            "longest gap",
            steps=((0, meanings.GOOD), (30, meanings.BAD)),
        ),
        Query(
            by_component("leader_gap_seconds"),
            "no leader for",
            steps=((0, meanings.GOOD), (1, meanings.ATTENTION), (30, meanings.BAD)),
        ),
        sort="component",
    )


def anomalies() -> panels.Builder:
    """Named guests that a person should look at."""
    named = worst("session_anomaly_timestamp_seconds", chosen=promql.CLUSTER)
    return panels.rows(
        About(
            "Guests to look at",
            "What happened to which guest in this upgrade; at most 100 are named.",
            "none",
            "no guest has been named",
        ),
        {"kind": "what", "namespace": "namespace", "name": "guest"},
        Query(
            f"1000 * {columns(named, 'namespace', 'name', 'kind')}",
            "when",
            unit=panels.DATE,
        ),
        sort="when",
        descending=True,
    )


def _findings() -> panels.Builder:
    severity = promql.ranked("session_findings", "check", "severity", meanings.SEVERITIES)
    return panels.rows(
        About(
            "Findings",
            "What the upgrade's report has found. `kubectl get upgradereports -A -o yaml` says it in words.",
            "short",
            "nothing has been found",
        ),
        {"check": "finding"},
        Query(severity, "severity", mapping=(meanings.SEVERITIES,)),
        Query(f"{columns(worst('session_findings'), 'check')} > 0", "times"),
        sort="severity",
        descending=True,
    )


def _waiting() -> panels.Builder:
    return panels.lines(
        About(
            "Pods that wait",
            "Pods at the target that have a container waiting, by component and reason.",
            "short",
            "no data from the exporter",
        ),
        Query(
            f"{worst('component_waiting_pods')} > 0",
            "{{component}}: {{reason}}",
            colour=meanings.ATTENTION,
            shades=True,
        ),
        Query(f"0 * {total(worst('component_waiting_pods'), 'component', 'reason')}", "none", colour=meanings.GOOD),
    )


def _conditions() -> panels.Builder:
    statuses = {
        "absent": meanings.State(1, "absent", meanings.RESTING),
        "false": meanings.State(2, "false", meanings.PLAIN),
        "unknown": meanings.State(3, "unknown", meanings.UNKNOWN),
        "true": meanings.State(4, "true", meanings.MOVING),
    }
    return panels.timeline(
        About(
            "KubeVirt's conditions",
            """As they are, without a judgement: Degraded is true and Created is absent in every upgrade, and one that
            is stuck looks like a healthy one.""",
            "none",
            "no data from the exporter",
        ),
        Query(promql.code("kubevirt_condition", "status", statuses), "{{condition}}"),
        states=[statuses],
    )


def _retention() -> panels.Builder:
    def by_resource(family: str) -> str:
        return columns(promql.without_group(worst(family), "resource"), "resource")

    return panels.rows(
        About(
            "Is everything still there",
            "Objects that must survive: when the upgrade began, now, and lost in between.",
            "short",
        ),
        {"resource": "resource"},
        Query(by_resource("objects"), "now"),
        Query(by_resource("session_objects_before"), "before"),
        Query(by_resource("session_objects_lost"), "lost", steps=panels.ALARM),
        Query(by_resource("session_objects_recreated"), "re-created", steps=panels.CAUTION),
    )
