"""The rules as files: up to date, valid, within the house's rules, and about series that the exporter publishes."""

import re
from typing import Any

import pytest
import yaml

from alerts.src import alerts, files, slos
from exporter.model.families import Kind
from exporter.report import slos as judged
from tests.alerts import expressions
from tests.alerts.conftest import Program
from tests.conftest import REPOSITORY

TEXTS = files.texts()
RULES = [REPOSITORY / name for name in (files.UPGRADE, files.OBJECTIVES)]
GROUPS: list[dict[str, Any]] = yaml.safe_load(TEXTS[files.PROMETHEUS_RULE])["spec"]["groups"]
ALL = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in ALL if "alert" in rule]
RECORDS = {rule["record"] for rule in ALL if "record" in rule}


def ids(rule: dict[str, Any]) -> str:
    labels = rule.get("labels", {})
    return str(rule.get("alert") or "-".join([rule["record"], *(labels[n] for n in ("slo", "moving") if n in labels)]))


@pytest.mark.parametrize("name", TEXTS)
def test_generated_files_are_up_to_date(name: str) -> None:
    assert (REPOSITORY / name).read_text() == TEXTS[name], "run `make generate`"


def test_they_are_generated_alike_each_time() -> None:
    assert files.texts() == TEXTS


def test_the_prometheus_rule_holds_what_the_plain_files_hold() -> None:
    plain = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    assert plain == GROUPS


def test_promtool_finds_nothing(promtool: Program) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


# --- objectives ---


def test_the_objectives_are_those_that_the_exporter_judges_sessions_by() -> None:
    assert tuple(slo.slo for slo in slos.read().slos) == judged.NAMES


def test_burn_rates_follow_from_period_window_and_share() -> None:
    rates = [window.burn_rate(28) for window in slos.read().windows]
    assert rates == [13.44, 5.6, 2.8, 0.933]


# --- records ---


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_records_are_named_level_metric_operations(name: str) -> None:
    assert re.fullmatch(r"[a-z_]+:[a-z][a-z_]*:[a-z][a-z0-9_]*", name)


# --- expressions ---


@pytest.mark.parametrize("rule", ALL, ids=ids)
def test_every_series_exists_with_its_labels_and_states(rule: dict[str, Any]) -> None:
    for series in expressions.asked(rule["expr"]):
        if series.name in RECORDS:
            assert set(series.matchers) <= {"slo"}
            continue
        assert series.name in expressions.families(), series.name
        family = expressions.families()[series.name]
        assert set(series.matchers) <= set(family.labels), series
        if family.kind is Kind.STATESET and family.labels[-1] in series.matchers:
            assert set(series.matchers[family.labels[-1]].split("|")) <= set(family.states), series


QUERIES = {
    f"{rule['alert']}-{number}": query.replace("%q", '"x"')
    for rule in ALERTS
    for number, query in enumerate(re.findall("printf `(.*?)`", " ".join(rule["annotations"].values())))
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_what_an_annotation_asks_for_exists_too_and_is_of_the_alert_s_cluster(query: str) -> None:
    [series] = expressions.asked(query)
    assert set(series.matchers) - {"cluster"} <= set(expressions.families()[series.name].labels)
    assert series.matchers["cluster"] == "x"
    assert series.merged


@pytest.mark.parametrize("rule", ALL, ids=ids)
def test_replicas_are_merged_by_the_worse_and_never_added(rule: dict[str, Any]) -> None:
    for series in expressions.asked(rule["expr"]):
        if series.name not in RECORDS:  # these are merged
            assert series.merged, series
            assert not series.added, series


@pytest.mark.parametrize("rule", ALL, ids=ids)
def test_a_cluster_label_passes_through(rule: dict[str, Any]) -> None:
    assert [labels for labels in expressions.joins(rule["expr"]) if "cluster" not in labels] == []


@pytest.mark.parametrize(
    ("expression", "merged", "added"),
    [
        ("max without (pod, instance) (x)", True, False),
        ("sum without (a) (max without (pod, instance, b) (increase(x[5m])))", True, False),
        ("max without (pod) (x)", False, False),
        ("sum without (pod, instance) (x)", False, True),
        ("max without (pod, instance) (sum without (a) (x))", True, True),
        ("max by (a) (x)", False, False),
        ("x", False, False),
    ],
)
def test_a_wrong_aggregation_is_found(expression: str, *, merged: bool, added: bool) -> None:
    [series] = expressions.asked(expression)
    assert (series.merged, series.added) == (merged, added)


def test_a_join_that_mixes_clusters_is_found() -> None:
    assert set(expressions.joins("x and on (a) sum(y) / on (cluster) z")) == {("a",), (), ("cluster",)}


# --- alerts ---


def test_there_are_few_alerts_and_fewer_that_wake_people() -> None:
    assert len(ALERTS) <= 16
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    assert sum(rule["labels"]["severity"] == "critical" for rule in ALERTS) <= 4


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_an_alert_has_the_labels_and_annotations_of_the_house(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"KubeVirtUpgrade([A-Z][a-z]+)+", rule["alert"])
    assert len(rule["alert"]) <= 50
    labels, annotations = rule["labels"], rule["annotations"]
    assert labels["severity"] in ("critical", "warning", "info")
    assert labels["operator_health_impact"] in ("critical", "warning", "none")
    assert labels["kubernetes_operator_part_of"] == "kubevirt"
    assert labels["kubernetes_operator_component"] == "kubevirt-upgrade-exporter"
    assert set(labels) <= {
        "severity", "operator_health_impact", "kubernetes_operator_part_of", "kubernetes_operator_component",
        "openShiftUpdatePrecheck",
    }  # fmt: skip
    assert not any("{{" in value for value in labels.values()), "a label that changes makes another alert"
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"].endswith(f"/alerts/runbooks/{rule['alert']}.md")
    assert annotations["summary"].endswith(".")
    assert len(re.sub("{{.*?}}", "", annotations["summary"])) < 100


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_openshift_is_held_only_where_its_owner_says_so(rule: dict[str, Any]) -> None:
    assert rule["labels"].get("openShiftUpdatePrecheck", "false") == "false"


def test_what_users_lose_by_pages_and_slos_do_not_lower_the_health_of_kubevirt() -> None:
    severities = {alert.name: alert.severity for alert in alerts.alerts(slos.read())}
    critical = {name for name, severity in severities.items() if severity == "critical"}
    assert critical == {
        "KubeVirtUpgradeDuplicateLaunchers",
        "KubeVirtUpgradeGuestInterrupted",
        "KubeVirtUpgradeApiBudgetExhausted",
        "KubeVirtUpgradeObjectLost",
    }
    for alert in alerts.alerts(slos.read()):
        if "budget" in alert.expr:
            assert alert.impact == "none"


def test_the_readme_counts_and_names_them() -> None:
    text = (REPOSITORY / "alerts" / "README.md").read_text()
    critical = {rule["alert"] for rule in ALERTS if rule["labels"]["severity"] == "critical"}
    held = sum("openShiftUpdatePrecheck" in rule["labels"] for rule in ALERTS)
    assert f"{len(ALERTS)} alerts, {len(critical)} of them critical" in text
    assert set(re.findall(r"\*\*(\w+)\*\*", text)) == critical
    assert held == 5
    assert "Five of\nours have that label" in text
    assert set(re.findall(r"`((?:slo|cluster):[\w:]+)", text)) <= RECORDS
