"""What each scenario of the simulator has to raise, and what an alert is about: one table for all tests of paging."""

from collections.abc import Mapping
from typing import NamedTuple, Self

_ABOUT = ("component", "node", "resource", "crd", "slo", "reason")


class Alerted(NamedTuple):
    """An alert that fired."""

    name: str
    severity: str
    about: str = ""
    """The component, node, resource, CRD or objective that it names."""

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Self:
        """The alert with these labels."""
        about = next((labels[label] for label in _ABOUT if label in labels), "")
        return cls(labels["alertname"], labels["severity"], about)


IN_PROGRESS = Alerted("KubeVirtUpgradeInProgress", "info")
FAILED = Alerted("KubeVirtUpgradeFailed", "warning")
_INTERRUPTED = Alerted("KubeVirtUpgradeGuestInterrupted", "critical")
_UNSUPPORTED = Alerted("KubeVirtUpgradeUnsupportedJump", "warning")
_STALLED = Alerted("KubeVirtUpgradeRolloutStalled", "warning", "virt-handler")
_LATE = Alerted("KubeVirtUpgradeErrorBudgetBurn", "warning", "rollout")

SCENARIOS = {
    "clean": set[Alerted](),
    "clean-two-step": set(),
    "cluster-api-outage": set(),
    "definition-deleted": {
        Alerted("KubeVirtUpgradeObjectLost", "critical", "customresourcedefinitions.apiextensions.k8s.io"),
        FAILED,
    },
    "duplicate-launcher": {Alerted("KubeVirtUpgradeDuplicateLaunchers", "critical"), FAILED},
    "failing-migrations": {Alerted("KubeVirtUpgradeMigrationsFailing", "warning")},
    "guest-evicted": {_INTERRUPTED, FAILED},
    "guest-oom": {_INTERRUPTED, FAILED},
    "guest-restarted": set(),
    "image-tag": set(),
    "kubevirt-api-outage": {Alerted("KubeVirtUpgradeApiBudgetExhausted", "critical", "api_availability"), FAILED},
    "no-leader": {Alerted("KubeVirtUpgradeLeaderGap", "warning", "virt-controller"), FAILED},
    "node-lost": {_INTERRUPTED, FAILED},
    "rollback": {_UNSUPPORTED},
    "skipped-minor": {_UNSUPPORTED},
    "storage-blocked": {
        Alerted("KubeVirtUpgradeStorageVersionBlocks", "warning", "virtualmachineexports.export.kubevirt.io"),
    },
    "stranded": set(),
    "stuck-handler": {_STALLED, _LATE},
    "stuck-image-pull": {_STALLED, _LATE, Alerted("KubeVirtUpgradeHandlerHeartbeatOld", "warning", "worker-2")},
    "update-eviction": set(),
}
"""What is more than information: KubeVirtUpgradeInProgress comes with every one of them."""


def raised(scenario: str) -> set[Alerted]:
    """All that a scenario raises."""
    return SCENARIOS[scenario] | {IN_PROGRESS}


def notified(scenario: str) -> set[Alerted]:
    """What of that reaches anybody: the verdict is held back where its cause has paged."""
    alerts = raised(scenario)
    return alerts - {FAILED} if any(alert.severity == "critical" for alert in alerts) else alerts
