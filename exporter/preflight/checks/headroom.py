"""Whether there is room for guests to migrate to. Each needs another node with its CPU and memory requests to spare.

Judged one guest at a time, by cores and memory: what it may land on besides (taints, selectors, devices, huge pages,
storage) is for the scheduler. At most `parallelMigrationsPerCluster` guests move at once.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from exporter.model.objects import Node, Pod
from exporter.preflight.base import Said, count, fails, named, passes, unknown
from exporter.preflight.world import Amount, CannotTell, World

_GIBIBYTE: Final = 2.0**30


def check(world: World) -> Iterator[Said]:
    """One finding."""
    migratable = {vmi.uid for vmi in world.guests if vmi.phase == "Running" and vmi.migratable}
    movers = [pod for pod in world.launchers if pod.vmi_uid in migratable]
    if not movers:
        yield passes("no running guest can be live-migrated, so none needs room")
        return
    targets = [node for node in world.nodes if node.ready and not node.unschedulable and node.kubevirt_schedulable]
    why = ""
    others: Mapping[str, Amount] = {}
    try:
        others = world.others
    except CannotTell as reason:
        why = str(reason)
    silent = sorted(node.name for node in targets if node.cpu is None or node.memory is None)
    if silent:
        raise CannotTell(f"nodes that do not say what they offer: {', '.join(silent)}")
    components = [pod for component in world.components for pod in component.pods.values()]
    free = _free(targets, [*world.launchers, *components], others)
    homes: dict[Amount, list[str]] = {}
    homeless = []
    for pod in movers:
        wanted = Amount(pod.cpu, pod.memory)
        if wanted not in homes:  # guests are alike: a few sizes, however many there are
            fitting = (node for node, room in free.items() if wanted.cpu <= room.cpu and wanted.memory <= room.memory)
            homes[wanted] = list(itertools.islice(fitting, 2))
        if not set(homes[wanted]) - {pod.node}:
            homeless.append(pod)
    if homeless:
        yield fails(
            f"{len(homeless)} of {count(len(movers), 'guest')} that can migrate fit on no other node",
            named(sorted(_line(pod) for pod in homeless)),
        )
    elif why:
        yield unknown("the guests alone would leave room for each to migrate; other pods were not counted", (why,))
    else:
        at_once = world.kubevirt.parallel_migrations or 5
        yield passes(
            f"each of {count(len(movers), 'guest')} that can migrate fits on another of {count(len(free), 'node')}",
            (f"{at_once} at once, by spec.configuration.migrations.parallelMigrationsPerCluster",),
        )


def _free(nodes: Iterable[Node], pods: Iterable[Pod], others: Mapping[str, Amount]) -> dict[str, Amount]:
    cpu: dict[str, float] = defaultdict(float)
    memory: dict[str, float] = defaultdict(float)
    for pod in pods:
        if pod.phase not in ("Succeeded", "Failed"):
            cpu[pod.node] += pod.cpu
            memory[pod.node] += pod.memory
    nothing = Amount(0.0, 0.0)
    free: dict[str, Amount] = {}
    for node in nodes:
        more = others.get(node.name, nothing)
        free[node.name] = Amount(
            (node.cpu or 0.0) - cpu[node.name] - more.cpu, (node.memory or 0.0) - memory[node.name] - more.memory
        )
    return free


def _line(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.owner}: {pod.cpu:g} cores and {pod.memory / _GIBIBYTE:.1f} GiB, now on {pod.node}"
