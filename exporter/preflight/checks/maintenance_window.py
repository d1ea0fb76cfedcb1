"""Whether now is a time for upgrades, and whether enough of it is left for this one."""

import math
from collections.abc import Iterator
from typing import Final

from exporter.model import schedule
from exporter.preflight.base import Said, fails, passes, warns
from exporter.preflight.world import CannotTell, World

_STEP: Final = 60.0


def check(world: World) -> Iterator[Said]:
    """One finding."""
    cron, length = world.settings.maintenance_window, world.settings.maintenance_window_length
    if not cron:
        yield passes("no maintenance window is set: any time will do")
        return
    if not schedule.contains(cron, seconds=length, at=world.now):
        yield fails(f"now is outside the maintenance window: {cron!r} in UTC, and {length / 3600:g} h from there")
        return
    left = _left(cron, length, world.now)
    needed = _needed(world)
    if left < needed:
        yield warns(f"{left / 60:.0f} min are left of the maintenance window, {needed / 60:.0f} may be needed")
    else:
        yield passes(f"{left / 60:.0f} min are left of the maintenance window, {needed / 60:.0f} may be needed")


def _left(cron: str, length: float, now: float) -> float:
    """Seconds until no window is open any more, a day at most."""
    at = now
    while at < now + 86_400 and schedule.contains(cron, seconds=length, at=at + _STEP):
        at += _STEP
    return at - now


def _needed(world: World) -> float:
    """Seconds that the rollout's objective allows: by the number of nodes, and by virt-handler's grace."""
    handler = world.components.get("virt-handler")
    workload = handler.workload if handler is not None else None
    if workload is None or not workload.desired:
        raise CannotTell("virt-handler does not say on how many nodes it runs, so the rollout's length is not known")
    nodes = workload.desired
    waves = 1 + math.ceil((nodes - 1) / math.ceil(nodes / 10))
    objectives = world.settings.objectives
    return objectives.rollout_base + waves * (objectives.rollout_wave + (workload.grace or 0.0))
