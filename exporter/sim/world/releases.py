"""What each KubeVirt release ships, as far as an upgrade shows it: custom resources and their versions, names, ids.

Facts are those of KubeVirt's `components/crds.go` by tag; releases 1.2 to 1.9 are known.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from exporter.sim.refusals import JSON

OLDEST_MINOR, NEWEST_MINOR = 2, 9
_VERSION = re.compile(r"^v1\.(\d+)\.(\d+)$")


def minor(version: str) -> int:
    """3 for `v1.3.0`. Raises `ValueError` for a version that we know nothing about."""
    found = _VERSION.match(version)
    if found is None or not OLDEST_MINOR <= int(found[1]) <= NEWEST_MINOR:
        msg = f"{version!r} is not a KubeVirt version from v1.{OLDEST_MINOR}.0 to v1.{NEWEST_MINOR}.x"
        raise ValueError(msg)
    return int(found[1])


def order(version: str) -> tuple[int, int]:
    """To compare versions by."""
    return minor(version), int(version.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class Release:
    """A KubeVirt version as it is installed: what the deployment id and all images follow from."""

    version: str
    registry: str = "quay.io/kubevirt"

    @property
    def id(self) -> str:
        return hashlib.sha1(f"{self.registry} {self.version}".encode(), usedforsecurity=False).hexdigest()

    def image(self, name: str) -> str:
        return f"{self.registry}/{name}:{self.version}"

    def digest(self, name: str) -> str:
        return f"{self.registry}/{name}@sha256:{hashlib.sha256(self.image(name).encode()).hexdigest()}"

    def template_hash(self, component: str) -> str:
        """The `pod-template-hash` of a ReplicaSet."""
        number = int(hashlib.sha1(f"{component} {self.id}".encode(), usedforsecurity=False).hexdigest(), 16)
        return "".join("bcdf2456789"[number // 11**place % 11] for place in range(10))

    @property
    def stamps(self) -> dict[str, str]:
        """The annotations virt-operator puts on everything it manages."""
        return {
            "kubevirt.io/install-strategy-identifier": self.id,
            "kubevirt.io/install-strategy-registry": self.registry,
            "kubevirt.io/install-strategy-version": self.version,
        }

    @property
    def config(self) -> str:
        """The `*DeploymentConfig` of the KubeVirt status: JSON in a string."""
        opaque = ("CertificateRotateStrategy", "Configuration", "CustomizeComponents", "WorkloadUpdateStrategy")
        return json.dumps(
            {
                "id": self.id,
                "namespace": "kubevirt",
                "registry": self.registry,
                "kubeVirtVersion": self.version,
                "virtOperatorImage": self.image("virt-operator"),
                "additionalProperties": {
                    **{name: f"<v1.KubeVirt{name} Value>" for name in opaque},
                    "ImagePullPolicy": "IfNotPresent",
                    "ImagePullSecrets": "null",
                    "MonitorAccount": "",
                    "MonitorNamespace": "",
                    "ProductComponent": "",
                    "ProductName": "",
                    "ProductVersion": "",
                    "UninstallStrategy": "",
                },
            },
            separators=(",", ":"),
        )


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition that KubeVirt ships. `since` and `until` are minors."""

    plural: str
    group: str
    kind: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    status: bool = True
    steady: bool = False  # its schema does not change from release to release
    late_status: bool = False  # the operator takes its status subresource away, and gives it back at the very end
    since: int = 0

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.group}"


