"""All rows of the resource table, each watched by a task of its own."""

import asyncio
import dataclasses
from collections.abc import Iterable

from exporter.kube.reflector import Reflector, Surroundings
from exporter.kube.status import WatchStatus
from exporter.model import resources
from exporter.model.changes import Change
from exporter.model.resources import ResourceSpec


class Watcher:
    """The reflectors of all rows; their changes go to one callback, and `at` never decreases."""

    def __init__(self, surroundings: Surroundings, *, specs: Iterable[ResourceSpec] = resources.RESOURCES) -> None:
        self._namespace = surroundings.namespace
        self._emit = surroundings.emit
        around = dataclasses.replace(surroundings, emit=self._pass_on)
        self._reflectors = [Reflector(spec, around) for spec in specs]

    @property
    def statuses(self) -> list[WatchStatus]:
        """How well each resource is watched, in the order of the table."""
        return [reflector.status for reflector in self._reflectors]

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run(), name=f"watch {reflector.spec.name}")

    def _pass_on(self, change: Change) -> None:
        self._namespace.learn(change)
        self._emit(change)
