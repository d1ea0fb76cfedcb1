"""Maintenance windows: cron's starts, UTC, and a length."""

import datetime as dt
import re

import pytest

from exporter import settings
from exporter.model import schedule


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-03-07T21:59:59", False),
        ("2026-03-07T22:00:00", True),
        ("2026-03-08T01:59:59.9", True),
        ("2026-03-08T02:00:00", False),
        ("2026-03-08T22:30:00", False),
    ],
)
def test_a_window_begins_with_its_start_and_ends_before_its_end(moment: str, *, inside: bool) -> None:
    saturday_night = "0 22 * * 6"
    assert schedule.contains(saturday_night, seconds=4 * 3600, at=at(moment)) is inside


@pytest.mark.parametrize(
    ("cron", "moment", "inside"),
    [
        ("*/15 * * * *", "2026-03-07T10:45:30", True),
        ("*/15 * * * *", "2026-03-07T10:46:30", False),
        ("5/20 * * * *", "2026-03-07T10:45:00", True),
        ("0 8-17/3 * * *", "2026-03-07T14:00:00", True),
        ("0 8-17/3 * * *", "2026-03-07T15:00:00", False),
        ("0 0 1,15 * *", "2026-03-15T00:00:10", True),
        ("0 0 * 4 *", "2026-03-15T00:00:10", False),
        ("0 0 * * 7", "2026-03-08T00:00:10", True),  # Sunday, by its other number
        ("0 0 * * 0", "2026-03-08T00:00:10", True),
        ("0 0 13 * 5", "2026-03-06T00:00:10", True),  # a Friday, and not the 13th
        ("0 0 13 * 5", "2026-03-13T00:00:10", True),
        ("0 0 13 * 5", "2026-03-12T00:00:10", False),
        ("0 0 */2 * 5", "2026-03-06T00:00:10", False),  # `*/2` does not count as restricted: both must hold
    ],
)
def test_fields_mean_what_they_mean_in_cron(cron: str, moment: str, *, inside: bool) -> None:
    assert re.search(settings.CRON, cron)
    assert schedule.contains(cron, seconds=60, at=at(moment)) is inside


@pytest.mark.parametrize(
    "cron",
    ["* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "@daily", "x"],
)
def test_what_is_no_cron_expression_does_not_match_the_pattern(cron: str) -> None:
    assert not re.search(settings.CRON, cron)


def test_a_wrong_number_of_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="4 fields"):
        schedule.contains("* * * *", seconds=60, at=0)


def test_no_expression_is_a_setting_too() -> None:
    assert re.search(settings.CRON, "")
