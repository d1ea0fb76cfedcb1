"""What is known of each release beforehand, as data: breaking changes, and problems that are open upstream.

A note may say to which clusters it applies; where that can be seen, the others are not bothered with it. `must`: do not
upgrade before it is dealt with. All were read in 2026-09 (`read`) in the release notes in KubeVirt's annotated tags,
in its user guide, or in the issue that `source` names. An open issue may have been closed since: look before relying
on it.
"""

import enum
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from exporter.model import versions
from exporter.preflight.world import World

_READ: Final = "2026-09"


class Kind(enum.Enum):
    """What a note tells."""

    CHANGE = "change"
    PROBLEM = "problem"


class Note(NamedTuple):
    """One note."""

    kind: Kind
    line: str
    """The release that brings it."""
    text: str
    source: str
    todo: str = ""
    applies: Callable[[World], bool] | None = None
    """Raises CannotTell. None: to every cluster, as far as we can see."""
    must: bool = False
    read: str = _READ

    @property
    def details(self) -> tuple[str, ...]:
        """What to do, and where to read on."""
        return (*((self.todo,) if self.todo else ()), f"{self.source} (read {self.read})")


def of(kind: Kind, lines: tuple[str, ...], world: World) -> Iterator[Note]:
    """The notes of the releases on the way that apply, in order. Raises CannotTell."""
    for line in lines:
        for note in NOTES:
            if note.kind is kind and note.line == line and (note.applies is None or note.applies(world)):
                yield note


def _gate(*names: str) -> Callable[[World], bool]:
    """One of these feature gates is set."""
    return lambda world: bool(set(names) & set(world.kubevirt.feature_gates))


def _from_before(version: str) -> Callable[[World], bool]:
    """The cluster runs something older."""
    limit = versions.parse(version)

    def applies(world: World) -> bool:
        current = versions.parse(world.current)
        return current is not None and limit is not None and current < limit

    return applies


def _running(world: World) -> bool:
    return any(vmi.phase == "Running" for vmi in world.guests)


def _migrating(world: World) -> bool:
    """Guests will be migrated to new launchers."""
    return _running(world) and "LiveMigrate" in world.kubevirt.update_methods


def _rollout_strategy_unset(world: World) -> bool:
    return not world.kubevirt.rollout_strategy


def _rhel9_machines(world: World) -> bool:
    return any(vmi.phase == "Running" and "rhel9" in vmi.machine for vmi in world.guests)


_C, _P = Kind.CHANGE, Kind.PROBLEM
_RELEASE: Final = "kubevirt/kubevirt release notes v{}.0"

