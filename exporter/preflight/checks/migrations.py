"""Whether live migrations are under way: those that virt-handler's replacement meets may fail."""

from collections.abc import Iterator
from typing import Final

from exporter.model.objects import Migration
from exporter.preflight.base import Said, count, fails, named, passes, warns
from exporter.preflight.world import World

STUCK_AFTER: Final = 3600.0
"""Seconds. KubeVirt gives a migration 150 s per GiB (800 s up to 1.3), so large guests may take long, but they move."""


def check(world: World) -> Iterator[Said]:
    """One finding."""
    migrations = sorted(world.migrations, key=lambda migration: (migration.created or 0.0, migration.key))
    stuck = [migration for migration in migrations if _age(migration, world.now) > STUCK_AFTER]
    if stuck:
        yield fails(
            f"{count(len(stuck), 'live migration')} unfinished for more than an hour",
            named([_line(migration, world.now) for migration in stuck]),
        )
    elif migrations:
        yield warns(
            f"{count(len(migrations), 'live migration')} under way: better wait for the end",
            named([_line(migration, world.now) for migration in migrations]),
        )
    else:
        yield passes("no live migration is under way")


def _age(migration: Migration, now: float) -> float:
    return now - migration.created if migration.created is not None else 0.0


def _line(migration: Migration, now: float) -> str:
    phase = migration.phase or "not begun"
    return f"{migration.vmi_key}: {phase}, {migration.trigger}, for {_age(migration, now) / 60:.0f} min"
