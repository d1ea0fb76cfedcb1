"""The alerts, as data: at most 16, at most 4 of them critical.

Critical is what users lose by and somebody should look at within minutes. What must not be missed although it happens
once is asked of the session's gauges; these stay until the next session begins, so alerts look at them for one hour
after a session has ended. Each alert has a page in alerts/runbooks and its tests in tests/alerts/cases.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from alerts.src import promql, slos
from alerts.src.promql import CURRENT, worst


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert."""

    name: str
    severity: Literal["critical", "warning", "info"]
    impact: Literal["critical", "warning", "none"] = "none"
    """What it says of KubeVirt's own health, which HyperConverged shows."""
    holds_openshift: bool = False
    """Fit to hold back an OpenShift update, where people want that."""
    expr: str
    wait: str = ""
    """How long the expression must hold."""
    summary: str
    description: str
    """Line ends count as spaces, in the summary, too."""


def alerts(objectives: slos.Objectives) -> Sequence[Alert]:
    """All of them, the most urgent first."""
    return (*_CRITICAL, *_CONTROL_PLANE, *_GUESTS, _burn(objectives), _BLIND, _IN_PROGRESS)


def _first(family: str, label: str, value: str) -> str:
    """The names of the first few objects in a family with this label; a template, which asks Prometheus for them."""
    series = worst(family, f"{label}=%q,cluster=%q")
    names = "{{ .Labels.namespace }}/{{ .Labels.name }}"
    return f"{{{{ range printf `sort(bottomk(5, {series}))` {value} $labels.cluster | query }}}} {names}{{{{ end }}}}"


_DUPLICATED: Final = _first("session_anomaly_timestamp_seconds", "kind", '"duplicate_launchers"')
_INTERRUPTED: Final = _first("session_anomaly_timestamp_seconds", "kind", '"interrupted"')
_LOST: Final = _first("session_lost_object_timestamp_seconds", "resource", "$labels.resource")

