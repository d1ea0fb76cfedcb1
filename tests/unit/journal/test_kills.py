"""Killed at 100 random moments of a clean and of an interrupted upgrade: the report is the one without kills.

In free time, without processes: `tests/endurance` has real ones. What may differ: `comparing`.
"""

import pathlib
import random

import pytest

from tests.unit.journal import comparing
from tests.unit.journal.lives import Kill, Lives, cluster, story

SEED = 20260819
RUNS = 10
KILLS = 10
"""In each run; 100 in all."""


@pytest.mark.parametrize("scenario", ["clean", "guest-evicted"])
async def test_a_hundred_kills_lose_nothing_and_count_nothing_twice(scenario: str, tmp_path: pathlib.Path) -> None:
    told = story(scenario, tmp_path)
    rng = random.Random(f"{SEED}/{scenario}")
    async with cluster(tmp_path) as here:
        expected = await Lives(here.reports).play(told)
        assert expected.ended_at is not None
        assert expected.continuity.unobserved_seconds == 0
        resumed = 0
        for _ in range(RUNS):
            await here.clear()
            moments = [rng.uniform(expected.started_at - 20, expected.ended_at) for _ in range(KILLS)]
            lives = Lives(here.reports)
            got = await lives.play(told, [Kill(moment, rng.uniform(0.5, 20)) for moment in moments])
            comparing.compare(got, expected, lives.blind)
            late = comparing.LATE * (1 + len(lives.blind))
            assert got.continuity.unobserved_seconds == pytest.approx(comparing.length(lives.blind, got), abs=late)
            resumed += len(lives.blind)
        assert resumed > RUNS * KILLS / 2, "most kills must fall into the session, and lives must go on from others"
