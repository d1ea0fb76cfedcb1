"""What appeared lately: for telling, after a restart, what our predecessor had seen from what came after its last word.

Creation times say it for what is older or younger by more than a minute. In between they do not: they have whole
seconds, and are of the API server's clock. So newcomers are kept by name for as long as that can matter.
"""

import zlib
from collections.abc import Sequence

_LATELY = 60.0
"""Seconds; clocks may differ by as much. What appeared before twice that time was created before this time."""
_KEPT = 1000


class Newcomers:
    """Names of what appeared, as hashes."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._known: frozenset[int] | None = frozenset()
        """What had appeared lately when our predecessor wrote; None where it was too much to keep."""

    def appeared(self, name: str, *, created: float | None, at: float, initial: bool) -> None:
        """Note it, in a first list only where it is new."""
        if initial and (created is None or created < at - _LATELY):
            return
        self._at.pop(name_hash(name), None)
        self._at[name_hash(name)] = at
        while self._at and (oldest := next(iter(self._at.items())))[1] < at - 2 * _LATELY:
            del self._at[oldest[0]]

    def seen(self, name: str, *, created: float | None, since: float) -> bool:
        """Our predecessor, whose last word was at `since`, had seen it."""
        if created is None or created > since + _LATELY:
            return False
        if created < since - _LATELY or self._known is None:
            return created <= since
        return name_hash(name) in self._known

    def snapshot(self) -> list[int] | None:
        """Bounded; in no order."""
        return list(self._at) if len(self._at) <= _KEPT else None

    def restore(self, state: Sequence[int] | None) -> None:
        """Before any change."""
        self._known = None if state is None else frozenset(state)


def name_hash(name: str) -> int:
    """Short, and the same in every process."""
    return zlib.crc32(name.encode())