NOTES: Final[tuple[Note, ...]] = (
    # 1.2
    Note(
        _C, "1.2", "unauthenticated users lose the role kubevirt.io:default (version and guestfs of the API)",
        _RELEASE.format("1.2"),
    ),
    # 1.3
    Note(
        _C, "1.3", "the core network bindings SLIRP, macvtap and passt are gone: guests that use them do not start",
        _RELEASE.format("1.3"), "move such guests to network binding plugins", _running,
    ),
    Note(
        _C, "1.3", "the metric rest_client_requests_total becomes kubevirt_rest_client_requests_total",
        _RELEASE.format("1.3"), "change dashboards and alerts that name it",
    ),
    # 1.4
    Note(
        _C, "1.4", "live migrations are given 150 s per GiB of guest memory, and not 800 s any more",
        _RELEASE.format("1.4"),
        "for large busy guests set spec.configuration.migrations.completionTimeoutPerGiB before", _migrating,
    ),
    Note(
        _C, "1.4", "guests that boot by EFI get a Bochs display in place of VGA when they next start",
        _RELEASE.format("1.4"),
        "to keep VGA set the annotation kubevirt.io/vga-display-efi-x86 on the KubeVirt resource before", _running,
    ),
    Note(
        _C, "1.4", "spec.running of VirtualMachines is deprecated in favour of spec.runStrategy",
        _RELEASE.format("1.4"),
    ),
    # 1.5
    Note(
        _C, "1.5", "administrators of a namespace may no longer create, edit or delete live migrations",
        _RELEASE.format("1.5"), "bind the ClusterRole kubevirt.io:migrate to those who shall",
    ),
    Note(
        _C, "1.5", "the feature gate ExperimentalVirtiofsSupport, which is set here, is gone",
        _RELEASE.format("1.5"), "set the gates EnableVirtioFs... that replace it, as far as guests use them",
        _gate("ExperimentalVirtiofsSupport"), must=True,
    ),
    Note(_C, "1.5", "the custom SELinux policy is no longer deployed", _RELEASE.format("1.5")),
    # 1.6
    Note(
        _C, "1.6", "vmRolloutStrategy is not set, and its default changes from Stage to LiveUpdate: edits of running"
        " VirtualMachines take effect at once", _RELEASE.format("1.6"),
        "set spec.configuration.vmRolloutStrategy before", _rollout_strategy_unset,
    ),
    Note(
        _C, "1.6", "KubeVirt writes a firmware UUID into every VirtualMachine that has none: tools that compare with"
        " Git see a change", _RELEASE.format("1.6"), applies=_running,
    ),
    Note(
        _C, "1.6", "launchers ask for a node that offers their machine type: guests with a type that few nodes offer"
        " find fewer places", _RELEASE.format("1.6"), "compare the types in use with the nodes' labels", _running,
    ),
    Note(
        _P, "1.6", "guests were left with two running launchers after live migrations, which destroyed disks",
        "kubevirt/kubevirt#15373, #15711, #16622, all open",
        "watch kubevirt_upgrade_vmis_duplicate_launchers during the upgrade; the alert is critical", _migrating,
    ),
    Note(
        _P, "1.6", "live migrations from before 1.5.3 may fail with multifd or post-copy",
        _RELEASE.format("1.6"), "upgrade to 1.5.3 or later first", _from_before("v1.5.3"), must=True,
    ),
    # 1.7
    Note(
        _C, "1.7", "virt-operator no longer knows the variables *_SHASUM: installations by digest need *_IMAGE",
        _RELEASE.format("1.7"), "check manifests of your own that set them",
    ),
    Note(
        _C, "1.7", "metrics kubevirt_vm_container_free_memory_* have other names", _RELEASE.format("1.7"),
        "change dashboards and alerts that name them",
    ),
    Note(
        _P, "1.7", "guests of machine type rhel9 that run since before may never migrate to the new launcher",
        "kubevirt/kubevirt#16386, open, critical-urgent", "plan restarts of these guests; skipping 1.7 does not help",
        _rhel9_machines, must=True,
    ),
    # 1.8
    Note(
        _C, "1.8", "the feature gates MultiArchitecture and DisableMDEVConfiguration are deprecated; one is set here",
        _RELEASE.format("1.8"), applies=_gate("MultiArchitecture", "DisableMDEVConfiguration"),
    ),
    Note(
        _C, "1.8", "LowVirtAPICount, LowVirtOperatorCount and LowVirtControllersCount fire below 75 % of the replicas",
        _RELEASE.format("1.8"),
    ),
    Note(
        _P, "1.8", "guests with several CPU threads may fail to migrate: extra features: ht",
        "harvester/harvester#11615, open; a change in QEMU 10", "plan restarts of guests that fail so", _migrating,
    ),
    # 1.9
    Note(
        _C, "1.9", "all feature gates in beta are on by default", _RELEASE.format("1.9"),
        "name those you do not want in spec.configuration.developerConfiguration.disabledFeatureGates",
    ),
    Note(
        _C, "1.9", "virt-template-apiserver and virt-template-controller are deployed by default",
        _RELEASE.format("1.9"),
    ),
    Note(
        _C, "1.9", "recording rules have other names; the old ones stay for now", _RELEASE.format("1.9"),
        "change dashboards and alerts that name them",
    ),
    Note(_C, "1.9", "nodes with cgroup v1 are deprecated; the next release does not take them", _RELEASE.format("1.9")),
    Note(
        _C, "1.9", "the feature gate HotplugVolumes, which is set here, is deprecated", _RELEASE.format("1.9"),
        applies=_gate("HotplugVolumes"),
    ),
    Note(
        _P, "1.9", "two running launchers of one guest were seen in KubeVirt's own tests", "kubevirt/kubevirt#18320",
        "watch kubevirt_upgrade_vmis_duplicate_launchers during the upgrade; the alert is critical", _migrating,
    ),
    Note(
        _P, "1.9", "a guest that has just been migrated may be failed when virt-handler restarts",
        "kubevirt/kubevirt#18765, open", "do not change the KubeVirt resource while guests migrate", _migrating,
    ),
)  # fmt: skip
