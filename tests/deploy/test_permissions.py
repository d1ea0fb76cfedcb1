"""RBAC: what is asked for, who gets it, and that it is the least. That it is enough is tested on a real API server."""

import pytest

from deploy.src import docs, permissions
from deploy.src.permissions import Role
from exporter.journal import election
from exporter.model import resources
from tests.deploy.rendering import CASES, of_kind, rendered, values

READING = {"get", "list", "watch"}


@pytest.mark.parametrize("spec", resources.RESOURCES, ids=lambda spec: spec.name)
def test_every_watched_resource_may_be_listed_and_watched(spec: resources.ResourceSpec) -> None:
    roles = [Role.CLUSTER]
    if spec.scope is resources.Scope.INSTALL_NAMESPACE:
        roles.append(Role.KUBEVIRT)
    granted = {
        verb
        for role in roles
        for rule in permissions.rules(role)
        if spec.group in rule.api_groups and spec.plural in rule.resources and not rule.resource_names
        for verb in rule.verbs
    }
    assert granted >= {"list", "watch"}


def test_in_the_whole_cluster_it_only_reads() -> None:
    assert {verb for rule in permissions.rules(Role.CLUSTER) for verb in rule.verbs} <= READING


def test_callers_cost_nothing_but_questions() -> None:
    assert {resource for rule in permissions.rules(Role.CALLERS) for resource in rule.resources} == {
        "tokenreviews",
        "subjectaccessreviews",
    }


@pytest.mark.parametrize("role", Role)
def test_no_wildcards_and_nothing_that_holds_secrets(role: Role) -> None:
    rules = permissions.rules(role)
    assert rules
    for rule in rules:
        assert "*" not in {*rule.api_groups, *rule.resources, *rule.verbs}
        assert not {"secrets", "configmaps"} & set(rule.resources)


def test_foreign_leases_cannot_be_taken() -> None:
    """Whoever may update virt-controller's Lease may lead in its place."""
    writing = [
        rule
        for rule in permissions.rules(Role.KUBEVIRT)
        if "leases" in rule.resources and {"update", "patch", "delete"} & set(rule.verbs)
    ]
    assert [rule.resource_names for rule in writing] == [(election.NAME,)]


def test_what_is_granted_everywhere_is_not_granted_again() -> None:
    everywhere = {
        (group, name)
        for rule in permissions.rules(Role.CLUSTER)
        for group in rule.api_groups
        for name in rule.resources
    }
    again = {
        (group, name)
        for rule in permissions.rules(Role.KUBEVIRT)
        for group in rule.api_groups
        for name in rule.resources
    }
    assert not everywhere & again


@pytest.mark.parametrize("case", [case for case in CASES if case != "minimal"])
def test_the_chart_grants_exactly_the_table(case: str) -> None:
    given = values(case)
    granted = {
        (role["kind"], role["metadata"]["name"].removeprefix("kubevirt-upgrade-exporter")): role["rules"]
        for role in of_kind(case, "Role", "ClusterRole")
    }
    cluster = _plain(Role.CLUSTER)
    if given.get("auth") == "kubernetes":
        cluster += _plain(Role.CALLERS)
    if given.get("probes", {}).get("clusterScoped"):
        cluster += _plain(Role.PROBES_CLUSTER)
    assert granted["ClusterRole", ""] == cluster
    assert granted["Role", ""] == _plain(Role.KUBEVIRT)
    if ("Role", "-probes") in granted:
        assert granted["Role", "-probes"] == _plain(Role.PROBES)


def _plain(role: Role) -> list[dict[str, list[str]]]:
    names = {
        "apiGroups": "api_groups",
        "resources": "resources",
        "resourceNames": "resource_names",
        "nonResourceURLs": "non_resource_urls",
        "verbs": "verbs",
    }
    return [
        {key: list(given) for key, field in names.items() if (given := getattr(rule, field))}
        for rule in permissions.rules(role)
    ]


def test_without_rbac_create_no_role_is_made() -> None:
    assert not {m["kind"] for m in rendered("minimal")} & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}


def test_the_page_tells_each_permission_and_why() -> None:
    page = docs.permissions_page()
    for permission in permissions.table():
        assert permission.why in page
        assert all(f"`{what}`" in page for what in (permission.urls or (permission.resource,)))
