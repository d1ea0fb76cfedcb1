"""The one clock of the live program: wall time that never goes back."""

import time
from collections.abc import Callable


class Clock:
    """Wall time at the start plus what the monotonic clock has counted since.

    A step of the wall clock (NTP, a person) does not reach us: durations stay true, and `Change.at` never decreases.
    """

    def __init__(
        self, *, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """Unix seconds."""
        return self._monotonic() + self._offset
