"""When daemons are killed: as random as it gets, and the same for the same seed."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from tests.endurance.gate import Point, Request

LONGEST_START = 0.9
"""Seconds in which a daemon lists everything, as a rule."""
LONGEST_LEAST = 2.0
LONGEST_DOWN = 0.6
AFTER_A_LOSS = 6.0
"""Seconds after a guest was lost in which it is judged, and written down."""


class AtMoment(NamedTuple):
    """So many seconds after the story's beginning, but not before the daemon has lived so long."""

    seconds: float
    least: float


class AfterStart(NamedTuple):
    """So many seconds after the daemon's own beginning."""

    seconds: float


class InRequest(NamedTuple):
    """While the journal sends something."""

    request: Request
    point: Point


class Kill(NamedTuple):
    """A daemon ends at a moment, and the next one begins so many seconds later."""

    when: AtMoment | AfterStart | InRequest
    down: float


def plan(rng: random.Random, count: int, *, length: float, losses: Sequence[float]) -> list[Kill]:
    """Kills of one story of this length, in which guests are lost at these moments.

    Of the moments there is one in each of equally long parts of the story, and two around each loss; in between daemons
    die of what they have just begun. Every other story has its first one die while the report is created.
    """
    creation = [InRequest(Request.CREATION, rng.choice(list(Point)))] if rng.random() < 1 / 2 else []
    around = [loss + rng.uniform(-0.5, AFTER_A_LOSS) for loss in losses for _ in range(2)]
    left = count - len(creation) - len(around)
    part = length / max(1, left // 2)
    spread = [(number + rng.random()) * part for number in range(left // 2)]
    kills: list[tuple[float, AtMoment | AfterStart | InRequest]] = [
        (at, AtMoment(at, rng.uniform(0.2, LONGEST_LEAST))) for at in (*spread, *around)
    ]
    for number in range(left - len(spread)):
        when: AfterStart | InRequest = AfterStart(rng.uniform(0.0, LONGEST_START))
        if number % 2:
            request = rng.choices([Request.STATUS, Request.LEASE], weights=[3, 1])[0]
            when = InRequest(request, rng.choice(list(Point)))
        kills.append((rng.uniform(0.0, length), when))
    kills.sort(key=lambda kill: kill[0])
    return [Kill(when, rng.uniform(0.0, LONGEST_DOWN)) for when in [*creation, *(when for _, when in kills)][:count]]
