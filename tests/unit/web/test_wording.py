"""Wording: durations, moments and amounts as people read them."""

import pytest

from exporter.web import wording
from exporter.web.wording import Tone

NOON = 1_760_011_200.0  # 2025-10-09 12:00:00 UTC


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (17.64, "17.6 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599.6, "1 h"),
        (3661, "1 h 1 min"),
        (86_400 * 3 + 7200, "3 d 2 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_unknown_is_not_zero() -> None:
    assert "unknown" in wording.amount(None)
    assert wording.amount(0) == "<span>0</span>"


def test_large_amounts_are_grouped() -> None:
    assert wording.amount(50_000) == "<span>50\N{NARROW NO-BREAK SPACE}000</span>"


@pytest.mark.parametrize(
    ("ratio", "text"), [(0, "0 %"), (0.29, "29 %"), (0.9999, "99 %"), (1, "100 %"), (2.5, "250 %")]
)
def test_a_hundred_percent_is_only_what_is_complete(ratio: float, text: str) -> None:
    assert wording.percent(ratio) == text


def test_a_moment_of_another_day_has_its_date() -> None:
    assert ">12:00:00</time>" in wording.moment(NOON, NOON + 60)
    assert ">2025-10-09 12:00:00</time>" in wording.moment(NOON, NOON + 86_400)
    assert 'datetime="2025-10-09T12:00:00.000Z"' in wording.moment(NOON, NOON)


def test_a_clock_ahead_of_ours_makes_no_negative_time() -> None:
    assert wording.ago(NOON + 5, NOON) == "0 s ago"


def test_every_tone_has_a_mark_of_its_own() -> None:
    marks = {wording.badge(tone, "").partition(">")[2] for tone in Tone}
    assert len(marks) == len(Tone)
