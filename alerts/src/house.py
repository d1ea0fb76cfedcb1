"""What all our alerts have in common: the labels and annotations that KubeVirt's own alerts have."""

from typing import Any, Final

from alerts.src.alerts import Alert

RUNBOOKS: Final = "https://github.com/kubevirt-upgrade-exporter/kubevirt-upgrade-exporter/blob/main/alerts/runbooks"
OPENSHIFT: Final = "openShiftUpdatePrecheck"
"""OpenShift holds its updates back while an alert with this label at `true` fires. It is for the cluster's owner to say
so; what we ship is `false`."""


def rule(alert: Alert) -> dict[str, Any]:
    """The alert as a rule, but for the layout of its expression."""
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": alert.wait} if alert.wait else {}),
        "labels": {
            "severity": alert.severity,
            "operator_health_impact": alert.impact,
            "kubernetes_operator_part_of": "kubevirt",
            "kubernetes_operator_component": "kubevirt-upgrade-exporter",
            **({OPENSHIFT: "false"} if alert.holds_openshift else {}),
        },
        "annotations": {
            "summary": " ".join(alert.summary.split()),
            "description": " ".join(alert.description.split()),
            "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
        },
    }
