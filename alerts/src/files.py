"""The generated files as text."""

from typing import Any, Final

import yaml

from alerts.src import alerts, house, promql, recording, slos

UPGRADE: Final = "alerts/rules/upgrade.yaml"
OBJECTIVES: Final = "alerts/rules/objectives.yaml"
PROMETHEUS_RULE: Final = "deploy/prometheusrule.yaml"

_NOTICE: Final = "# Written by `make generate` from alerts/slos.yaml and alerts/src; do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are; keys in our order."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def texts() -> dict[str, str]:
    """The files by their paths in the repository."""
    objectives = slos.read()
    upgrade = [
        _group(
            "kubevirt-upgrade",
            [*recording.session(objectives), *(house.rule(alert) for alert in alerts.alerts(objectives))],
        )
    ]
    period = [
        _group("kubevirt-upgrade-objectives", list(recording.period(objectives)), interval="1m"),
        _group("kubevirt-upgrade-period", list(recording.whole_period(objectives)), interval="5m"),
    ]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "kubevirt-upgrade-exporter",
            "labels": {"app.kubernetes.io/name": "kubevirt-upgrade-exporter"},
        },
        "spec": {"groups": [*upgrade, *period]},
    }
    documents: dict[str, dict[str, Any]] = {
        UPGRADE: {"groups": upgrade},
        OBJECTIVES: {"groups": period},
        PROMETHEUS_RULE: resource,
    }
    return {path: _NOTICE + _dump(document) for path, document in documents.items()}


def _group(name: str, rules: list[dict[str, Any]], *, interval: str = "") -> dict[str, Any]:
    tidied = [rule | {"expr": promql.tidy(rule["expr"])} for rule in rules]
    return {"name": name, **({"interval": interval} if interval else {}), "rules": tidied}


def _dump(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
