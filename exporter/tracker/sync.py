"""Which resources we know, and the time in which we did not.

Unobserved time is the union of the intervals in which we were absent, or in which a deciding resource stayed out of
sync for longer than a threshold. Shorter gaps do not count: CRD updates cut the watches of every upgrade.
"""

from typing import Any

from exporter.model import resources
from exporter.model.changes import Change, ListReplaced, ObjectChanged, Sync, SyncChanged

_INTERVALS_KEPT = 200
_LISTED = (Sync.SYNCED, Sync.INTERRUPTED)


class SyncTable:
    """State per resource, and the unobserved intervals since the last `forget_before`."""

    def __init__(self, *, unobserved_after: float) -> None:
        self._after = unobserved_after
        self._states: dict[str, Sync] = {}
        self._lost_since: dict[str, float] = {}
        self._intervals: list[tuple[float, float]] = []
        self._absent_since: float | None = None
        self._undecided = set(resources.DECIDING)

    @property
    def ready(self) -> bool:
        """Every deciding resource is listed or known to be absent or forbidden."""
        return not self._undecided

    def state(self, resource: str) -> Sync:
        """What we know about a resource."""
        return self._states.get(resource, Sync.UNKNOWN)

    def known(self, resource: str) -> bool:
        """Its objects can be counted (a watch that is cut for a moment does not unmake what we know)."""
        return self._states.get(resource) in _LISTED

    def blind(self) -> tuple[str, ...]:
        """Deciding resources that we may not read."""
        return tuple(sorted(r for r in resources.DECIDING if self.state(r) is Sync.FORBIDDEN))

    def observe(self, change: Change) -> None:
        """Take in what a change says about its resource."""
        match change:
            case ObjectChanged():
                pass  # by far the most
            case ListReplaced(at=at, resource=resource):
                self._move(resource, Sync.SYNCED, at)
            case SyncChanged(at=at, resource=resource, state=state):
                self._move(resource, state, at)
            case _:
                pass

    def _move(self, resource: str, state: Sync, at: float) -> None:
        self._states[resource] = state
        if resource not in resources.DECIDING:
            return
        if state is Sync.INTERRUPTED or state is Sync.FORBIDDEN:
            self._lost_since.setdefault(resource, at)
        else:
            since = self._lost_since.pop(resource, None)
            if since is not None and at - since > self._after:
                self._add(since, at)
        if state is not Sync.INTERRUPTED:
            self._undecided.discard(resource)
        if self._absent_since is not None and self.ready:
            self._add(self._absent_since, at)
            self._absent_since = None

    def _add(self, start: float, end: float) -> None:
        merged: list[tuple[float, float]] = []
        for a, b in sorted([*self._intervals, (start, end)]):
            if merged and a <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], b))
            else:
                merged.append((a, b))
        self._intervals = merged[-_INTERVALS_KEPT:]

    def forget_before(self, at: float) -> None:
        """A session begins: what was unobserved before it is not its business."""
        self._intervals = [(max(a, at), b) for a, b in self._intervals if b > at]
        self._lost_since = {r: max(since, at) for r, since in self._lost_since.items()}

    def unobserved(self, now: float) -> float:
        """Seconds, up to now."""
        probe = SyncTable(unobserved_after=self._after)
        probe._intervals = list(self._intervals)
        for since in self._lost_since.values():
            if now - since > self._after:
                probe._add(since, now)
        if self._absent_since is not None:
            probe._add(self._absent_since, max(now, self._absent_since))
        return sum(max(0.0, min(b, now) - a) for a, b in probe._intervals)

    def snapshot(self) -> dict[str, Any]:
        """The intervals; states are learnt anew after a restart."""
        return {"intervals": [list(i) for i in self._intervals], "lost": dict(self._lost_since)}

    def restore(self, state: dict[str, Any], *, last: float | None) -> None:
        """We were absent since `last`, until every deciding resource is listed again; None: it does not matter."""
        self._intervals = [(float(a), float(b)) for a, b in state["intervals"]]
        self._lost_since = {r: float(since) for r, since in state["lost"].items()}
        self._absent_since = last
