"""Live migrations under way, and which of them have just finished.

KubeVirt keeps only the last five finished migrations of a guest, so they are counted when they finish, not in lists.
"""

from collections import Counter
from typing import Any

from exporter.model.changes import Delta
from exporter.model.objects import Migration
from exporter.tracker.newcomers import Newcomers

_KEPT = 2000


class Migrations:
    """Unfinished migrations by UID."""

    def __init__(self) -> None:
        self.unfinished: dict[str, Migration] = {}
        self._per_guest: Counter[str] = Counter()
        self._carried: frozenset[str] = frozenset()
        """UIDs that our predecessor knew as unfinished."""
        self._new = Newcomers()

    def migrates(self, vmi_key: str) -> bool:
        """An unfinished migration of this guest exists."""
        return self._per_guest[vmi_key] > 0

    def observe(self, delta: Delta, *, at: float, resumed_from: float | None) -> Migration | None:
        """Take a difference in; the migration if it is now known to have finished, and was not before."""
        old, new = delta.old, delta.new
        if isinstance(old, Migration) and self.unfinished.pop(old.uid, None) is not None:
            self._per_guest[old.vmi_key] -= 1
            if not self._per_guest[old.vmi_key]:
                del self._per_guest[old.vmi_key]
        if not isinstance(new, Migration):
            return None
        if not isinstance(old, Migration) or old.uid != new.uid:
            self._new.appeared(new.uid, created=new.created, at=at, initial=delta.initial)
        if not new.final:
            self.unfinished[new.uid] = new
            self._per_guest[new.vmi_key] += 1
            return None
        if isinstance(old, Migration) and old.uid == new.uid and old.final:
            return None
        if delta.initial:
            if resumed_from is None:
                return None
            if new.uid not in self._carried and (
                new.created is None or self._new.seen(new.uid, created=new.created, since=resumed_from)
            ):
                return None
        return new

    def snapshot(self) -> dict[str, Any]:
        """UIDs of what is unfinished, and what is new; bounded."""
        return {"unfinished": sorted(self.unfinished)[:_KEPT], "new": self._new.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Before the lists."""
        self._carried = frozenset(str(uid) for uid in state["unfinished"])
        self._new.restore(state["new"])
