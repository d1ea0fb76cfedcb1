"""Do clients of every served version still work."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder

from dashboards.src import frame, meanings, panels, promql, upgrade
from dashboards.src.panels import About, Query
from dashboards.src.promql import columns, quantile, total, worst, worst_rate

UID: Final = "kubevirt-upgrade-api"
_PROBES: Final = "{{probe}} {{connection}}"
_NO_PROBES: Final = "no probe has measured anything"
_NO_DATA: Final = "no data from the exporter"
_CHARGED: Final = 'probe!="apiserver-readyz"'


def dashboard() -> builder.Dashboard:
    """Build it."""
    return frame.board(
        UID,
        "KubeVirt upgrade: API compatibility",
        """Probes of KubeVirt's API, the versions it serves and stores, and manifests as users of each release wrote
        them.""",
        (4, ((5, _disrupted()), (4, _lost()), (5, _blocked()), (5, _served()), (5, _virt_api()))),
        (8, ((12, _success()), (12, _latency()))),
        (7, ((8, upgrade.disruption()), (8, _causes()), (8, _kinds()))),
        (8, ((14, _probes()), (10, _manifests()))),
        (7, ((11, _storage()), (6, _aggregated()), (7, _lost_versions()))),
    )


def _disrupted() -> panels.Builder:
    return panels.number(
        About(
            "Worst probe in this upgrade",
            "Most seconds of disruption of any probe. The objective is 10 s by default.",
            "s",
        ),
        Query(worst("session_api_disruption_seconds", _CHARGED, without="probe, connection")),
        steps=panels.DISRUPTION,
    )


def _lost() -> panels.Builder:
    return panels.number(
        About(
            "Versions lost", "Versions of resources that were served when the upgrade began and are not now.", "short"
        ),
        Query(worst("session_api_versions_lost")),
        steps=panels.ALARM,
    )


def _blocked() -> panels.Builder:
    return panels.number(
        About(
            "Storage versions in the way",
            "Stored versions that the next release does not define, or the previous one.",
            "short",
            _NO_DATA,
        ),
        Query(worst("storage_versions_blocking", 'direction="upgrade"'), "of the next upgrade", steps=panels.CAUTION),
        Query(worst("storage_versions_blocking", 'direction="rollback"'), "of a rollback", steps=panels.CAUTION),
        named=True,
    )


def _served() -> panels.Builder:
    return panels.number(
        About(
            "Versions served",
            "Versions of resources that KubeVirt's API serves, and those new since the upgrade began.",
            "short",
            _NO_DATA,
        ),
        Query(worst("api_versions_served"), "served"),
        Query(worst("session_api_versions_new"), "new"),
        named=True,
    )


def _virt_api() -> panels.Builder:
    return panels.number(
        About(
            "Versions of virt-api",
            "What its replicas claimed to be within a minute: 2 while it rolls over.",
            "short",
            _NO_PROBES,
        ),
        Query(worst("virt_api_versions_seen")),
        steps=((0, meanings.GOOD), (2, meanings.MOVING)),
    )


def _success() -> panels.Builder:
    bad = worst_rate("api_disruption_seconds_total", _CHARGED)
    return panels.lines(
        About(
            "Success",
            "Share of measured seconds without disruption. A gap: nothing was measured.",
            "percentunit",
            _NO_PROBES,
        ),
        Query(f"1 - {bad} / ({worst_rate('api_measured_seconds_total', _CHARGED)} > 0)", _PROBES),
        lowest=None,
        highest=1,
        hues=meanings.PROBE_HUES,
    )


def _latency() -> panels.Builder:
    return panels.lines(
        About("Latency", "Nine of ten requests that succeeded were faster.", "s", _NO_PROBES),
        Query(quantile(0.9, "api_request_duration_seconds"), _PROBES),
        hues=meanings.PROBE_HUES,
    )


def _causes() -> panels.Builder:
    failures = total(worst_rate("api_failures_total", function="increase"), "probe", "connection")
    return panels.lines(
        About(
            "Causes of failures",
            "Failed requests of all probes, the control probe of the API server included.",
            "short",
            _NO_PROBES,
        ),
        Query(f"{failures} > 0", "{{reason}}", colour=meanings.BAD, shades=True),
        Query(f"0 * {total(failures, 'reason')}", "none", colour=meanings.GOOD),
        stacked=True,
    )


def _kinds() -> panels.Builder:
    def share(connection: str) -> str:
        failures = total(worst_rate("api_failures_total", f'connection="{connection}"'), "probe", "reason")
        requests = total(worst_rate("api_requests_total", f'connection="{connection}"'), "probe")
        return f"{failures} / ({requests} > 0)"

    return panels.lines(
        About(
            "Failures by kind of connection",
            "Share of requests: `reused` as clients keep them, `new` with a fresh TCP and TLS handshake.",
            "percentunit",
            _NO_PROBES,
        ),
        Query(share("reused"), "{{connection}}", colour=meanings.MOVING),
        Query(share("new"), "{{connection}}", colour=meanings.ATTENTION),
    )


def _probes() -> panels.Builder:
    def by_probe(family: str) -> str:
        return columns(worst(f"session_api_{family}_seconds"), "probe", "connection")

    standing = promql.code("probe_standing", "standing", meanings.STANDINGS)
    return panels.rows(
        About(
            "Probes in this upgrade",
            """Measured; disrupted and charged to KubeVirt; failed while the API server failed, too; failed on our own
            side. What was not measured is not known.""",
            "s",
            _NO_PROBES,
        ),
        {"probe": "probe", "connection": "connection"},
        Query(columns(standing, "probe", "connection"), "works", unit="none", mapping=(meanings.STANDINGS,)),
        Query(by_probe("measured"), "measured"),
        Query(by_probe("disruption"), "disrupted", steps=panels.DISRUPTION),
        Query(by_probe("cluster"), "cluster"),
        Query(by_probe("client"), "our side"),
        sort="probe",
    )


def _manifests() -> panels.Builder:
    verdicts = promql.code("manifest_verdict", "verdict", meanings.MANIFESTS)
    return panels.rows(
        About(
            "Manifests of users",
            "What the cluster makes of manifests as users of each release wrote them: dry runs.",
            "none",
            "no manifest has been tried (it needs the optional role)",
        ),
        {"release": "release", "manifest": "manifest"},
        Query(columns(verdicts, "release", "manifest"), "verdict", mapping=(meanings.MANIFESTS,)),
        sort="release",
    )


def _storage() -> panels.Builder:
    blocks = promql.without_group(worst("storage_version_blocks"), "crd")
    return panels.rows(
        About(
            "Stored versions in the way",
            "The API server would refuse that release's definition of the resource.",
            "short",
            "no stored version bars the way",
        ),
        {"crd": "resource", "version": "stored", "direction": "bars", "release": "to"},
        Query(columns(f"{blocks} == 1", "crd", "version", "direction", "release")),
        narrow=("stored", "bars", "to"),
    )


def _aggregated() -> panels.Builder:
    return panels.timeline(
        About(
            "Aggregated APIs",
            "Whether the API server says that KubeVirt's own API servers are available.",
            "none",
            _NO_DATA,
        ),
        Query(worst("aggregated_api_available"), "{{version}} of {{group}}"),
        states=[meanings.YES_NO],
    )


def _lost_versions() -> panels.Builder:
    return panels.rows(
        About(
            "Versions lost in this upgrade",
            "Served when it began and not now; without a resource, a whole group.",
            "short",
            "no version has been lost",
        ),
        {"group": "group", "version": "version", "resource": "resource"},
        Query(columns(worst("session_lost_api_version_info"), "group", "version", "resource")),
    )
