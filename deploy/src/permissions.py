"""What the exporter may do in a cluster, and why: one table, from which RBAC rules and docs/permissions.md are made.

What is watched comes from `exporter.model.resources`, what is created as a dry run from `exporter.probes.writing`; the
rest is listed here, each with the part of the program that
needs it. A test on a real API server shows that the daemon needs all of it and nothing more.
"""

import enum
from collections.abc import Iterable
from typing import Final

import msgspec

from exporter.journal import election, objects
from exporter.model import resources
from exporter.probes import writing


class Role(enum.Enum):
    """Where permissions are granted, and on what condition. The value is the name of the template with its rules."""

    CLUSTER = "cluster"
    """ClusterRole, always."""
    KUBEVIRT = "kubevirt"
    """Role in KubeVirt's namespace, always."""
    PROBES = "probes"
    """Role in one namespace of the operator's choice, if there is one."""
    PROBES_CLUSTER = "probes-cluster"
    """ClusterRole, if the operator asks for it."""
    CALLERS = "callers"
    """ClusterRole with `auth: kubernetes`."""


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table; either `resource` or `urls` is given."""

    role: Role
    group: str = ""
    resource: str = ""
    """Plural, with a subresource after a slash."""
    urls: tuple[str, ...] = ()
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Only these objects; not for `create`, which RBAC grants before there is a name."""
    why: str


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A PolicyRule of RBAC."""

    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    verbs: tuple[str, ...]


WATCH: Final = ("list", "watch")

_BESIDE_WATCHING: Final = (
    Permission(
        role=Role.CLUSTER, urls=("/readyz",), verbs=("get",),
        why="the control probe: is the API server itself there",
    ),
    Permission(
        role=Role.CLUSTER, urls=("/apis/*",), verbs=("get",),
        why="which versions of API groups are served, and whether their documents can be had",
    ),
    Permission(
        role=Role.CLUSTER, urls=("/version",), verbs=("get",),
        why="preflight: was the next KubeVirt validated on this Kubernetes",
    ),
    Permission(
        role=Role.CLUSTER, group="subresources.kubevirt.io", resource="version", verbs=("list",),
        why="a probe of KubeVirt's own API; to the API server, reading it is a list",
    ),
    Permission(
        role=Role.CLUSTER, group="subresources.kubevirt.io", resource="healthz", verbs=("list",),
        why="a probe of KubeVirt's own API; to the API server, reading it is a list",
    ),
    Permission(
        role=Role.KUBEVIRT, group=objects.GROUP, resource=objects.PLURAL,
        verbs=("create", "delete", "get", "list"), why="the reports; the oldest are deleted",
    ),
    Permission(
        role=Role.KUBEVIRT, group=objects.GROUP, resource=f"{objects.PLURAL}/status", verbs=("patch",),
        why="the reports",
    ),
    Permission(
        role=Role.KUBEVIRT, group="coordination.k8s.io", resource="leases", verbs=("create",),
        why="our own Lease: which replica writes the reports",
    ),
    Permission(
        role=Role.KUBEVIRT, group="coordination.k8s.io", resource="leases",
        verbs=("get", "update"), names=(election.NAME,), why="our own Lease, and no other",
    ),
    *(
        Permission(
            role=Role.PROBES if place.namespaced else Role.PROBES_CLUSTER,
            group=group, resource=place.plural, verbs=("create",),
            why="dry-run creations at each served version, of what clients of earlier releases wrote",
        )
        for (group, _), place in writing.PLACES.items()
    ),
    Permission(
        role=Role.CALLERS, group="authentication.k8s.io", resource="tokenreviews", verbs=("create",),
        why="who is it that reads metrics",
    ),
    Permission(
        role=Role.CALLERS, group="authorization.k8s.io", resource="subjectaccessreviews", verbs=("create",),
        why="may they",
    ),
)  # fmt: skip


def table() -> tuple[Permission, ...]:
    """All permissions: first what is watched, in the order of the table of resources, then the rest."""
    everywhere = {
        (spec.group, spec.plural) for spec in resources.RESOURCES if spec.scope is not resources.Scope.INSTALL_NAMESPACE
    }
    watched = [
        Permission(
            role=Role.CLUSTER if (spec.group, spec.plural) in everywhere else Role.KUBEVIRT,
            group=spec.group,
            resource=spec.plural,
            verbs=WATCH,
            why=spec.why,
        )
        for spec in resources.RESOURCES
    ]
    return (*watched, *_BESIDE_WATCHING)


def rules(role: Role) -> tuple[Rule, ...]:
    """The rules of one role, as few as can be without granting more than the table."""
    verbs: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    urls: dict[tuple[str, ...], list[str]] = {}
    for permission in table():
        if permission.role is not role:
            continue
        if permission.urls:
            urls.setdefault(permission.verbs, []).extend(permission.urls)
        else:
            key = (permission.group, permission.resource, permission.names)
            verbs.setdefault(key, set()).update(permission.verbs)
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, resource, names), wanted in verbs.items():
        alike.setdefault((group, names, _sorted(wanted)), []).append(resource)
    return (
        *(
            Rule(api_groups=(group,), resources=_sorted(plurals), resource_names=names, verbs=wanted)
            for (group, names, wanted), plurals in alike.items()
        ),
        *(Rule(non_resource_urls=_sorted(paths), verbs=wanted) for wanted, paths in urls.items()),
    )


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(texts))
