"""Every number and switch a person may set, in frozen groups. Nobody else reads the environment.

Each field says unit, default and why. `exporter.cli` turns flags, environment and the configuration file into these.
"""

import msgspec


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What the words of the product mean, in seconds (design §2, §3)."""

    judgement_delay: float = 30.0
    """An interruption waits this long for what other resources have to say about it."""
    duplicate_launchers_after: float = 60.0
    """Two launchers of one guest are normal for 1-2 s after each migration."""
    unobserved_after: float = 60.0
    """A deciding resource may be out of sync this long before the time counts as unobserved."""
    stalled_after: float = 300.0
    """No progress of the component whose turn it is."""
    operator_only_after: float = 600.0
    """A session begun by virt-operator alone is dropped if nothing else follows this long after its rollout."""
    settling: float = 900.0
    """Watch this long after the last guest was updated."""
    workloads_limit: float = 86_400.0
    """Guests get this long to be updated."""
    clock_difference: float = 2.0
    """Beyond this difference between the API's clock and ours, times learnt are used for leader gaps."""
    heartbeat_failed: float = 300.0
    """KubeVirt fails guests without a launcher on a node whose heartbeat is older (reference §4.5)."""


class Objectives(msgspec.Struct, frozen=True, kw_only=True):
    """What a session may cost (design §6)."""

    api_disruption: float = 10.0
    """Seconds of disruption per probe."""
    rollout_base: float = 900.0
    """Seconds; waves of handler replacements come on top."""
    rollout_wave: float = 120.0
    """Seconds a wave of handlers gets beyond its termination grace."""
    rollout_stall: float = 900.0
    """Seconds without progress that exhaust the rollout objective."""
    leader_gap: float = 30.0
    """Seconds; 16-18 s is normal, since KubeVirt does not release its leases."""
    failed_migrations_minimum: int = 3
    failed_migrations_ratio: float = 0.05
    """Failed update migrations allowed: the greater of the minimum and this share of the attempts."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the pure core needs to know."""

    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    objectives: Objectives = msgspec.field(default_factory=Objectives)
    anomalies: int = 100
    """Named anomalies kept; the rest is counted."""
    reports: int = 20
    """Past sessions kept."""
