"""The discovery documents: which groups, versions and resources are served at the moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from exporter.sim import catalogue
from exporter.sim.api import aggregated
from exporter.sim.catalogue import Resource
from exporter.sim.refusals import JSON

_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]


def core_versions() -> JSON:
    """`/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}],
    }


def groups(resources: Iterable[Resource]) -> JSON:
    """`/apis`."""
    found = _versions_by_group(resources)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, found[name]) for name in found]}


def group(resources: Iterable[Resource], name: str) -> JSON | None:
    """`/apis/<group>`, or None for a group that does not exist."""
    versions = _versions_by_group(resources).get(name)
    return None if versions is None else {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resources_of(resources: Iterable[Resource], name: str, version: str) -> JSON | None:
    """`/api/v1` and `/apis/<group>/<version>`, or None for one that does not exist."""
    served = [resource for resource in resources if resource.group == name and version in resource.versions]
    if not served:
        return None
    listed: list[JSON] = []
    for resource in sorted(served, key=lambda one: one.plural):
        listed.append(_listed(resource))
        if resource.status_subresource:
            listed.append({
                "name": f"{resource.plural}/status", "singularName": "", "namespaced": resource.namespaced,
                "kind": resource.kind, "verbs": ["get", "patch", "update"],
            })  # fmt: skip
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _listed(resource: Resource) -> JSON:
    body: JSON = {
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
        "kind": resource.kind, "verbs": _VERBS,
    }  # fmt: skip
    if resource.short_names:
        body["shortNames"] = list(resource.short_names)
    return body


def _versions_by_group(resources: Iterable[Resource]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for resource in resources:
        if resource.group:
            found[resource.group] += [version for version in resource.versions if version not in found[resource.group]]
    if any(resource.group == "kubevirt.io" for resource in resources):
        found[aggregated.GROUP] = list(aggregated.VERSIONS)
    return {name: catalogue.by_priority(versions) for name, versions in sorted(found.items())}


def _group(name: str, versions: list[str]) -> JSON:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}
