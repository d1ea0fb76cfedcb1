"""The one table of watched resources: it drives URLs, selectors, decoding, RBAC, metrics and docs.

Nothing here knows how to fetch. `decode` names the decoder in `exporter.kube.decode`.
"""

import enum
from typing import Final

import msgspec


class Scope(enum.Enum):
    """Where the objects are looked for."""

    CLUSTER = "cluster-scoped"
    ALL_NAMESPACES = "all namespaces"
    INSTALL_NAMESPACE = "install namespace"


class ResourceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    name: str
    """Our name, used as label `resource`: `plural.group`, the core group without a dot."""
    group: str = ""
    versions: tuple[str, ...] = ("v1",)
    """In order of preference; the first that the cluster serves is used."""
    plural: str
    decode: str
    scope: Scope = Scope.ALL_NAMESPACES
    label_selector: str = ""
    metadata_only: bool = False
    deciding: bool = False
    """Nothing is judged before it is listed (or known to be absent); blind time of it is unobserved time."""
    retained: bool = False
    """Its objects must survive an upgrade."""
    page: int = 500
    """Objects asked for in one page of a list."""
    why: str
    """For the permissions table."""

    @property
    def recorded_as(self) -> str:
        """The name recordings use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KUBEVIRTS: Final = "kubevirts.kubevirt.io"
VMS: Final = "virtualmachines.kubevirt.io"
VMIS: Final = "virtualmachineinstances.kubevirt.io"
MIGRATIONS: Final = "virtualmachineinstancemigrations.kubevirt.io"
LAUNCHERS: Final = "virt-launcher-pods"
PODS: Final = "pods"
DEPLOYMENTS: Final = "deployments.apps"
DAEMONSETS: Final = "daemonsets.apps"
LEASES: Final = "leases.coordination.k8s.io"
JOBS: Final = "jobs.batch"
CRDS: Final = "customresourcedefinitions.apiextensions.k8s.io"
API_SERVICES: Final = "apiservices.apiregistration.k8s.io"
VALIDATING_WEBHOOKS: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"
MUTATING_WEBHOOKS: Final = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
NODES: Final = "nodes"
BUDGETS: Final = "poddisruptionbudgets.policy"


def _retained(plural: str, group: str, *versions: str) -> ResourceSpec:
    return ResourceSpec(
        name=f"{plural}.{group}",
        group=group,
        versions=versions,
        plural=plural,
        decode="metadata",
        metadata_only=True,
        retained=True,
        why="is it still there after the upgrade",
    )


RESOURCES: Final[tuple[ResourceSpec, ...]] = (
    ResourceSpec(
        name=KUBEVIRTS, group="kubevirt.io", plural="kubevirts", decode="kubevirt", deciding=True,
        why="target and observed version, conditions, update methods",
    ),
    ResourceSpec(
        name=DEPLOYMENTS, group="apps", plural="deployments", decode="deployment", scope=Scope.INSTALL_NAMESPACE,
        deciding=True, why="rollout of the control plane, launcher image",
    ),
    ResourceSpec(
        name=DAEMONSETS, group="apps", plural="daemonsets", decode="daemonset", scope=Scope.INSTALL_NAMESPACE,
        deciding=True, why="rollout of virt-handler",
    ),
    ResourceSpec(
        name=PODS, plural="pods", decode="pod", scope=Scope.INSTALL_NAMESPACE,
        label_selector="kubevirt.io,kubevirt.io!=virt-launcher", deciding=True,
        why="version and readiness of each component's pods",
    ),
    ResourceSpec(
        name=LEASES, group="coordination.k8s.io", plural="leases", decode="lease", scope=Scope.INSTALL_NAMESPACE,
        deciding=True, why="who leads, and for how long nobody did",
    ),
    ResourceSpec(
        name=VMS, group="kubevirt.io", plural="virtualmachines", decode="vm", deciding=True, retained=True,
        why="should the guest run, did somebody ask it to stop, is it still there",
    ),
    ResourceSpec(
        name=VMIS, group="kubevirt.io", plural="virtualmachineinstances", decode="vmi", deciding=True,
        why="did guests keep running, which launcher do they run",
    ),
    ResourceSpec(
        name=MIGRATIONS, group="kubevirt.io", plural="virtualmachineinstancemigrations", decode="migration",
        deciding=True, why="did live migrations succeed",
    ),
    ResourceSpec(
        name=LAUNCHERS, plural="pods", decode="pod", label_selector="kubevirt.io=virt-launcher", deciding=True,
        why="duplicate launchers, why a guest died",
    ),
    ResourceSpec(
        name=JOBS, group="batch", plural="jobs", decode="job", scope=Scope.INSTALL_NAMESPACE,
        why="failed install-strategy jobs",
    ),
    ResourceSpec(
        name=NODES, plural="nodes", decode="node", scope=Scope.CLUSTER,
        why="virt-handler heartbeats; nodes that were drained or lost, to explain interruptions",
    ),
    ResourceSpec(
        name=CRDS, group="apiextensions.k8s.io", plural="customresourcedefinitions", decode="crd",
        scope=Scope.CLUSTER, retained=True, page=20, why="served and stored versions, deleted definitions",
    ),
    ResourceSpec(
        name=API_SERVICES, group="apiregistration.k8s.io", plural="apiservices", decode="apiservice",
        scope=Scope.CLUSTER, why="are KubeVirt's aggregated APIs available",
    ),
    ResourceSpec(
        name=VALIDATING_WEBHOOKS, group="admissionregistration.k8s.io", plural="validatingwebhookconfigurations",
        decode="webhooks", scope=Scope.CLUSTER, page=50, why="temporary webhooks left behind",
    ),
    ResourceSpec(
        name=MUTATING_WEBHOOKS, group="admissionregistration.k8s.io", plural="mutatingwebhookconfigurations",
        decode="webhooks", scope=Scope.CLUSTER, page=50, why="temporary webhooks left behind",
    ),
    ResourceSpec(
        name=BUDGETS, group="policy", versions=("v1", "v1beta1"), plural="poddisruptionbudgets", decode="budget",
        scope=Scope.INSTALL_NAMESPACE, why="before an upgrade: may a pod of the control plane go",
    ),
    _retained("virtualmachineinstancereplicasets", "kubevirt.io", "v1"),
    _retained("virtualmachinesnapshots", "snapshot.kubevirt.io", "v1beta1", "v1alpha1"),
    _retained("virtualmachinesnapshotcontents", "snapshot.kubevirt.io", "v1beta1", "v1alpha1"),
    _retained("virtualmachinerestores", "snapshot.kubevirt.io", "v1beta1", "v1alpha1"),
    _retained("virtualmachineexports", "export.kubevirt.io", "v1", "v1beta1", "v1alpha1"),
    _retained("virtualmachineclones", "clone.kubevirt.io", "v1beta1", "v1alpha1"),
    _retained("virtualmachinepools", "pool.kubevirt.io", "v1beta1", "v1alpha1"),
    _retained("virtualmachineinstancetypes", "instancetype.kubevirt.io", "v1beta1", "v1alpha2"),
    _retained("virtualmachineclusterinstancetypes", "instancetype.kubevirt.io", "v1beta1", "v1alpha2"),
    _retained("virtualmachinepreferences", "instancetype.kubevirt.io", "v1beta1", "v1alpha2"),
    _retained("virtualmachineclusterpreferences", "instancetype.kubevirt.io", "v1beta1", "v1alpha2"),
    _retained("migrationpolicies", "migrations.kubevirt.io", "v1alpha1"),
)  # fmt: skip

BY_NAME: Final[dict[str, ResourceSpec]] = {spec.name: spec for spec in RESOURCES}
DECIDING: Final[frozenset[str]] = frozenset(spec.name for spec in RESOURCES if spec.deciding)
RETAINED: Final[tuple[str, ...]] = tuple(spec.name for spec in RESOURCES if spec.retained)
