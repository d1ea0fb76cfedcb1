"""How guests will come to the new launcher. Without an update method, never."""

from collections.abc import Iterator

from exporter.preflight.base import Said, count, fails, passes, warns
from exporter.preflight.world import World

_WHERE = "spec.workloadUpdateStrategy.workloadUpdateMethods of the KubeVirt resource"


def check(world: World) -> Iterator[Said]:
    """One finding."""
    methods = world.kubevirt.update_methods
    running = sum(vmi.phase == "Running" for vmi in world.guests)
    unknown = sorted(set(methods) - {"LiveMigrate", "Evict"})
    if not methods:
        outdated = world.outdated.total
        if outdated:
            yield fails(
                f"no update method, and {count(outdated, 'guest')} of an earlier release still wait for one", (_WHERE,)
            )
        elif running:
            yield warns(f"no update method: {count(running, 'guest')} will keep the old launcher for ever", (_WHERE,))
        else:
            yield passes("no update method, and no guest that runs")
    elif "LiveMigrate" not in methods and running:
        yield fails(f"without LiveMigrate the upgrade shuts down {count(running, 'running guest')}", (_WHERE,))
    elif unknown:
        yield warns(f"KubeVirt does not know these update methods: {', '.join(unknown)}", (_WHERE,))
    else:
        yield passes(f"guests are updated by {', then '.join(methods)}")
