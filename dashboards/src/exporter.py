"""The exporter itself: does it see everything, and what does it cost. By replica, since these are its own facts."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder

from dashboards.src import frame, meanings, panels, promql
from dashboards.src.panels import About, Query
from dashboards.src.promql import RANGE, columns, series, worst

UID: Final = "kubevirt-upgrade-exporter"
_NO_DATA: Final = "no data from the exporter"
_OURS: Final = f"and on (cluster, namespace, pod, instance) {series('exporter_build_info')}"
"""Standard metrics of processes have the same names everywhere: only those of our replicas."""


def dashboard() -> builder.Dashboard:
    """Build it."""
    return frame.board(
        UID,
        "KubeVirt upgrade: exporter",
        "Does the exporter see everything, how old is what it knows, and what does it cost.",
        (4, ((4, _replicas()), (4, _synced()), (4, _parts()), (4, _stale()), (4, _late()), (4, _malformed()))),
        (7, ((6, _page()), (6, _memory()), (6, _cpu()), (6, _missed()))),
        (7, ((8, _watches()), (8, _errors()), (8, _events()))),
        (17, ((11, _states()), (13, _resources()))),
    )


def _replicas() -> panels.Builder:
    return panels.number(
        About("Replicas", "Replicas that are scraped, by version.", "short", _NO_DATA),
        Query(f"count by (version) ({series('exporter_build_info')})", "{{version}}"),
        named=True,
    )


def _synced() -> panels.Builder:
    resources = f"min without (pod, instance, resource) ({worst('exporter_resource_synced')})"
    return panels.number(
        About(
            "Sees everything",
            "Whether some replica has a complete and current picture of every resource.",
            "none",
            _NO_DATA,
        ),
        Query(resources),
        states=[meanings.YES_NO],
    )


def _parts() -> panels.Builder:
    return panels.number(
        About(
            "Whole page",
            "Whether every part of the metrics page can be made. If not, the log says why.",
            "none",
            _NO_DATA,
        ),
        Query(f"min without (pod, instance, source) ({series('exporter_source_success')})"),
        states=[meanings.YES_NO],
    )


def _stale() -> panels.Builder:
    oldest = f"min without (pod, instance, resource) ({worst('exporter_last_event_timestamp_seconds')})"
    return panels.number(
        About(
            "Longest silence", "Since the most silent watch last told us anything, bookmarks included.", "s", _NO_DATA
        ),
        Query(f"time() - {oldest}"),
        steps=((0, meanings.GOOD), (180, meanings.ATTENTION), (600, meanings.BAD)),
    )


def _late() -> panels.Builder:
    return panels.number(
        About(
            "Late by",
            "How late the last deadline was taken up. It grows where the process gets too little CPU.",
            "s",
            "no deadline yet",
        ),
        Query(worst("exporter_deadline_lag_seconds")),
        steps=((0, meanings.GOOD), (1, meanings.ATTENTION), (5, meanings.BAD)),
    )


def _malformed() -> panels.Builder:
    counted = promql.total(worst("exporter_malformed_objects_total"), "resource")
    return panels.number(
        About(
            "Unreadable objects",
            "Objects that could not be decoded since the start. Each costs only itself.",
            "short",
            _NO_DATA,
        ),
        Query(counted),
        steps=panels.CAUTION,
    )


def _states() -> panels.Builder:
    return panels.timeline(
        About(
            "What we see",
            """By resource. Forbidden: the role lacks it. Absent: the cluster has no such kind. Watch cut: what we know
            gets old.""",
            "none",
            _NO_DATA,
        ),
        Query(promql.code("exporter_resource_state", "state", meanings.RESOURCES), "{{resource}}"),
        states=[meanings.RESOURCES],
    )


def _resources() -> panels.Builder:
    def by_resource(expression: str) -> str:
        return columns(expression, "resource")

    return panels.rows(
        About(
            "Resources",
            "State, time since the list or watch last told us anything, and objects that we hold.",
            "none",
            _NO_DATA,
        ),
        {"resource": "resource"},
        Query(
            by_resource(promql.code("exporter_resource_state", "state", meanings.RESOURCES)),
            "state",
            mapping=(meanings.RESOURCES,),
        ),
        Query(by_resource(f"time() - {worst('exporter_last_event_timestamp_seconds')}"), "silent for", unit="s"),
        Query(by_resource(worst("exporter_objects")), "objects", unit="short"),
        sort="resource",
    )


def _watches() -> panels.Builder:
    return panels.lines(
        About(
            "Watches opened again, lists made again",
            "API servers end each watch after some minutes, so some are normal; a list made again costs more.",
            "short",
            _NO_DATA,
        ),
        Query(_summed("exporter_watch_restarts_total"), "watches {{pod}}"),
        Query(_summed("exporter_relists_total"), "lists {{pod}}"),
    )


def _summed(family: str) -> str:
    """Over resources, by replica."""
    return f"sum without (resource) (increase({series(family)}{RANGE}))"


def _errors() -> panels.Builder:
    errors = f"sum without (resource) (increase({series('exporter_api_errors_total')}{RANGE}))"
    return panels.lines(
        About("Failed lists and watches", "Requests of our own that failed, by reason.", "short", "none has failed"),
        Query(errors, "{{reason}} {{pod}}", colour=meanings.BAD, shades=True),
    )


def _events() -> panels.Builder:
    return panels.lines(
        About("Received", "Bytes of lists and watches, per second.", "Bps", _NO_DATA),
        Query(f"sum without (resource) (rate({series('exporter_received_bytes_total')}{RANGE}))", "{{pod}}"),
    )


def _page() -> panels.Builder:
    return panels.lines(
        About("Time to make a page", "19 of 20 metrics pages were made faster.", "s", _NO_DATA),
        Query(
            f"histogram_quantile(0.95, rate({series('exporter_page_duration_seconds_bucket')}{RANGE}))",
            "{{pod}}",
        ),
    )


def _memory() -> panels.Builder:
    return panels.lines(
        About("Memory", "Resident memory.", "bytes", _NO_DATA),
        Query(f"{series('process_resident_memory_bytes')} {_OURS}", "{{pod}}"),
    )


def _cpu() -> panels.Builder:
    return panels.lines(
        About("CPU", "Share of one core.", "percentunit", _NO_DATA),
        Query(f"rate({series('process_cpu_seconds_total')}{RANGE}) {_OURS}", "{{pod}}"),
    )


def _missed() -> panels.Builder:
    missed = f"sum without (probe, connection) (increase({series('probe_missed_total')}{RANGE}))"
    under_way = f"sum without (probe, connection) ({series('probe_requests_under_way')})"
    return panels.lines(
        About(
            "Probe requests",
            "Sent and not ended; and not sent because their time had passed (too little CPU).",
            "short",
            "no probes",
        ),
        Query(missed, "missed {{pod}}", colour=meanings.ATTENTION, shades=True),
        Query(under_way, "under way {{pod}}", colour=meanings.MOVING, shades=True),
    )
