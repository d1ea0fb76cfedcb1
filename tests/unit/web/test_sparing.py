"""How often an answer is made."""

import pytest

from exporter.web import sparing
from exporter.web.sparing import Sparing


class Kitchen:
    """Makes answers; each takes its time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.takes = 0.1
        self.made = 0

    def time(self) -> float:
        return self.now

    def make(self) -> bytes:
        self.now += self.takes
        self.made += 1
        return b"%d" % self.made


def test_an_answer_is_good_for_thirty_times_as_long_as_it_took() -> None:
    kitchen = Kitchen()
    kept = Sparing(monotonic=kitchen.time)
    assert kept.get("a", kitchen.make) == b"1"
    kitchen.now += 0.1 * sparing.TIMES - 0.01
    assert kept.get("a", kitchen.make) == b"1"
    kitchen.now += 0.01
    assert kept.get("a", kitchen.make) == b"2"


def test_each_kind_has_its_own() -> None:
    kitchen = Kitchen()
    kept = Sparing(monotonic=kitchen.time)
    assert [kept.get("a", kitchen.make), kept.get("b", kitchen.make), kept.get("a", kitchen.make)] == [b"1", b"2", b"1"]


def test_none_gets_old() -> None:
    kitchen = Kitchen()
    kitchen.takes = 10.0
    kept = Sparing(monotonic=kitchen.time)
    kept.get("a", kitchen.make)
    kitchen.now += sparing.LONGEST
    assert kept.get("a", kitchen.make) == b"2"


def test_what_cannot_be_made_is_tried_again() -> None:
    kitchen = Kitchen()
    kept = Sparing(monotonic=kitchen.time)

    def fail() -> bytes:
        raise ValueError("burnt")

    with pytest.raises(ValueError, match="burnt"):
        kept.get("a", fail)
    assert kept.get("a", kitchen.make) == b"1"
