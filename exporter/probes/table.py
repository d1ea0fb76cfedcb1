"""The table of probes: name, function, kinds of connection.

The names are part of what we publish (metrics, reports, recordings). `required` ones are expected to be measured in
every session; the others are where the cluster serves them.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from exporter.model import probing
from exporter.probes import reading, writing
from exporter.probes.asking import Ask
from exporter.probes.result import ProbeResult

VM_VERSIONS: Final = ("v1", "v1alpha3")
"""API versions of VMs that a release serves or has served."""

GROUPS: Final = (
    "kubevirt.io", "snapshot.kubevirt.io", "export.kubevirt.io", "clone.kubevirt.io", "pool.kubevirt.io",
    "instancetype.kubevirt.io", "migrations.kubevirt.io",
)  # fmt: skip
"""Those of every release; what virt-api serves itself has a probe of its own."""

_BOTH: Final = (probing.REUSED, probing.NEW)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    name: str
    run: Callable[[Ask], Awaitable[ProbeResult]]
    connections: tuple[str, ...] = (probing.REUSED,)
    required: bool = True


def table(*, namespace: str) -> tuple[Probe, ...]:
    """All probes; those that create need a namespace in which we may (as dry runs), and are left out without one."""
    probes = [
        Probe(name=probing.CONTROL, run=reading.ready, connections=_BOTH),
        Probe(name="subresource-version", run=reading.version, connections=_BOTH),
        Probe(name="subresource-healthz", run=reading.health),
    ]
    for version in VM_VERSIONS:
        probes.append(
            Probe(
                name=f"vm-list-{version}",
                run=reading.listing(f"kubevirt.io/{version}", "virtualmachines", "VirtualMachine"),
                required=version == VM_VERSIONS[0],
            )
        )
        if namespace:
            probes.append(
                Probe(
                    name=f"vm-dry-run-create-{version}",
                    run=writing.Creating(version, namespace=namespace),
                    required=version == VM_VERSIONS[0],
                )
            )
    probes += [
        Probe(name=f"discovery-{group}", run=reading.group(group), required=group == GROUPS[0]) for group in GROUPS
    ]
    probes.append(Probe(name="discovery-subresources.kubevirt.io", run=reading.aggregated))
    return tuple(probes)


def required(probes: tuple[Probe, ...]) -> tuple[str, ...]:
    """Names of the probes without which nobody can say how the API fared."""
    return tuple(probe.name for probe in probes if probe.required)
