"""Whether the control plane is healthy, complete and of one version before it is replaced."""

from collections.abc import Iterator
from typing import Final

from exporter.preflight.base import Said, fails, named, passes
from exporter.preflight.world import World
from exporter.tracker.components import OPERATOR, Component

_ALWAYS: Final = (OPERATOR, "virt-api", "virt-controller", "virt-handler")
_CONDITIONS: Final = {"Available": "True", "Progressing": "False", "Degraded": "False", "Created": "True"}
"""KubeVirt's own test of readiness."""


def check(world: World) -> Iterator[Said]:
    """One finding."""
    kubevirt, components, current = world.kubevirt, world.components, world.current
    troubles = [] if kubevirt.deleted is None else ["the KubeVirt resource: somebody has deleted it, and it is going"]
    troubles += [f"{name}: there is none" for name in _ALWAYS if components.get(name) is None]
    found = sorted(components, key=lambda component: component.name)
    for component in found:
        troubles += _troubles(component, current)
    for kind, wanted in _CONDITIONS.items():
        condition = kubevirt.condition(kind)
        if condition is None or condition.status != wanted:
            is_ = "absent" if condition is None else f"{condition.status} ({condition.reason})"
            troubles.append(f"the KubeVirt resource: condition {kind} is {is_}, not {wanted}")
    if troubles:
        yield fails("the control plane is not healthy and of one version", named(troubles))
    else:
        yield passes(f"{len(found)} components, all pods ready and at {current}")


def _troubles(component: Component, current: str) -> Iterator[str]:
    workload = component.workload
    if workload is None:
        return
    ready = sum(count for group, count in component.groups.items() if group.ready)
    if workload.desired is None:
        yield f"{component.name}: does not say how many pods it wants"
    elif ready < workload.desired:
        waiting = sorted({pod.waiting for pod in component.pods.values() if pod.waiting})
        why = f" ({', '.join(waiting)})" if waiting else ""
        yield f"{component.name}: {ready} of {workload.desired} pods ready{why}"
    elif workload.desired == 0 and component.name in _ALWAYS:
        yield f"{component.name}: wants no pods"
    versions = sorted({group.version or "unknown" for group in component.groups} | {workload.version or "unknown"})
    if versions != [current]:
        yield f"{component.name}: at {', '.join(versions)}, not {current}"
