"""The components' workloads and pods, counted so that each question costs a handful of steps.

A component is a Deployment or DaemonSet that virt-operator manages, or virt-operator itself (design §2). Pods are
grouped by what they were made from (the deployment id; for virt-operator, which carries no stamp, the image).
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from exporter.model.objects import Pod, Workload

OPERATOR = "virt-operator"
HANDLER = "virt-handler"

# Order of KubeVirt's two rollout paths (reference §2.2). Components we do not know go where new ones have been put.
_UPDATE_PATH = {
    OPERATOR: 0, HANDLER: 1, "virt-controller": 2, "virt-exportproxy": 3, "virt-synchronization-controller": 4,
    "virt-template-apiserver": 5, "virt-template-controller": 6, "virt-api": 9,
}  # fmt: skip
_ROLLBACK_PATH = {
    OPERATOR: 0, "virt-api": 1, "virt-controller": 2, "virt-exportproxy": 3, "virt-synchronization-controller": 4,
    "virt-template-apiserver": 5, "virt-template-controller": 6, HANDLER: 9,
}  # fmt: skip
_UNKNOWN_RANK = 7


def rank(name: str, *, update: bool) -> int:
    """Place of a component in the rollout."""
    return (_UPDATE_PATH if update else _ROLLBACK_PATH).get(name, _UNKNOWN_RANK)


class PodGroup(NamedTuple):
    """Pods that are alike as far as counting goes."""

    origin: str
    """Deployment id, or the image of virt-operator."""
    version: str
    ready: bool


class Standing(NamedTuple):
    """Where a component stands against a target."""

    desired: int | None
    updated: int
    """Pods at the target."""
    ready: int
    """Pods at the target and ready."""
    old: int
    """Pods that are not at the target."""
    template: bool
    """The pod template is at the target."""

    @property
    def complete(self) -> bool:
        """All pods are at the target and ready, and none is old."""
        enough = self.desired is not None and self.ready >= self.desired
        return self.template and enough and self.ready == self.updated and self.old == 0


def component_of(pod: Pod) -> str | None:
    """The component a pod belongs to; None for other pods (jobs, launchers)."""
    if pod.managed or pod.label == OPERATOR:
        return pod.label or None
    return None


def _is_component(workload: Workload) -> bool:
    return workload.managed or workload.label == OPERATOR


def origin_of_pod(pod: Pod) -> str:
    """What the pod was made from."""
    return pod.image if pod.label == OPERATOR else pod.identifier


class Component:
    """One component."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.workload: Workload | None = None
        self.pods: dict[str, Pod] = {}
        self.groups: Counter[PodGroup] = Counter()
        self.terminating: dict[str, float] = {}
        """Key of each pod that is going, and the end of its grace."""

    @property
    def template(self) -> str:
        """What its template says new pods are made from; empty where there is no workload."""
        if self.workload is None:
            return ""
        return self.workload.image if self.name == OPERATOR else self.workload.identifier

    def group_of(self, pod: Pod) -> PodGroup | None:
        """None for pods that have ended and are only waiting for somebody to clean up (evicted ones, for example)."""
        if pod.phase in ("Succeeded", "Failed") and pod.deleted is None:
            return None
        return PodGroup(origin_of_pod(pod), pod.version, pod.ready and pod.deleted is None)

    def replace(self, old: Pod | None, new: Pod | None) -> None:
        """Count a pod's change."""
        if old is not None:
            self.pods.pop(old.key, None)
            self.terminating.pop(old.key, None)
            if (group := self.group_of(old)) is not None:
                self.groups[group] -= 1
                if not self.groups[group]:
                    del self.groups[group]
        if new is not None:
            self.pods[new.key] = new
            if new.deleted is not None:
                self.terminating[new.key] = new.deleted
            if (group := self.group_of(new)) is not None:
                self.groups[group] += 1

    def standing(self, target: str) -> Standing:
        """Compare with a target (an origin)."""
        updated = ready = old = 0
        for group, count in self.groups.items():
            if group.origin != target:
                old += count
                continue
            updated += count
            if group.ready:
                ready += count
        desired = self.workload.desired if self.workload is not None else None
        return Standing(desired, updated, ready, old, self.template == target)

    def differs(self, target: str) -> str | None:
        """A version found on template or pods that are not at the target; None where all are."""
        if self.workload is not None and self.template != target:
            return self.workload.version
        return next((group.version for group in self.groups if group.origin != target), None)


class Components:
    """All components by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Component] = {}

    def __iter__(self) -> Iterator[Component]:
        return iter(c for c in self._by_name.values() if c.workload is not None)

    def get(self, name: str) -> Component | None:
        """A component that has a workload."""
        component = self._by_name.get(name)
        return component if component is not None and component.workload is not None else None

    def ordered(self, *, update: bool) -> list[Component]:
        """In the order in which KubeVirt rolls them out."""
        return sorted(self, key=lambda c: (rank(c.name, update=update), c.name))

    def launcher_image(self) -> str:
        """What virt-controller would start now; empty where it is not known."""
        controller = self.get("virt-controller")
        return controller.workload.launcher_image if controller is not None and controller.workload is not None else ""

    def workload(self, old: Workload | None, new: Workload | None) -> Component | None:
        """Take a workload's change in; the component it is about, or None where it is about no component."""
        if new is not None and _is_component(new):
            component = self._component(new.label or new.name)
            component.workload = new
            return component
        if old is not None and _is_component(old):
            component = self._component(old.label or old.name)
            component.workload = None
            return component
        return None

    def pod(self, old: Pod | None, new: Pod | None) -> Component | None:
        """Take a pod's change in."""
        before = component_of(old) if old is not None else None
        after = component_of(new) if new is not None else None
        if before is not None:
            self._component(before).replace(old, None)
        if after is not None:
            self._component(after).replace(None, new)
        name = after or before
        return self._by_name[name] if name is not None else None

    def _component(self, name: str) -> Component:
        return self._by_name.setdefault(name, Component(name))
