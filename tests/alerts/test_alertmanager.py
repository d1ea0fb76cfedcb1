"""The snippet for Alertmanager: valid, routes by severity, and holds nothing back that pages.

That inhibition works is seen in tests/endurance/paging.py, in a real Alertmanager.
"""

import re
from typing import Any

import pytest
import yaml

from tests.alerts.conftest import Program
from tests.alerts.test_rules import ALERTS, ids
from tests.conftest import REPOSITORY

PATH = REPOSITORY / "alerts" / "alertmanager.yaml"
RULES: list[dict[str, list[str]]] = yaml.safe_load(PATH.read_text())["inhibit_rules"]
RECEIVERS = {"critical": "upgrade-pager", "warning": "upgrade-tickets", "info": "upgrade-information"}


def matched(matchers: list[str], labels: dict[str, str]) -> bool:
    """Whether labels satisfy all of these matchers."""
    found = [re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher) for matcher in matchers]
    return all(_holds(match[2], match[3], labels.get(match[1], "")) for match in found if match is not None)


def _holds(operator: str, value: str, label: str) -> bool:
    return {"=": label == value, "!=": label != value, "=~": re.fullmatch(value, label) is not None}[operator]


def test_it_is_valid(amtool: Program) -> None:
    amtool("check-config", PATH)


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_an_alert_goes_where_its_severity_says(amtool: Program, rule: dict[str, Any]) -> None:
    labels = [f"{name}={value}" for name, value in (rule["labels"] | {"alertname": rule["alert"]}).items()]
    receiver = RECEIVERS[rule["labels"]["severity"]]
    amtool("config", "routes", "test", f"--config.file={PATH}", f"--verify.receivers={receiver}", *labels)


def test_alerts_of_others_go_where_they_went(amtool: Program) -> None:
    labels = ["alertname=VirtAPIDown", "severity=critical", "kubernetes_operator_part_of=kubevirt"]
    amtool("config", "routes", "test", f"--config.file={PATH}", "--verify.receivers=everything-else", *labels)


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_only_the_verdict_is_ever_held_back(rule: dict[str, Any]) -> None:
    labels = rule["labels"] | {"alertname": rule["alert"]}
    held = any(matched(inhibition["target_matchers"], labels) for inhibition in RULES)
    assert held == (rule["alert"] == "KubeVirtUpgradeFailed")


def test_other_clusters_are_left_alone() -> None:
    assert all(inhibition["equal"] == ["cluster"] for inhibition in RULES)


@pytest.mark.parametrize(
    ("moving", "held"),
    [
        ("rollout", {"VirtHandlerDaemonSetRolloutFailing", "OutdatedVirtualMachineInstanceWorkloads", "Mine"}),
        ("guests", {"OutdatedVirtualMachineInstanceWorkloads", "Mine"}),
        ("settling", {"Mine"}),
        ("nothing", set()),
    ],
)
def test_what_expects_quiet_is_held_back_while_that_moves_which_it_is_about(moving: str, held: set[str]) -> None:
    source = {"alertname": "KubeVirtUpgradeInProgress", "moving": moving}
    targets: dict[str, dict[str, str]] = {
        "VirtHandlerDaemonSetRolloutFailing": {},
        "OutdatedVirtualMachineInstanceWorkloads": {},
        "VirtAPIDown": {},
        "Mine": {"inhibited_by": "KubeVirtUpgradeInProgress"},
    }
    assert held == {
        name
        for name, labels in targets.items()
        for inhibition in RULES
        if matched(inhibition["source_matchers"], source)
        if matched(inhibition["target_matchers"], labels | {"alertname": name})
    }
