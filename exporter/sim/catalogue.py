"""Which resources the simulated API server serves: the built-in ones we need, and one per CustomResourceDefinition.

A resource is known by its key, `plural.group` (the core group: `plural`), as in recordings. Nothing here holds objects.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from exporter.sim.refusals import JSON

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


class Generation(enum.Enum):
    """What makes `metadata.generation` grow."""

    NONE = "none"  # the resource has no generation
    SPEC = "spec"  # a change of anything but metadata and status
    CONTENT = "content"  # a change of anything but metadata: custom resources without a status subresource


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource. `versions`: the served ones, preferred first; `storage`: what objects are kept in.

    `warnings`: pairs of a deprecated version and what its clients are told.
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool
    storage: str
    generation: Generation = Generation.NONE
    status_subresource: bool = False
    custom: bool = False
    short_names: tuple[str, ...] = field(default=())
    warnings: tuple[tuple[str, str], ...] = field(default=())

    @property
    def key(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def unconditional_update(self) -> bool:
        """Whether an update may come without the version it is made from."""
        return not self.custom and self.plural not in {"leases", "customresourcedefinitions", "apiservices"}

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


def _builtin(
    group: str,
    version: str,
    plural: str,
    kind: str,
    *,
    namespaced: bool = True,
    generation: Generation = Generation.NONE,
) -> Resource:
    return Resource(
        group=group,
        versions=(version,),
        plural=plural,
        kind=kind,
        namespaced=namespaced,
        storage=version,
        generation=generation,
        status_subresource=plural not in _WITHOUT_STATUS,
    )


_WITHOUT_STATUS = {
    "leases", "configmaps", "secrets", "events", "serviceaccounts", "endpoints", "endpointslices", "roles",
    "rolebindings", "clusterroles",
    "clusterrolebindings", "validatingwebhookconfigurations", "mutatingwebhookconfigurations",
}  # fmt: skip
_SPEC = Generation.SPEC
_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

BUILTIN: tuple[Resource, ...] = (
    _builtin("", "v1", "namespaces", "Namespace", namespaced=False),
    _builtin("", "v1", "nodes", "Node", namespaced=False),
    _builtin("", "v1", "pods", "Pod", generation=_SPEC),
    _builtin("", "v1", "services", "Service"),
    _builtin("", "v1", "configmaps", "ConfigMap"),
    _builtin("", "v1", "secrets", "Secret"),
    _builtin("", "v1", "events", "Event"),
    _builtin("", "v1", "serviceaccounts", "ServiceAccount"),
    _builtin("", "v1", "endpoints", "Endpoints"),
    _builtin("apps", "v1", "deployments", "Deployment", generation=_SPEC),
    _builtin("apps", "v1", "replicasets", "ReplicaSet", generation=_SPEC),
    _builtin("apps", "v1", "daemonsets", "DaemonSet", generation=_SPEC),
    _builtin("batch", "v1", "jobs", "Job", generation=_SPEC),
    _builtin("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", generation=_SPEC),
    _builtin("coordination.k8s.io", "v1", "leases", "Lease"),
    _builtin("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    _builtin("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False),
    _builtin(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
        namespaced=False, generation=_SPEC,
    ),
    _builtin(
        _ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
        namespaced=False, generation=_SPEC,
    ),
    _builtin(
        _ADMISSION, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
        namespaced=False, generation=_SPEC,
    ),
    _builtin(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    _builtin(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    _builtin(_RBAC, "v1", "roles", "Role"),
    _builtin(_RBAC, "v1", "rolebindings", "RoleBinding"),
)  # fmt: skip


def from_definition(definition: JSON) -> Resource:
    """The resource a CustomResourceDefinition asks for."""
    spec = definition["spec"]
    served = [version["name"] for version in spec["versions"] if version.get("served")]
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    with_status = _has_status(spec)
    return Resource(
        group=spec["group"],
        versions=tuple(sorted(served, key=_priority)),
        plural=spec["names"]["plural"],
        kind=spec["names"]["kind"],
        namespaced=spec["scope"] == "Namespaced",
        storage=storage,
        generation=Generation.SPEC if with_status else Generation.CONTENT,
        status_subresource=with_status,
        custom=True,
        short_names=tuple(spec["names"].get("shortNames") or ()),
        warnings=tuple(
            (version["name"], version.get("deprecationWarning") or _deprecation(version["name"], spec))
            for version in spec["versions"]
            if version.get("deprecated")
        ),
    )


def _deprecation(version: str, spec: JSON) -> str:
    """In the API server's words: with a better version, if there is one that is served and not deprecated itself."""
    group, kind = spec["group"], spec["names"]["kind"]
    good = [other["name"] for other in spec["versions"] if other.get("served") and not other.get("deprecated")]
    better = [name for name in by_priority(good) if _priority(name) < _priority(version)]
    instead = f"; use {group}/{better[0]} {kind}" if better else ""
    return f"{group}/{version} {kind} is deprecated{instead}"


def _has_status(spec: JSON) -> bool:
    return any("status" in (version.get("subresources") or {}) for version in spec["versions"])


def _priority(version: str) -> tuple[int, int, int]:
    """Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1."""
    major, _, rest = version.removeprefix("v").partition("beta" if "beta" in version else "alpha")
    maturity = 1 if "beta" in version else 2 if "alpha" in version else 0
    return (maturity, -int(major or 0), -int(rest or 0))


def by_priority(versions: list[str]) -> list[str]:
    """Sorted as clients should prefer them."""
    return sorted(versions, key=_priority)
