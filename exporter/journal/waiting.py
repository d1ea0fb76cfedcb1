"""The changes that wait until the fold begins, which without an API server may be days."""

from typing import Final

from exporter.model.changes import Change, ProbeFinished

MOST: Final = 7200
"""Probe results that wait; half of them are dropped at once. Those were not measured, which nobody takes for good."""


class Waiting:
    """Keeps their order. Of probe results the latest: nothing else comes while the API server is away."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._results = 0

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, change: Change) -> None:
        """Let it wait."""
        self._changes.append(change)
        self._results += isinstance(change, ProbeFinished)
        if self._results > MOST:
            self._drop(MOST // 2)

    def release(self) -> list[Change]:
        """All that has waited; then nothing waits any more."""
        changes, self._changes, self._results = self._changes, [], 0
        return changes

    def _drop(self, count: int) -> None:
        """The oldest results; many at once, since that takes a look at everything."""
        kept: list[Change] = []
        left = count
        for change in self._changes:
            if left and isinstance(change, ProbeFinished):
                left -= 1
            else:
                kept.append(change)
        self._changes = kept
        self._results -= count
