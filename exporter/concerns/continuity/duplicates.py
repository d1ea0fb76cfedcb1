"""Two launchers of one guest for longer than a migration explains: the sign of a possible split brain.

Normal for 1-2 s after every migration (recordings), so it counts only after 60 s without an unfinished migration,
pods within their own termination grace apart (design §2; kubevirt#15373, #16622, #15711). Time in which launchers or
migrations are not watched does not count: what explains the two may have happened unseen.
"""

import msgspec

from exporter.model import resources
from exporter.model.changes import Sync
from exporter.tracker.tracker import View


class Crowd(msgspec.Struct, kw_only=True):
    """A guest with more than one launcher running."""

    key: str
    since: float | None
    """Since when nothing explains it; None while something does."""
    counted: bool = False


class Duplicates:
    """Crowds by VMI UID."""

    def __init__(self, *, after: float) -> None:
        self._after = after
        self._crowds: dict[str, Crowd] = {}

    def look(self, at: float, view: View) -> list[str]:
        """Compare with the launchers there are; keys of guests for which it has now lasted too long."""
        if not _watched(view):
            for crowd in self._crowds.values():
                crowd.since = crowd.since if crowd.counted else None
            return []
        crowded = view.launchers.crowded
        for uid in [uid for uid in self._crowds if uid not in crowded]:
            del self._crowds[uid]
        found: list[str] = []
        for uid, pods in crowded.items():
            pod = next(iter(pods.values()))
            key = f"{pod.namespace}/{pod.owner}"
            crowd = self._crowds.setdefault(uid, Crowd(key=key, since=None))
            staying = sum(1 for p in pods.values() if p.deleted is None or at >= p.deleted)
            if staying < _TWO or view.migrations.migrates(key):
                crowd.since, crowd.counted = None, False
            elif crowd.since is None:
                crowd.since = at
            if crowd.since is not None and not crowd.counted and at - crowd.since >= self._after:
                crowd.counted = True
                found.append(key)
        return found

    @property
    def watching(self) -> bool:
        """There is something to look at again."""
        return bool(self._crowds)

    @property
    def lasting(self) -> int:
        """Guests in that state now."""
        return sum(1 for crowd in self._crowds.values() if crowd.counted)

    def deadline(self, last: float, view: View) -> float | None:
        """When a crowd becomes a duplicate, or a pod's grace ends."""
        times = [c.since + self._after for c in self._crowds.values() if c.since is not None and not c.counted]
        for uid in self._crowds:
            pods = view.launchers.crowded.get(uid, {})
            times.extend(p.deleted for p in pods.values() if p.deleted is not None and p.deleted > last)
        return min(times, default=None)

    def snapshot(self) -> dict[str, Crowd]:
        """Bounded by the number of guests in that state, which is a handful; cut at 200."""
        return dict(sorted(self._crowds.items())[:200])

    def restore(self, state: dict[str, Crowd]) -> None:
        """Before the lists."""
        self._crowds = dict(state)


def _watched(view: View) -> bool:
    return all(
        view.sync.state(resource) in (Sync.SYNCED, Sync.ABSENT)
        for resource in (resources.LAUNCHERS, resources.MIGRATIONS)
    )


_TWO = 2
