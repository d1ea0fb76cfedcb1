"""KubeVirt's releases as data: API versions of its CRDs, and the Kubernetes releases each was validated on.

Releases are minor lines such as `1.4`. What is beyond the tables is not known, and the answer is None, never a guess.

Sources, read 2026-11:
* CRD versions: `pkg/virt-operator/resource/generate/components/crds.go` of kubevirt/kubevirt at tags v1.0.0 ... v1.9.0.
* Kubernetes: the matrix of kubevirt/sig-release for 1.0 ... 1.6, the providers in the tree at the tag for 1.7 ... 1.9.

A version in a CRD's `status.storedVersions` that a release does not define bars the way to that release: the API server
refuses the new definition, and virt-operator writes definitions before anything else.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from exporter.model import versions

LINES: Final = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9")
"""The releases of the tables, oldest first."""


class CrdVersions(NamedTuple):
    """What one release's definition of a CRD says of versions. All empty where the release has no such CRD."""

    served: tuple[str, ...]
    unserved: tuple[str, ...]
    """Defined, so that objects stored in it are still readable, but not offered to clients."""
    storage: str

    @property
    def defined(self) -> frozenset[str]:
        """What may stand in status.storedVersions."""
        return frozenset(self.served + self.unserved)


_NONE: Final = CrdVersions((), (), "")
_CORE: Final = CrdVersions(("v1", "v1alpha3"), (), "v1")
_ALPHA: Final = CrdVersions(("v1alpha1",), (), "v1alpha1")
_BETA: Final = CrdVersions(("v1alpha1", "v1beta1"), (), "v1beta1")

# Per CRD: the first line from which an entry holds, and the entry. It holds until the next one.
_History = tuple[tuple[str, CrdVersions], ...]
_ALWAYS_CORE: Final[_History] = (("1.0", _CORE),)
_SNAPSHOT: Final[_History] = (("1.0", _ALPHA), ("1.3", _BETA))
_INSTANCETYPE: Final[_History] = (
    ("1.0", CrdVersions(("v1alpha1", "v1alpha2", "v1beta1"), (), "v1beta1")),
    ("1.6", CrdVersions(("v1beta1",), ("v1alpha1", "v1alpha2"), "v1beta1")),
    ("1.7", CrdVersions(("v1beta1",), (), "v1beta1")),
)
_SINCE_1_8: Final[_History] = (("1.0", _NONE), ("1.8", _ALPHA))
_TEMPLATE: Final[_History] = (
    ("1.0", _NONE),
    ("1.8", _ALPHA),
    ("1.9", CrdVersions(("v1alpha1", "v1beta1"), (), "v1alpha1")),
)

_CRDS: Final[dict[str, _History]] = {
    "kubevirts.kubevirt.io": _ALWAYS_CORE,
    "virtualmachines.kubevirt.io": _ALWAYS_CORE,
    "virtualmachineinstances.kubevirt.io": _ALWAYS_CORE,
    "virtualmachineinstancemigrations.kubevirt.io": _ALWAYS_CORE,
    "virtualmachineinstancereplicasets.kubevirt.io": _ALWAYS_CORE,
    "virtualmachineinstancepresets.kubevirt.io": (("1.0", CrdVersions(("v1", "v1alpha3"), (), "v1alpha3")),),
    "virtualmachinesnapshots.snapshot.kubevirt.io": _SNAPSHOT,
    "virtualmachinesnapshotcontents.snapshot.kubevirt.io": _SNAPSHOT,
    "virtualmachinerestores.snapshot.kubevirt.io": _SNAPSHOT,
    "virtualmachineexports.export.kubevirt.io": (
        ("1.0", _ALPHA),
        ("1.3", _BETA),
        ("1.9", CrdVersions(("v1", "v1beta1"), (), "v1")),
    ),
    "virtualmachineclones.clone.kubevirt.io": (("1.0", _ALPHA), ("1.5", _BETA)),
    "virtualmachinepools.pool.kubevirt.io": (("1.0", _ALPHA), ("1.7", _BETA)),
    "virtualmachineinstancetypes.instancetype.kubevirt.io": _INSTANCETYPE,
    "virtualmachineclusterinstancetypes.instancetype.kubevirt.io": _INSTANCETYPE,
    "virtualmachinepreferences.instancetype.kubevirt.io": _INSTANCETYPE,
    "virtualmachineclusterpreferences.instancetype.kubevirt.io": _INSTANCETYPE,
    "migrationpolicies.migrations.kubevirt.io": (("1.0", _ALPHA),),
    "virtualmachinebackups.backup.kubevirt.io": _SINCE_1_8,
    "virtualmachinebackuptrackers.backup.kubevirt.io": _SINCE_1_8,
    "plugins.plugin.kubevirt.io": (("1.0", _NONE), ("1.9", _ALPHA)),
    "virtualmachinetemplates.template.kubevirt.io": _TEMPLATE,
    "virtualmachinetemplaterequests.template.kubevirt.io": _TEMPLATE,
}

