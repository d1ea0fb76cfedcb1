"""Versions: what runs where, how far apart it is, and whether KubeVirt and Kubernetes were validated together.

All of it is of now, also between sessions; nothing here knows of an upgrade.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.model import releases, resources, versions
from exporter.model.changes import OF_OBJECTS, Change, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Node, Pod
from exporter.tracker import components
from exporter.tracker.sessions import Transition
from exporter.tracker.tracker import View

_VERSIONS_SHOWN = 10
_OTHER = "other"
_DIGESTS_KEPT = 50
_DIGEST_SHOWN = 12
"""Hexadecimal digits: as many as container tools show."""

PODS = Family(
    name="component_pods", kind=Kind.GAUGE, labels=("component", "version", "ready"),
    help="Pods of each component, by the version they carry and by whether they are ready.",
)  # fmt: skip
COMPONENT = Family(
    name="component", kind=Kind.INFO, labels=("component", "version", "image", "image_id"),
    help="What each component's workload is made of; image_id is the digest of that image in a ready pod, empty until"
    " there is one.",
)  # fmt: skip
SKEW = Family(
    name="component_version_skew_minors", kind=Kind.GAUGE,
    help="Minor releases between the oldest and the newest version among the components' pods.",
)  # fmt: skip
VMIS = Family(
    name="vmis_running", kind=Kind.GAUGE, labels=("launcher_version",),
    help="Running guests by the version of their launcher: its image's tag, else the beginning of its digest.",
)  # fmt: skip
KUBEVIRT = Family(
    name="kubevirt", kind=Kind.INFO, labels=("observed_version", "target_version", "operator_version"),
    help="The versions in the status of the KubeVirt CR.",
)  # fmt: skip
KUBERNETES = Family(
    name="kubernetes", kind=Kind.INFO, labels=("version",), help="Versions of Kubernetes that the nodes' kubelets run."
)  # fmt: skip
VALIDATED = Family(
    name="kubernetes_validated", kind=Kind.GAUGE, labels=("kubevirt_version", "kubernetes_version"),
    help="1 where this KubeVirt release (observed or target) was validated on this Kubernetes release by the KubeVirt"
    " project, 0 where it was not; absent where that is not known.",
)  # fmt: skip

FAMILIES = (PODS, COMPONENT, SKEW, VMIS, KUBEVIRT, KUBERNETES, VALIDATED)


class Versions:
    """The concern."""

    name = "versions"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self) -> None:
        self._kubelets: Counter[str] = Counter()
        self._digests: dict[str, str] = {}
        """Digest by image, as ready pods say; the latest ones."""

    def session(self, transition: Transition, view: View) -> None:
        """Nothing: what runs is what runs."""

    def observe(self, change: Change, view: View) -> None:
        """Count kubelets, note digests."""
        if not isinstance(change, OF_OBJECTS):
            return
        if change.resource == resources.NODES:
            for delta in deltas(change):
                self._node(delta.old, -1)
                self._node(delta.new, +1)
        elif change.resource == resources.PODS:
            for delta in deltas(change):
                if isinstance(delta.new, Pod):
                    self._digest(delta.new)

    def _node(self, node: object, step: int) -> None:
        if not isinstance(node, Node) or not node.kubelet_version:
            return
        self._kubelets[node.kubelet_version] += step
        if not self._kubelets[node.kubelet_version]:
            del self._kubelets[node.kubelet_version]

    def _digest(self, pod: Pod) -> None:
        if not pod.ready or not pod.image_id or components.component_of(pod) is None:
            return
        self._digests.pop(pod.image, None)
        self._digests[pod.image] = pod.image_id.rpartition("@")[2]
        if len(self._digests) > _DIGESTS_KEPT:
            del self._digests[next(iter(self._digests))]

    def deadline(self) -> float | None:
        """None: nothing here waits."""
        return None

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`."""
        yield from self._components(view)
        if view.sync.known(resources.VMIS):
            guests: Counter[str] = Counter()
            for image, count in view.guests.images().items():
                guests[launcher_version(image)] += count
            yield from VMIS.counts(_capped(guests))
        kubelets = _capped(self._kubelets) if view.sync.known(resources.NODES) else {}
        for kubelet in sorted(kubelets):
            yield KUBERNETES(1, version=kubelet)
        kubevirt = view.kubevirt
        if kubevirt is None or not view.sync.known(resources.KUBEVIRTS):
            return
        yield KUBEVIRT(
            1,
            observed_version=kubevirt.observed_version or versions.UNKNOWN,
            target_version=kubevirt.target_version or versions.UNKNOWN,
            operator_version=kubevirt.operator_version or versions.UNKNOWN,
        )
        for release in sorted({kubevirt.observed_version, kubevirt.target_version}):
            for kubelet in sorted(kubelets):
                if (validated := releases.validated(release, kubelet)) is not None:
                    yield VALIDATED(validated, kubevirt_version=release, kubernetes_version=kubelet)

    def _components(self, view: View) -> Iterator[Sample]:
        for component in sorted(view.components, key=lambda c: c.name):
            if (workload := component.workload) is not None:
                yield COMPONENT(
                    1,
                    component=component.name,
                    version=workload.version or versions.UNKNOWN,
                    image=workload.image,
                    image_id=self._digests.get(workload.image, ""),
                )
        if not view.sync.known(resources.PODS):
            return
        pods: dict[str, Counter[tuple[str, bool]]] = {}
        total: Counter[str] = Counter()
        for component in view.components:
            counted = pods[component.name] = Counter()
            if component.workload is not None:  # none of the version that is wanted is a 0 worth seeing
                wanted = component.workload.version or versions.UNKNOWN
                counted[wanted, True] = 0
                total.setdefault(wanted, 0)
            for group, count in component.groups.items():
                version = group.version or versions.UNKNOWN
                counted[version, group.ready] += count
                total[version] += count
        shown = _capped(total)
        for name, counted in sorted(pods.items()):
            for ready in (True, False):
                by_version: Counter[str] = Counter()
                for (version, is_ready), count in counted.items():
                    by_version[version if version in shown else _OTHER] += count if is_ready is ready else 0
                for version, count in sorted(by_version.items()):
                    yield PODS(count, component=name, version=version, ready=str(ready).lower())
        if (skew := _skew(version for version, count in total.items() if count)) is not None:
            yield SKEW(skew)

    def snapshot(self) -> dict[str, Any]:
        """Nothing: the lists tell it again."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""


def launcher_version(image: str) -> str:
    """What can be said of a launcher's version by its image."""
    if tag := versions.image_tag(image):
        return tag
    algorithm, _, digest = image.rpartition("@")[2].partition(":")
    return f"{algorithm}:{digest[:_DIGEST_SHOWN]}" if "@" in image and digest else versions.UNKNOWN


def _skew(running: Iterable[str]) -> int | None:
    """Minors from the oldest to the newest; None where none is readable, or a major lies between."""
    readable = sorted((parsed, version) for version in running if (parsed := versions.parse(version)) is not None)
    return versions.minors_between(readable[0][1], readable[-1][1]) if readable else None


def _capped(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent ones by name, the rest together as `other`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = dict(ordered[:_VERSIONS_SHOWN])
    if rest := sum(count for _, count in ordered[_VERSIONS_SHOWN:]):
        shown[_OTHER] = shown.get(_OTHER, 0) + rest
    return shown
