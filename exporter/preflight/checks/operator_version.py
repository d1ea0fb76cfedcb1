"""Whether virt-operator installs its own version.

With spec.imageTag it installs another one. Up to 1.6 it then writes the manifests, permissions and definitions of its
own release and not of that one.
"""

from collections.abc import Iterator
from typing import Final

from exporter.model import versions
from exporter.preflight.base import Said, fails, passes, warns
from exporter.preflight.world import CannotTell, World

_SOURCES: Final = ("kubevirt/kubevirt#10632", "kubevirt/kubevirt#15313", "kubevirt/kubevirt#16198 (fixed in 1.7)")


def check(world: World) -> Iterator[Said]:
    """One finding."""
    kubevirt = world.kubevirt
    operator, operand = kubevirt.operator_version, kubevirt.observed_version
    if not operator or not operand:
        raise CannotTell("the KubeVirt resource does not say which versions virt-operator and its components have")
    if operator != operand:
        parsed = versions.parse(operator)
        details = () if parsed is not None and (parsed.major, parsed.minor) >= (1, 7) else _SOURCES
        yield fails(f"virt-operator is {operator} and has installed {operand}", details)
    elif kubevirt.image_tag:
        yield warns(
            f"spec.imageTag is {kubevirt.image_tag!r}: another virt-operator alone upgrades nothing",
            ("take spec.imageTag out of the KubeVirt resource, or change it after virt-operator",),
        )
    else:
        yield passes(f"virt-operator and what it installed are both {operator}")
