"""Answers that are made anew only as often as we can afford: whoever asks all the time must not slow the watching down.

The event loop that serves also watches and probes. An answer that took 30 ms is given again for a second, one that took
1 ms for 30 ms: asking faster than that costs us nothing, and each kind of answer takes at most a thirtieth of our time.
"""

import time
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

TIMES: Final = 30.0
"""An answer is good for so many times the seconds that it took."""
LONGEST: Final = 5.0
"""Seconds for which one is good at most: nobody scrapes more seldom than that and minds its age."""


class _Made(NamedTuple):
    body: bytes
    until: float


class Sparing:
    """Keeps the last answer of each kind. There must be few kinds."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._made: dict[Hashable, _Made] = {}

    def get(self, kind: Hashable, make: Callable[[], bytes]) -> bytes:
        """The answer of this kind, made now unless the last one is still good. Raises what `make` raises."""
        began = self._monotonic()
        made = self._made.get(kind)
        if made is None or began >= made.until:
            body = make()
            ended = self._monotonic()
            made = self._made[kind] = _Made(body, ended + min(LONGEST, TIMES * (ended - began)))
        return made.body
