"""Whether a session began in the maintenance window, which is a setting."""

import datetime as dt

import pytest

from exporter.concerns import session
from exporter.settings import Settings
from tests import builders
from tests.unit.concerns.streams import Stream

SATURDAY_NIGHT = Settings(maintenance_window="0 22 * * 6", maintenance_window_length=3600.0)


def began(at: str, settings: Settings) -> Stream[session.Session]:
    """A cluster whose CR gets a new target at that time."""
    stream = Stream(
        session.Session(), now=dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC).timestamp(), settings=settings
    )
    stream.lists(builders.kubevirt(), *map(builders.workload, (builders.OPERATOR, builders.CONTROLLER)))
    assert stream.value(session.WINDOW) is None
    stream.put(builders.kubevirt(target=builders.NEW, observed=builders.OLD))
    assert stream.value(session.IN_PROGRESS) == 1
    return stream


@pytest.mark.parametrize(("at", "inside"), [("2026-03-07T22:30:00", 1), ("2026-03-07T21:30:00", 0)])
def test_a_session_began_in_the_window_or_not_and_that_stays_so(at: str, inside: float) -> None:
    stream = began(at, SATURDAY_NIGHT)
    assert stream.value(session.WINDOW) == inside
    stream.wait(3600)
    assert stream.value(session.WINDOW) == inside


def test_without_a_window_nothing_is_said() -> None:
    assert began("2026-03-07T22:30:00", Settings()).value(session.WINDOW) is None