# First and last Kubernetes minor (of 1.x) that a KubeVirt line was validated on.
_KUBERNETES: Final[dict[str, tuple[int, int]]] = {
    "1.0": (25, 27),
    "1.1": (26, 28),
    "1.2": (27, 29),
    "1.3": (28, 30),
    "1.4": (29, 31),
    "1.5": (30, 32),
    "1.6": (31, 33),
    "1.7": (32, 34),
    "1.8": (33, 35),
    "1.9": (34, 36),
}

GROUPS: Final[frozenset[str]] = frozenset(
    {name.partition(".")[2] for name in _CRDS} | {"subresources.kubevirt.io", "subresources.template.kubevirt.io"}
)
"""API groups of KubeVirt itself. Its neighbours (`cdi.kubevirt.io` and others) have releases of their own."""


def line_of(version: str) -> str | None:
    """The minor line of a published version, `1.4` for `v1.4.1`; None where it cannot be read."""
    parsed = versions.parse(version)
    return None if parsed is None else parsed.line


def neighbour(line: str, *, step: int) -> str | None:
    """The line `step` minors after (before, where negative) a line; None beyond the tables."""
    if line not in LINES:
        return None
    index = LINES.index(line) + step
    return LINES[index] if 0 <= index < len(LINES) else None


def validated(kubevirt: str, kubernetes: str) -> bool | None:
    """Was this KubeVirt version validated on this Kubernetes version? None: not known, or unreadable."""
    line, cluster = line_of(kubevirt), versions.parse(kubernetes)
    if line is None or line not in _KUBERNETES or cluster is None or cluster.major != 1:
        return None
    first, last = _KUBERNETES[line]
    return first <= cluster.minor <= last


def kubernetes(line: str) -> tuple[int, int] | None:
    """The first and the last Kubernetes minor (of 1.x) that a KubeVirt line was validated on; None: not known."""
    return _KUBERNETES.get(line)


def crd_versions(crd: str, line: str) -> CrdVersions | None:
    """Versions of the CRD (`plural.group`) in a release; None where the CRD or the release is not in the tables."""
    history = _CRDS.get(crd)
    if history is None or line not in LINES:
        return None
    at = LINES.index(line)
    return next(entry for since, entry in reversed(history) if LINES.index(since) <= at)


def new_crds(line: str) -> tuple[str, ...]:
    """The CRDs that a release has and the one before it had not: going back deletes them and their objects."""
    before = neighbour(line, step=-1)
    if before is None:
        return ()
    return tuple(crd for crd in sorted(_CRDS) if _defined(crd, line) and not _defined(crd, before))


def _defined(crd: str, line: str) -> bool:
    release = crd_versions(crd, line)
    return release is not None and bool(release.defined)


def barred(crd: str, stored: Iterable[str], line: str) -> tuple[str, ...] | None:
    """The stored versions that keep a cluster from going to this release; None where that is not known.

    A release that has no such CRD is not barred by it: virt-operator deletes the CRD, and its objects with it.
    """
    release = crd_versions(crd, line)
    if release is None:
        return None
    if not release.defined:
        return ()
    return tuple(version for version in stored if version not in release.defined)
