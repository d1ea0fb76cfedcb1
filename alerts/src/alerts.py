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
from alerts.src.templates import VERSIONS, first, listed


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


_DUPLICATED: Final = first(
    " First guests of this upgrade:", "session_anomaly_timestamp_seconds", "kind", '"duplicate_launchers"'
)
_INTERRUPTED: Final = first(" First guests:", "session_anomaly_timestamp_seconds", "kind", '"interrupted"')
_LOST: Final = first(" First of this upgrade:", "session_lost_object_timestamp_seconds", "resource", "$labels.resource")
_FAILED_SECONDS: Final = listed(
    " Failed longest:",
    f"sort_desc(topk(3, {worst('session_api_disruption_seconds', 'cluster=%q')} > 0))",
    "{{ .Labels.probe }} ({{ .Labels.connection }}) {{ .Value | humanizeDuration }}",
)

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
        summary="Guests that have two launchers running, or had in this upgrade: {{ $value | humanize }}.",
        description=f"""
        Two virt-launcher pods of one guest ran for more than a minute, and no migration explains it. Both may write
        to the same disks.{_DUPLICATED}
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
        summary="Guests interrupted in this upgrade: {{ $value | humanize }}.",
        description=f"""
        Guests lost the instance they ran in, and nobody had asked for it. Those that the Evict update method restarts
        are not counted.{_INTERRUPTED}
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
        description=f"""
        One of the probes has used {{{{ $value | humanizePercentage }}}} of its budget of failed seconds. Seconds in
        which the API server itself did not answer are not counted.{_FAILED_SECONDS}
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
        summary='Gone, and nothing explains it: {{ $value | printf "%.0f" }} of {{ $labels.resource }}.',
        description=f"""
        A CRD of KubeVirt was deleted or replaced, which takes its objects along, or objects vanished while the watch
        was cut.{_LOST}
        """,
    ),
)

_PODS: Final = listed(
    " Its pods:",
    f"sort_desc({worst('component_replicas', 'component=%q,cluster=%q')})",
    "{{ .Value }} {{ .Labels.state }}",
    "$labels.component",
)
_WAITING: Final = listed(
    " New ones wait:",
    f"{worst('component_waiting_pods', 'component=%q,cluster=%q')} > 0",
    "{{ .Value }} {{ .Labels.reason }}",
    "$labels.component",
)
_EXHAUSTED: Final = worst("session_slo_state", 'state="exhausted",cluster=%q', without="state")
_MISSED: Final = listed(" Missed:", f"{_EXHAUSTED} == 1", "{{ .Labels.slo }}")
_BEGAN: Final = listed(
    ":", worst("session_start_timestamp_seconds", "cluster=%q"), "{{ .Value | humanizeTimestamp }}", end=""
)

_CONTROL_PLANE: Final = (
    Alert(
        name="KubeVirtUpgradeRolloutStalled",
        severity="warning",
        impact="warning",
        holds_openshift=True,
        expr=f"{worst('session_component_stalled')} == 1",
        summary="The rollout of {{ $labels.component }} does not move.",
        description=f"""
        It is the turn of {{{{ $labels.component }}}}, and for five minutes no pod at the target was created, started or
        became ready, and no old one went. KubeVirt's own conditions do not show this.{_PODS}{_WAITING}
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
        description=f"""
        The verdict on this upgrade is "failed" and stays so, whatever happens now.{_MISSED}
        """,
    ),
    Alert(
        name="KubeVirtUpgradeUnsupportedJump",
        severity="warning",
        expr=f"{worst('session_path_supported')} == 0 and {worst('in_progress')} == 1",
        summary=f"An upgrade or rollback is under way that KubeVirt does not support{VERSIONS}.",
        description="""
        KubeVirt supports steps to the next minor release. This one skips a minor release, or goes back.
        """,
    ),
    Alert(
        name="KubeVirtUpgradeOutsideWindow",
        severity="warning",
        expr=f"{worst('session_in_maintenance_window')} == 0 and {worst('in_progress')} == 1",
        summary=f"An upgrade began outside the maintenance window{VERSIONS}.",
        description=f"""
        The setting maintenance-window does not allow the time at which the upgrade under way began{_BEGAN}.
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
_SUCCEEDED: Final = listed(
    " Succeeded:",
    worst("session_migrations", 'trigger="workload_update",outcome="succeeded",cluster=%q'),
    "{{ .Value }}",
)

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
        summary="Migrations to the new launcher that failed in this upgrade: {{ $value | humanize }}.",
        description=f"""
        KubeVirt tries such guests again for ever. Where all migrations fail, guests cannot move between the two
        versions.{_SUCCEEDED}
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
        summary="Guests that keep their old launcher ({{ $labels.reason }}): {{ $value | humanize }}.",
        description="""
        {{ if eq $labels.reason "waiting" }}They wait to be migrated, and have not become fewer for an hour.{{ else
        }}They will not be updated by themselves, and there have been such guests for a day.{{ end }}
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
    shares = "".join(
        f'{{{{ if eq $labels.window "{window.long}" }}}}{window.budget:.0%}{{{{ end }}}}'
        for window in objectives.windows
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
        {{{{ if ne $labels.window "session" }}}}Within {{{{ $labels.window }}}} more than {shares} of the budget of
        {objectives.period_days} days has gone, and it goes on.{{{{ else if gt $value 1.0 }}}}At this rate this upgrade
        will use {{{{ $value | humanizePercentage }}}} of its budget.{{{{ else }}}}This upgrade has used
        {{{{ $value | humanizePercentage }}}} of its budget.{{{{ end }}}}
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
    {{ if eq $labels.reason "absent" }}No metrics come from the exporter.{{ else if eq $labels.reason "not_synced" }}No
    replica can read, or is permitted to read, {{ $labels.resource }}.{{ else }}The metrics of {{ $labels.source }}
    cannot be made.{{ end }} What is not seen cannot alert.
    """,
)

_IN_PROGRESS: Final = Alert(
    name="KubeVirtUpgradeInProgress",
    severity="info",
    expr="cluster:kubevirt_upgrade_session_moving:max == 1",
    summary=f"KubeVirt is being upgraded{VERSIONS} (moving: {{{{ $labels.moving }}}}).",
    description="""
    The rollout moves, or the guests to their new launcher, or it settles, or nothing moves. Alerts that expect a quiet
    cluster may be held back meanwhile. It stays for ten minutes after the end.
    """,
)