_SNAPSHOT, _INSTANCETYPE = "snapshot.kubevirt.io", "instancetype.kubevirt.io"
KUBEVIRTS = Definition("kubevirts", "kubevirt.io", "KubeVirt", ("kv", "kvs"))
DEFINITIONS: tuple[Definition, ...] = (  # in the order in which the operator writes them
    Definition("virtualmachineinstances", "kubevirt.io", "VirtualMachineInstance", ("vmi", "vmis"), status=False),
    Definition(
        "virtualmachineinstancepresets", "kubevirt.io", "VirtualMachineInstancePreset", ("vmipreset", "vmipresets"),
        status=False,
    ),
    Definition(
        "virtualmachineinstancereplicasets", "kubevirt.io", "VirtualMachineInstanceReplicaSet", ("vmirs", "vmirss")
    ),
    Definition("virtualmachines", "kubevirt.io", "VirtualMachine", ("vm", "vms")),
    Definition(
        "virtualmachineinstancemigrations", "kubevirt.io", "VirtualMachineInstanceMigration", ("vmim", "vmims")
    ),
    Definition(
        "virtualmachinesnapshots", _SNAPSHOT, "VirtualMachineSnapshot", ("vmsnapshot", "vmsnapshots"), late_status=True
    ),
    Definition(
        "virtualmachinesnapshotcontents", _SNAPSHOT, "VirtualMachineSnapshotContent",
        ("vmsnapshotcontent", "vmsnapshotcontents"), late_status=True,
    ),
    Definition(
        "virtualmachinerestores", _SNAPSHOT, "VirtualMachineRestore", ("vmrestore", "vmrestores"), late_status=True
    ),
    Definition(
        "virtualmachineinstancetypes", _INSTANCETYPE, "VirtualMachineInstancetype",
        ("vminstancetype", "vminstancetypes", "vmf", "vmfs"), status=False,
    ),
    Definition(
        "virtualmachineclusterinstancetypes", _INSTANCETYPE, "VirtualMachineClusterInstancetype",
        ("vmclusterinstancetype", "vmclusterinstancetypes", "vmcf", "vmcfs"), namespaced=False, status=False,
    ),
    Definition("virtualmachinepools", "pool.kubevirt.io", "VirtualMachinePool", ("vmpool", "vmpools")),
    Definition("migrationpolicies", "migrations.kubevirt.io", "MigrationPolicy", namespaced=False, steady=True),
    Definition(
        "virtualmachinepreferences", _INSTANCETYPE, "VirtualMachinePreference", ("vmpref", "vmprefs", "vmp", "vmps"),
        status=False,
    ),
    Definition(
        "virtualmachineclusterpreferences", _INSTANCETYPE, "VirtualMachineClusterPreference", ("vmcp", "vmcps"),
        namespaced=False, status=False,
    ),
    Definition(
        "virtualmachineexports", "export.kubevirt.io", "VirtualMachineExport", ("vmexport", "vmexports"),
        late_status=True,
    ),
    Definition(
        "virtualmachineclones", "clone.kubevirt.io", "VirtualMachineClone", ("vmclone", "vmclones"), steady=True
    ),
    Definition("virtualmachinebackups", "backup.kubevirt.io", "VirtualMachineBackup", since=8),
    Definition("virtualmachinebackuptrackers", "backup.kubevirt.io", "VirtualMachineBackupTracker", since=8),
    Definition("plugins", "plugin.kubevirt.io", "Plugin", namespaced=False, since=9),
)  # fmt: skip


def definitions(release: Release) -> list[Definition]:
    """What `release` ships, kubevirts (which comes with the operator's manifest) apart."""
    return [definition for definition in DEFINITIONS if definition.since <= minor(release.version)]


def versions(definition: Definition, release: Release) -> list[JSON]:
    """`spec.versions` of the definition in that release, without schema: name, served, storage, deprecated."""
    at = minor(release.version)
    match definition.plural:
        case "virtualmachineinstancepresets":
            return [_version("v1", deprecated=True), _version("v1alpha3", storage=True, deprecated=True)]
        case "virtualmachinesnapshots" | "virtualmachinesnapshotcontents" | "virtualmachinerestores":
            return _grown("v1alpha1", "v1beta1", grown=at >= 3)
        case "virtualmachineexports" if at >= 9:
            return [_version("v1beta1", deprecated=True), _version("v1", storage=True)]
        case "virtualmachineexports":
            return _grown("v1alpha1", "v1beta1", grown=at >= 3)
        case "virtualmachineclones":
            return _grown("v1alpha1", "v1beta1", grown=at >= 5)
        case "virtualmachinepools":
            return _grown("v1alpha1", "v1beta1", grown=at >= 7)
        case _ if definition.group == _INSTANCETYPE:
            alphas = [_version(name, deprecated=True, served=at <= 5) for name in ("v1alpha1", "v1alpha2")]
            return [*(alphas if at <= 6 else []), _version("v1beta1", storage=True)]
        case "migrationpolicies" | "virtualmachinebackups" | "virtualmachinebackuptrackers" | "plugins":
            return [_version("v1alpha1", storage=True)]
        case _:
            return [_version("v1", storage=True), _version("v1alpha3", deprecated=True)]


def _grown(old: str, new: str, *, grown: bool) -> list[JSON]:
    return [_version(old), _version(new, storage=True)] if grown else [_version(old, storage=True)]


def _version(name: str, *, storage: bool = False, deprecated: bool = False, served: bool = True) -> JSON:
    return {"name": name, "served": served, "storage": storage, **({"deprecated": True} if deprecated else {})}
