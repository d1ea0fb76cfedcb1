"""Maintenance windows: a cron expression for their starts, in UTC, and a length.

Numbers, `*`, lists, ranges and steps; weekdays 0 to 7, Sunday is both ends. As in cron, where day and weekday are both
restricted, either is enough.
"""

import datetime as dt
import functools
from typing import Final, NamedTuple

_BOUNDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MINUTE: Final = 60


class _Cron(NamedTuple):
    """The values each field allows."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Day and weekday are both restricted: one of them is enough."""

    def starts(self, at: dt.datetime) -> bool:
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return (
            at.minute in self.minutes
            and at.hour in self.hours
            and at.month in self.months
            and ((day or weekday) if self.either else (day and weekday))
        )


@functools.lru_cache(maxsize=8)
def contains(cron: str, *, seconds: float, at: float) -> bool:
    """Whether a window of that many seconds that the expression starts is open at a time (Unix seconds).

    Raises ValueError: it is not five fields of numbers. `exporter.settings.CRON` says exactly what is understood.
    """
    parsed = _parse(cron)
    start = at // _MINUTE * _MINUTE
    while start + seconds > at:
        if parsed.starts(dt.datetime.fromtimestamp(start, tz=dt.UTC)):
            return True
        start -= _MINUTE
    return False


def _parse(cron: str) -> _Cron:
    fields = cron.split()
    if len(fields) != len(_BOUNDS):
        raise ValueError(f"{cron!r} has {len(fields)} fields, cron has {len(_BOUNDS)}")
    minutes, hours, days, months, weekdays = (
        frozenset(value for part in field.split(",") for value in _values(part, *bounds))
        for field, bounds in zip(fields, _BOUNDS, strict=True)
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return _Cron(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either)


def _values(part: str, least: int, most: int) -> range:
    numbers, _, step = part.partition("/")
    if numbers == "*":
        first, last = least, most
    else:
        low, dash, high = numbers.partition("-")
        first = int(low)
        last = int(high) if dash else (most if step else first)
    return range(first, last + 1, int(step or 1))
