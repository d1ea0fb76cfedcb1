"""How long to wait before the next attempt."""

import random
from typing import Final

MOST_PATIENT: Final = 300.0
"""Seconds a server may ask us to wait; one that asks for more is taken to be mistaken."""


class Backoff:
    """Exponential with full jitter: anything up to a limit that doubles with each attempt, so that clients spread."""

    def __init__(self, *, base: float, cap: float, rng: random.Random) -> None:
        self._base = base
        self._cap = cap
        self._rng = rng
        self.attempts = 0
        """Since the last success."""

    def reset(self) -> None:
        """It worked."""
        self.attempts = 0

    def next(self, *, asked: float | None = None) -> float:
        """Seconds to wait after another failure: what the server asked for, and the jitter on top."""
        limit = min(self._cap, self._base * 2.0 ** min(self.attempts, 30))
        self.attempts += 1
        return min(asked or 0.0, MOST_PATIENT) + self._rng.uniform(0.0, limit)
