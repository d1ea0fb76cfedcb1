"""How long to wait before the next attempt."""

import random

import pytest

from exporter.kube.backoff import MOST_PATIENT, Backoff


class Highest(random.Random):
    """Draws the greatest number it may."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_limit_doubles_up_to_the_cap_and_starts_again_after_a_success() -> None:
    backoff = Backoff(base=0.5, cap=5, rng=Highest())
    assert [backoff.next() for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next() == 0.5


def test_jitter_is_full() -> None:
    """A wait is anything between nothing and the limit: a thousand clients do not come back together."""
    rng = random.Random(1)
    waits = [Backoff(base=8, cap=8, rng=rng).next() for _ in range(1000)]
    assert min(waits) < 0.1
    assert max(waits) > 7.9


@pytest.mark.parametrize(("asked", "least"), [(None, 0), (0, 0), (7, 7), (86_400, MOST_PATIENT)])
def test_server_gets_the_time_it_asks_for(asked: float | None, least: float) -> None:
    assert Backoff(base=0.5, cap=5, rng=Highest()).next(asked=asked) == least + 0.5


def test_many_failures_do_not_overflow() -> None:
    backoff = Backoff(base=0.5, cap=30, rng=Highest())
    backoff.attempts = 100_000
    assert backoff.next() == 30
