"""Whether there is a node on which the control plane may run.

From 1.3 virt-api and virt-controller require a node labelled as control plane, unless spec.infra.nodePlacement says
otherwise; from 1.7 virt-operator does, whatever it says.
"""

from collections.abc import Iterator
from typing import Final

from exporter.preflight.base import Said, count, fails, passes
from exporter.preflight.world import World

_INFRA: Final = "1.3"
_OPERATOR: Final = "1.7"
_LABELS: Final = "node-role.kubernetes.io/control-plane or node-role.kubernetes.io/master"


def check(world: World) -> Iterator[Said]:
    """One finding."""
    lines = world.lines
    labelled = [node for node in world.nodes if node.control_plane]
    usable = [node for node in labelled if node.ready and not node.unschedulable]
    if usable:
        yield passes(f"{count(len(usable), 'node')} labelled as control plane, ready and schedulable")
        return
    found = f"{len(labelled)} of {len(world.nodes)} nodes are labelled {_LABELS}, none of them ready and schedulable"
    if not labelled:
        found = f"no node is labelled {_LABELS}"
    placed = world.kubevirt.infra_placed
    needy: list[str] = []
    if _INFRA in lines and not placed:
        needy.append("virt-api and virt-controller of 1.3 and later")
    if _OPERATOR in lines:
        needy.append("virt-operator of 1.7 and later")
    if needy:
        remedy = "label nodes, or set spec.infra.nodePlacement of the KubeVirt resource (not for virt-operator)"
        yield fails(f"{found}, and {' and '.join(needy)} run nowhere else: their pods would stay Pending", (remedy,))
    else:
        why = "spec.infra.nodePlacement is set" if placed else "this step asks for nothing new"
        yield passes(f"{found}, but {why}")