_CRITICAL: Final = (
    Alert(
        name="KubeVirtUpgradeDuplicateLaunchers",
        severity="critical",
        impact="critical",
        holds_openshift=True,
        expr=f"""
        {worst("vmis_duplicate_launchers")} > 0
          or
        ({worst("session_vmi_duplicate_launchers")} > 0 and {CURRENT})
        """,
        summary="A guest has two launchers running, or had in this upgrade.",
        description=f"""
        Two virt-launcher pods of one guest ran for more than a minute, and no migration explains it. Both may write
        to the same disks. First guests of this upgrade:{_DUPLICATED}
        """,
    ),
    Alert(
        name="KubeVirtUpgradeGuestInterrupted",
        severity="critical",
        expr=f"""
        sum without (reason) ({worst("session_vmi_interruptions", 'reason!="workload_update"')}) > 0
          and
        {CURRENT}
        """,
        summary="{{ $value | humanize }} guests were interrupted in this upgrade.",
        description=f"""
        Guests lost the instance they ran in, and nobody had asked for it. Those that the Evict update method restarts
        are not counted. First guests:{_INTERRUPTED}
        """,
    ),
    Alert(
        name="KubeVirtUpgradeApiBudgetExhausted",
        severity="critical",
        expr=f"""
        slo:kubevirt_upgrade_session_budget_consumed:max{{slo="api_availability"}} > 1
          and ignoring (slo)
        {CURRENT}
        """,
        summary="KubeVirt's API was away for longer than an upgrade may cost.",
        description="""
        One of the probes has used {{ $value | humanizePercentage }} of its budget of failed seconds. Seconds in which
        the API server itself did not answer are not counted.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeObjectLost",
        severity="critical",
        impact="critical",
        holds_openshift=True,
        expr=f"""
        ({worst("session_objects_lost")} > 0 and ignoring (resource) {CURRENT})
          or
        {worst("objects_lost_total", over="increase({}[1h])")} > 0
        """,
        summary="Some {{ $labels.resource }} are gone, and nothing explains it.",
        description=f"""
        A CRD of KubeVirt was deleted or replaced, which takes its objects along, or objects vanished while the watch
        was cut. First of this upgrade:{_LOST}
        """,
    ),
)

_CONTROL_PLANE: Final = (
    Alert(
        name="KubeVirtUpgradeRolloutStalled",
        severity="warning",
        impact="warning",
        holds_openshift=True,
        expr=f"{worst('session_component_stalled')} == 1",
        summary="The rollout of {{ $labels.component }} does not move.",
        description="""
        It is the turn of {{ $labels.component }}, and for five minutes no pod at the target was created, started or
        became ready, and no old one went. KubeVirt's own conditions do not show this.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeFailed",
        severity="warning",
        holds_openshift=True,
        expr=f"""
        {worst("session_verdict", 'verdict="failed"')} == 1
          and ignoring (verdict)
        {CURRENT}
        """,
        summary="This upgrade has failed one of its objectives.",
        description="""
        The verdict on this upgrade is "failed" and stays so, whatever happens now. The report says which objective
        was missed: kubectl get upgradereports -A
        """,
    ),
    Alert(
        name="KubeVirtUpgradeUnsupportedJump",
        severity="warning",
        expr=f"{worst('session_path_supported')} == 0 and {worst('in_progress')} == 1",
        summary="An upgrade or rollback is under way that KubeVirt does not support.",
        description="""
        KubeVirt supports steps to the next minor release. This one skips a minor release, or goes back.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeOutsideWindow",
        severity="warning",
        expr=f"{worst('session_in_maintenance_window')} == 0 and {worst('in_progress')} == 1",
        summary="An upgrade began outside the maintenance window.",
        description="""
        The upgrade under way began at a time that the setting maintenance-window does not allow.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeStorageVersionBlocks",
        severity="warning",
        holds_openshift=True,
        expr=f"""{worst("storage_version_blocks", 'direction="upgrade"')} == 1""",
        wait="1m",
        summary="{{ $labels.crd }} stores {{ $labels.version }}, which bars the way to {{ $labels.release }}.",
        description="""
        status.storedVersions of this CRD names {{ $labels.version }}, which {{ $labels.release }} does not define.
        The API server would refuse the new definition, and virt-operator would stop there.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeLeaderGap",
        severity="warning",
        expr=f"""
        {worst("session_leader_longest_gap_seconds")} > 30
          and ignoring (component)
        {CURRENT}
        """,
        summary="{{ $labels.component }} had no leader for {{ $value | humanizeDuration }}.",
        description="""
        Nobody renewed the lease of {{ $labels.component }} for more than 30 s in this upgrade; 16 to 18 s are normal.
        Without a leader it reconciles nothing.
        """,
    ),
)

_STRANDED: Final = 'reason!="waiting"'

_GUESTS: Final = (
    Alert(
        name="KubeVirtUpgradeHandlerHeartbeatOld",
        severity="warning",
        impact="warning",
        expr=f"""
        time() - {worst("node_handler_heartbeat_timestamp_seconds")} > 240
          and ignoring (node)
        {worst("exporter_resource_synced", 'resource="nodes"', without="resource")} == 1
        """,
        summary="virt-handler on {{ $labels.node }} was last heard of {{ $value | humanizeDuration }} ago.",
        description="""
        The node runs guests. Once its heartbeat is 300 s old, KubeVirt takes the node out of service and fails those
        of its guests that have no living launcher.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeMigrationsFailing",
        severity="warning",
        expr=f"""
        {worst("session_migrations", 'trigger="workload_update",outcome="failed"')} > 0
          and ignoring (trigger, outcome)
        {CURRENT}
        """,
        summary="{{ $value | humanize }} migrations to the new launcher have failed in this upgrade.",
        description="""
        KubeVirt tries such guests again for ever. Where all migrations fail, guests cannot move between the two
        versions.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeGuestsNotUpdated",
        severity="warning",
        expr=f"""
        ({promql.DRAINS_NOT})
          or
        ({worst("vmis_outdated", _STRANDED, over="min_over_time({}[1d])")} > 0
          and
        {worst("vmis_outdated", _STRANDED, over="{} offset 1d")} > 0)
        """,
        summary="{{ $value | humanize }} guests keep their old launcher ({{ $labels.reason }}).",
        description="""
        waiting: the guests that wait for a new launcher have not become fewer for an hour. Other reasons: these
        guests will not be updated by themselves, and this for a day.
        """,
    ),
)


def _burn(objectives: slos.Objectives) -> Alert:
    """Budgets that go too fast: the session's, and outside sessions those of the whole period."""
    consumed = "slo:kubevirt_upgrade_session_budget_consumed:max"
    much = " or ".join(
        f'{consumed}{{slo="{slo.slo}"}} > {slo.session.warn_above}'
        for slo in objectives.slos
        if slo.session.warn_above is not None
    )
    windows = " or ".join(_window(window, objectives.period_days) for window in objectives.windows)
    return Alert(
        name="KubeVirtUpgradeErrorBudgetBurn",
        severity="warning",
        expr=f"""
        label_replace(
          ((({much}) and ignoring (slo) {worst("in_progress")} == 1)
            or
          slo:kubevirt_upgrade_session_budget_projected:ratio > 1)
            and
          {consumed} <= 1,
          "window", "session", "", ""
        )
          or
        (({windows}) unless ignoring (slo, service, window) {CURRENT})
        """,
        wait="1m",
        summary="The error budget of {{ $labels.slo }} goes too fast (window: {{ $labels.window }}).",
        description=f"""
        session: this upgrade has used much of the objective's budget, or will have used all of it at this rate. Other
        windows: at the rate of that long, the budget of {objectives.period_days} days will not last.
        """,
    )


def _window(window: slos.Window, days: int) -> str:
    limit = f"{window.burn_rate(days)} * slo:error_budget:ratio"
    burns = " and ".join(f"slo:sli_error:ratio_rate{length} > {limit}" for length in (window.long, window.short))
    return f'label_replace({burns}, "window", "{window.long}", "", "")'


_SAYS_SO: Final = "kubevirt_upgrade_exporter_build_info"
_BLIND: Final = Alert(
    name="KubeVirtUpgradeExporterBlind",
    severity="warning",
    expr=f"""
    label_replace(
      group by (cluster, namespace) (present_over_time({_SAYS_SO}[1d]))
        unless
      group by (cluster, namespace) ({_SAYS_SO}),
      "reason", "absent", "", ""
    )
      or
    label_replace(absent(present_over_time({_SAYS_SO}[1d])), "reason", "absent", "", "")
      or
    label_replace(
      {worst("exporter_resource_state", 'state=~"synced|absent"', without="state")} == 0, "reason", "not_synced", "", ""
    )
      or
    label_replace({worst("exporter_source_success")} == 0, "reason", "failing", "", "")
    """,
    wait="5m",
    summary="The upgrade exporter does not see everything ({{ $labels.reason }}).",
    description="""
    absent: no metrics come from the exporter. not_synced: no replica can read, or is permitted to read, {{
    $labels.resource }}. failing: the metrics of {{ $labels.source }} cannot be made. What is not seen cannot alert.
    """,
)

_VERSIONS: Final = worst("session_info", "cluster=%q")
_IN_PROGRESS: Final = Alert(
    name="KubeVirtUpgradeInProgress",
    severity="info",
    expr="cluster:kubevirt_upgrade_session_moving:max == 1",
    summary=f"""
    KubeVirt is being upgraded{{{{ range printf `{_VERSIONS}` $labels.cluster | query }}}}, from
    {{{{ .Labels.from_version }}}} to {{{{ .Labels.to_version }}}}{{{{ end }}}} (moving: {{{{ $labels.moving }}}}).
    """,
    description="""
    The rollout moves, or the guests to their new launcher, or it settles, or nothing moves. Alerts that expect a quiet
    cluster may be held back meanwhile. It stays for ten minutes after the end.
    """,
)
