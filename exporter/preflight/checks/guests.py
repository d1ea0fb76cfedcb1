"""Which running guests cannot be live-migrated, and what the upgrade will do with them."""

from collections.abc import Iterator

from exporter.preflight.base import Said, count, fails, named, passes, warns
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding."""
    running = [vmi for vmi in world.guests if vmi.phase == "Running"]
    stuck = sorted((vmi for vmi in running if not vmi.migratable), key=lambda vmi: vmi.key)
    details = named([f"{vmi.key}: {vmi.not_migratable or 'no reason given'}" for vmi in stuck])
    if not stuck:
        yield passes(f"all of {count(len(running), 'running guest')} can be live-migrated")
        return
    summary = f"{len(stuck)} of {count(len(running), 'running guest')} cannot be live-migrated"
    if "Evict" in world.kubevirt.update_methods:
        yield fails(f"{summary} and will be shut down: Evict is an update method", details)
    else:
        yield warns(f"{summary} and will keep their old launcher", details)
