"""Every number and switch a person may set, in frozen groups. Nobody else reads the environment.

Each field says unit, default and why, in the line below it: `exporter.cli` shows that line as the help of the flag, and
turns flags, environment and the configuration file into these.
"""

from typing import Annotated, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0, title="SECONDS")]
Deadline = Annotated[float, msgspec.Meta(ge=0.1, title="SECONDS")]
Ratio = Annotated[float, msgspec.Meta(ge=0, le=1)]
Number = Annotated[int, msgspec.Meta(ge=0)]
Address = Annotated[str, msgspec.Meta(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\[\]:\s]*):[0-9]{1,5}$", title="ADDRESS:PORT")]


def _cron(*numbers: str) -> str:
    """Fields of numbers, `*`, ranges, steps and lists, or nothing."""
    parts = [rf"(\*|{number}(-{number})?)(/[1-9][0-9]?)?" for number in numbers]
    return f"^({' +'.join(f'{part}(,{part})*' for part in parts)})?$"


CRON = _cron("[0-5]?[0-9]", "(2[0-3]|[01]?[0-9])", "(3[01]|[12][0-9]|0?[1-9])", "(1[0-2]|0?[1-9])", "[0-7]")
Schedule = Annotated[str, msgspec.Meta(pattern=CRON, title="CRON", examples=["0 22 * * 6"])]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What the words of the product mean, in seconds."""

    judgement_delay: Seconds = 30.0
    """An interruption waits this long for what other resources have to say about it."""
    duplicate_launchers_after: Seconds = 60.0
    """Two launchers of one guest count as duplicates after this long; 1-2 s are normal after each migration."""
    unobserved_after: Seconds = 60.0
    """A deciding resource may be out of sync this long before the time counts as unobserved."""
    stalled_after: Seconds = 300.0
    """The component whose turn it is counts as stalled after this long without progress."""
    operator_only_after: Seconds = 600.0
    """A session begun by virt-operator alone is dropped if nothing else follows this long after its rollout."""
    settling: Seconds = 900.0
    """Watch this long after the last guest was updated."""
    workloads_limit: Seconds = 86_400.0
    """Guests get this long to be updated; what is left then is not waited for."""
    clock_difference: Seconds = 2.0
    """Beyond this difference between the API's clock and ours, times learnt are used for leader gaps."""
    heartbeat_failed: Seconds = 300.0
    """KubeVirt fails guests without a launcher on a node whose heartbeat is older."""


class Objectives(msgspec.Struct, frozen=True, kw_only=True):
    """What a session may cost before an objective is missed."""

    api_disruption: Seconds = 10.0
    """Disruption that each probe may see in a session."""
    rollout_base: Seconds = 900.0
    """Time for a rollout; waves of handler replacements come on top."""
    rollout_wave: Seconds = 120.0
    """Time for each wave of handlers, beyond their termination grace."""
    rollout_stall: Seconds = 900.0
    """A stall of this length exhausts the rollout objective."""
    unobserved_allowed: Seconds = 300.0
    """Time of a session, or of a probe in it, that may go unobserved before its objective cannot be called met."""
    leader_gap: Seconds = 30.0
    """A component may be without a leader this long; 16-18 s is normal, since KubeVirt does not release its leases."""
    failed_migrations_minimum: Number = 3
    """Failed update migrations allowed however few there are."""
    failed_migrations_ratio: Ratio = 0.05
    """Failed update migrations allowed as a share of the attempts, where that is more than the minimum."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the pure core needs to know."""

    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    objectives: Objectives = msgspec.field(default_factory=Objectives)
    anomalies: Number = 100
    """Named anomalies kept; the rest is counted."""
    reports: Number = 20
    """Past sessions kept."""
    maintenance_window: Schedule = ""
    """When upgrades may start, as the cron expression of each window's start, in numbers and UTC; empty: any time."""
    maintenance_window_length: Seconds = 14_400.0
    """Seconds from each of these starts in which an upgrade may start."""


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster, and as whom."""

    kubeconfig: str = ""
    """File with credentials; left empty: those of the pod we run in, else $KUBECONFIG, else ~/.kube/config."""
    context: str = ""
    """Context of the kubeconfig; left empty: its current one."""
    namespace: str = ""
    """Where KubeVirt is installed; left empty: the namespace of the KubeVirt resource."""


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """How lists and watches behave; the defaults suit clusters of any size."""

    request_deadline: Deadline = 30.0
    """Seconds one request may take, a page of a list included. API servers give up after 60."""
    watch_silence: Deadline = 150.0
    """Seconds without a byte after which a watch counts as dead; bookmarks come about once a minute."""
    watch_lifetime: Deadline = 300.0
    """Seconds after which we ask the server to end a watch: up to twice as long, so that not all end at once."""
    watch_trial: Deadline = 1.0
    """Seconds a resumed watch must hold, if no event comes, before its resource counts as in sync again."""
    backoff_base: Deadline = 0.5
    """Seconds the first retry waits at most; each further one up to twice as long."""
    backoff_cap: Deadline = 30.0
    """Seconds a retry waits at most, unless the server asks for more."""
    refused_retry: Deadline = 60.0
    """Seconds at most between attempts to read what is forbidden or absent; sooner at first."""
    longest_line: Number = 16 * 1024 * 1024
    """Bytes of a watch event, at most; a longer one is refused and the resource listed again. etcd takes 1.5 MB."""


class Probing(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of KubeVirt's API to see whether its clients can work."""

    namespace: str = ""
    """Where we may create objects as dry runs, which leave nothing; left empty: no probes and manifests that create."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """How sessions are kept in the cluster, as UpgradeReports."""

    interval: Deadline = 10.0
    """A session under way is written this often, and at once when something goes wrong or moves on."""
    lease_duration: Annotated[float, msgspec.Meta(ge=1, title="SECONDS")] = 15.0
    """A replica takes over from the one that writes when that one was silent for so long."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics, reports and the status page are served."""

    listen: Address = ":10388"
    """Address and port; without an address all of them, IPv4 and IPv6. Port 0 takes a free one."""
    tls_certificate: str = ""
    """File with the certificate and its chain, PEM; empty: plain HTTP. A replaced file is used without a restart."""
    tls_key: str = ""
    """File with the key of the certificate, PEM, not encrypted."""
    auth: Literal["none", "kubernetes"] = "none"
    """Who may read: whoever reaches the port, or who has a token of the cluster and the right to get the path."""


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """What is written to standard error."""

    format: Literal["text", "json"] = "text"
    """One line an event: key=value for people, JSON for log stores."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe events that are written; info names every transition of a session."""
