"""What preflight needs beyond the tracker: definitions, disruption budgets, and in which versions objects were written.

Fed with the same changes as the fold, O(1) each, and as pure.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from exporter.model import resources
from exporter.model.changes import OF_OBJECTS, Change, Delta, deltas
from exporter.model.objects import Crd, DisruptionBudget, Metadata, Object

T = TypeVar("T", bound=Object)


class Tables:
    """By key, and counts by resource and API version."""

    def __init__(self) -> None:
        self.crds: dict[str, Crd] = {}
        self.budgets: dict[str, DisruptionBudget] = {}
        self._written: dict[str, Counter[str]] = {}

    def observe(self, change: Change) -> None:
        """Take a change in; those of other resources cost nothing."""
        if not isinstance(change, OF_OBJECTS):
            return
        resource = change.resource
        for delta in deltas(change):
            if resource == resources.CRDS:
                _take(self.crds, Crd, delta)
            elif resource == resources.BUDGETS:
                _take(self.budgets, DisruptionBudget, delta)
            elif resources.BY_NAME[resource].metadata_only:
                counted = self._written.setdefault(resource, Counter())
                if isinstance(delta.old, Metadata):
                    counted.subtract(delta.old.written_as)
                if isinstance(delta.new, Metadata):
                    counted.update(delta.new.written_as)
            else:
                return

    def written(self, resource: str) -> Mapping[str, int]:
        """Objects of a resource of which only metadata is read, by each API version in which they were written."""
        return self._written.get(resource, Counter())


def _take(table: dict[str, T], kind: type[T], delta: Delta) -> None:
    if isinstance(delta.new, kind):
        table[delta.new.key] = delta.new
    elif delta.old is not None:
        table.pop(delta.old.key, None)
