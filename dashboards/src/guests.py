"""What happened to the guests: interruptions, migrations, launchers, and the nodes that endanger them."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder

from dashboards.src import frame, meanings, panels, promql, upgrade
from dashboards.src.panels import About, Query
from dashboards.src.promql import columns, quantile, total, worst

UID: Final = "kubevirt-upgrade-guests"
_NO_DATA: Final = "no data from the exporter"


def dashboard() -> builder.Dashboard:
    """Build it."""
    return frame.board(
        UID,
        "KubeVirt upgrade: guests",
        "Interruptions, live migrations and old launchers in the upgrade under way, or the last one.",
        (
            4,
            (
                (3, _running()),
                (3, _interrupted()),
                (3, _away()),
                (3, _duplicates()),
                (3, _unexplained()),
                (3, _stops()),
                (3, _paused()),
                (3, _unobserved()),
            ),
        ),
        (7, ((8, _interruptions()), (8, _migrations()), (8, _durations()))),
        (7, ((8, upgrade.burn_down()), (8, _launchers()), (8, _stranded()))),
        (7, ((8, upgrade.anomalies()), (8, _pairs()), (8, _handlers()))),
        (6, ((8, _in_flight()), (8, _agents()), (8, _nodes()))),
    )


def _running() -> panels.Builder:
    return panels.number(
        About("Running", "Guests that run now.", "short", _NO_DATA), Query(worst("vmis", 'phase="Running"'))
    )


def _interrupted() -> panels.Builder:
    return panels.number(
        About(
            "Interrupted",
            "Guests that lost their running instance in this upgrade although nobody asked for it.",
            "short",
        ),
        Query(total(worst("session_vmi_interruptions"), "reason")),
        steps=panels.ALARM,
    )


def _away() -> panels.Builder:
    return panels.number(
        About(
            "Away",
            "Time without an instance, of all guests interrupted in this upgrade, summed; still counting where one is "
            "not back.",
            "s",
        ),
        Query(worst("session_vmi_interruption_seconds")),
        steps=panels.ALARM,
    )


def _duplicates() -> panels.Builder:
    return panels.number(
        About(
            "Two launchers",
            "Guests with two launchers that no migration explains, now and in this upgrade: possible split brain.",
            "short",
        ),
        Query(worst("vmis_duplicate_launchers"), "now"),
        Query(worst("session_vmi_duplicate_launchers"), "in this upgrade"),
        steps=panels.ALARM,
        named=True,
    )


def _unexplained() -> panels.Builder:
    return panels.number(
        About("Unexplained", "Guests lost while nobody was looking, so that the cause cannot be settled.", "short"),
        Query(worst("session_vmi_losses_unattributed")),
        steps=panels.DOUBT,
    )


def _stops() -> panels.Builder:
    return panels.number(
        About(
            "Not charged", "Guests that were asked to stop, shut down from inside, or whose VMI was deleted.", "short"
        ),
        Query(total(worst("session_vmi_stops"), "kind")),
    )


def _paused() -> panels.Builder:
    return panels.number(
        About("Hanging on a disk", "Guests that are paused on an I/O error now.", "short", _NO_DATA),
        Query(worst("vmis_paused", 'reason="PausedIOError"')),
        steps=panels.ALARM,
    )


def _unobserved() -> panels.Builder:
    return panels.number(
        About(
            "Unobserved", "Time of this upgrade in which the exporter was away or did not see a deciding resource.", "s"
        ),
        Query(worst("session_unobserved_seconds")),
        steps=panels.DOUBT,
    )


def _interruptions() -> panels.Builder:
    return panels.lines(
        About("Interruptions by reason", "Guests interrupted so far in this upgrade.", "short"),
        Query(f"{worst('session_vmi_interruptions')} > 0", "{{reason}}", colour=meanings.BAD, shades=True),
        Query(f"0 * {total(worst('session_vmi_interruptions'), 'reason')}", "none", colour=meanings.GOOD),
        stacked=True,
    )


def _migrations() -> panels.Builder:
    merged = f"{worst('session_migrations', _outcome('succeeded'))}"
    failed = f"{worst('session_migrations', _outcome('failed'))}"
    others = worst("session_migrations", 'outcome!~"succeeded|failed"')
    return panels.lines(
        About("Live migrations", "Finished so far in this upgrade, by outcome and by what started them.", "short"),
        Query(total(merged, "trigger"), "succeeded", colour=meanings.GOOD),
        Query(f"{failed} > 0", "failed: {{trigger}}", colour=meanings.BAD, shades=True),
        Query(f"{others} > 0", "{{outcome}}: {{trigger}}", colour=meanings.RESTING, shades=True),
        Query(
            f"{worst('session_migrations_failed_by_handler')} > 0",
            "failed as a virt-handler was replaced",
            colour=meanings.ATTENTION,
        ),
    )


def _outcome(outcome: str) -> str:
    return f'outcome="{outcome}"'


def _durations() -> panels.Builder:
    return panels.lines(
        About(
            "Time of a migration",
            "From the start of the transfer to its end, of migrations that succeeded.",
            "s",
            "no migration in this time",
        ),
        Query(quantile(0.5, "migration_duration_seconds"), "half are faster", colour=meanings.MOVING),
        Query(quantile(0.95, "migration_duration_seconds"), "19 of 20 are faster", colour=meanings.ATTENTION),
    )


def _launchers() -> panels.Builder:
    running = worst("vmis_running")
    return panels.lines(
        About("Guests by launcher", "Running guests by the version of their launcher.", "short", _NO_DATA),
        Query(promql.target(running, "launcher_version"), "{{launcher_version}}", colour=meanings.GOOD),
        Query(promql.origin(running, "launcher_version"), "{{launcher_version}}", colour=meanings.RESTING),
        Query(
            promql.elsewhere(running, "launcher_version"), "{{launcher_version}}", colour=meanings.UNKNOWN, shades=True
        ),
        stacked=True,
    )


def _stranded() -> panels.Builder:
    return panels.bars(
        About(
            "Stranded guests",
            "Guests that keep their old launcher, and why. Not migratable: by their own condition.",
            "short",
            _NO_DATA,
        ),
        Query(worst("vmis_outdated", 'reason!="waiting"'), "{{reason}}"),
        Query(f"{worst('vmis_not_migratable')} > 0", "not migratable: {{reason}}"),
        steps=panels.CAUTION,
    )


def _pairs() -> panels.Builder:
    return panels.rows(
        About(
            "Migrations by version pair",
            "Of this upgrade, by the launcher's version before and after.",
            "short",
            "no migration in an upgrade yet",
        ),
        {"from_version": "from", "to_version": "to", "outcome": "outcome"},
        Query(columns(worst("session_migrations_by_launcher"), "from_version", "to_version", "outcome"), "migrations"),
    )


def _handlers() -> panels.Builder:
    unready = worst("node_handler_unready_since_timestamp_seconds")
    heartbeat = worst("node_handler_heartbeat_timestamp_seconds")
    return panels.rows(
        About(
            "Nodes whose virt-handler is away",
            "Nodes with guests. KubeVirt fails guests without a living launcher once the heartbeat is 300 s old.",
            "s",
            "no node with guests lacks its virt-handler",
        ),
        {"node": "node"},
        Query(columns(f"{unready} or {heartbeat}", "node")),
        Query(columns(f"time() - {unready}", "node"), "away for"),
        Query(
            columns(f"time() - {heartbeat}", "node"),
            "heartbeat ago",
            steps=((0, meanings.GOOD), (180, meanings.ATTENTION), (300, meanings.BAD)),
        ),
        sort="node",
    )


def _in_flight() -> panels.Builder:
    return panels.lines(
        About("Migrations in flight", "Live migrations that have not finished.", "short", _NO_DATA),
        Query(worst("migrations_in_flight"), "in flight", colour=meanings.MOVING),
    )


def _agents() -> panels.Builder:
    return panels.lines(
        About(
            "Guest agents",
            "Agents that went away outside a migration, often a reboot inside the guest, and that came back.",
            "short",
            _NO_DATA,
        ),
        Query(promql.worst_rate("vmi_agent_losses_total", function="increase"), "went away", colour=meanings.ATTENTION),
        Query(promql.worst_rate("vmi_agent_returns_total", function="increase"), "came back", colour=meanings.GOOD),
    )


def _nodes() -> panels.Builder:
    return panels.bars(
        About(
            "Nodes cordoned or lost", "In this upgrade: they explain interruptions that are not KubeVirt's.", "short"
        ),
        Query(worst("session_nodes_disrupted"), "{{reason}}"),
        steps=panels.CAUTION,
    )
