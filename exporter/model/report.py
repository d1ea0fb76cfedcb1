"""The report: one document about one session, the same wherever it is shown (design §8).

Times are Unix seconds here and RFC 3339 UTC once encoded; what was not observed is None, never 0.
"""

import enum

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Field names are camelCase once encoded."""


class SessionKind(enum.StrEnum):
    """What a session is."""

    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    RECONFIGURE = "reconfigure"


class Phase(enum.StrEnum):
    """Where a session is; `idle` stands between sessions and never in a report."""

    PREPARING = "preparing"
    CONTROL_PLANE = "control_plane"
    WORKLOADS = "workloads"
    SETTLING = "settling"
    COMPLETED = "completed"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"
    CLOSED = "closed"
    """By a person."""
    IDLE = "idle"

    @property
    def over(self) -> bool:
        """The session has ended."""
        return self in (Phase.COMPLETED, Phase.SUPERSEDED, Phase.DROPPED, Phase.CLOSED)


class Verdict(enum.StrEnum):
    """How it went."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Severity(enum.StrEnum):
    """Of a finding."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class SloState(enum.StrEnum):
    """Of one SLO in a session."""

    MET = "met"
    AT_RISK = "at_risk"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"


class Finding(_Part, frozen=True, kw_only=True, rename="camel"):
    """Something a person should read."""

    check: str
    severity: Severity
    summary: str


class ComponentReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """One component's rollout."""

    name: str
    from_version: str | None
    to_version: str | None
    started_at: float | None
    completed_at: float | None
    desired: int | None
    updated: int | None
    ready: int | None
    restarts: int


class Interrupted(_Part, frozen=True, kw_only=True, rename="camel"):
    """Guests that lost their running instance without anybody asking."""

    total: int
    by_reason: dict[str, int]


class Anomaly(_Part, frozen=True, kw_only=True, rename="camel"):
    """A guest to look at."""

    namespace: str
    name: str
    kind: str
    at: float


class ContinuityReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """What happened to the guests."""

    baseline: int | None
    migrated: int
    interrupted: Interrupted
    interruption_seconds: float
    asked: int
    duplicate_launchers: int
    unattributed: int
    unobserved_seconds: float
    anomalies: tuple[Anomaly, ...]
    anomalies_dropped: int


class MigrationsReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """Live migrations in the session; outdated and stranded as of now."""

    succeeded: int
    failed: int
    in_flight: int | None
    outdated: int | None
    stranded: int | None


class LeaderReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """One lease's hand-overs."""

    component: str
    transitions: int
    leaderless_seconds: float
    longest_gap_seconds: float


class ProbeReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """One probe over one kind of connection."""

    probe: str
    connection: str
    measured_seconds: float
    disruption_seconds: float
    cluster_seconds: float
    client_seconds: float
    failures: dict[str, int]


class ApiReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """The API as clients saw it, and what its versions bar."""

    probes_configured: tuple[str, ...] = ()
    probes: tuple[ProbeReport, ...] = ()
    versions_lost: tuple[str, ...] = ()
    storage_blocked: tuple[str, ...] = ()


class RetentionReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """Objects of one resource; None where it was not observed."""

    before: int | None
    after: int | None
    created: int
    deleted: int
    lost: int
    recreated: int
    spec_changed: int


class Retention(_Part, frozen=True, kw_only=True, rename="camel"):
    """Objects by resource."""

    objects: dict[str, RetentionReport]


class SloReport(_Part, frozen=True, kw_only=True, rename="camel"):
    """One SLO: the share of its budget that is gone (1 and more: exhausted), None where it cannot be told."""

    slo: str
    objective: str
    consumed_ratio: float | None
    state: SloState


class Report(_Part, frozen=True, kw_only=True, rename="camel"):
    """The document."""

    from_version: str | None
    to_version: str | None
    kind: SessionKind
    deployment_id: str | None
    cluster_uid: str | None = msgspec.field(name="clusterUID")
    exporter_version: str
    phase: Phase
    progress: float
    stalled: tuple[str, ...]
    started_at: float
    reported_complete_at: float | None
    observed_complete_at: float | None
    workloads_complete_at: float | None
    ended_at: float | None
    observed_until: float
    verdict: Verdict | None
    verdict_so_far: Verdict | None
    findings: tuple[Finding, ...]
    components: tuple[ComponentReport, ...]
    continuity: ContinuityReport
    migrations: MigrationsReport
    leadership: tuple[LeaderReport, ...]
    api: ApiReport
    retention: Retention
    slos: tuple[SloReport, ...]
