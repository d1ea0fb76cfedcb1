"""The objectives of `alerts/slos.yaml`, typed."""

import pathlib
from typing import Annotated, Final

import msgspec

PATH: Final = pathlib.Path(__file__).parents[1] / "slos.yaml"

_Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown keys are mistakes."""


class Window(_Part, frozen=True, kw_only=True):
    """A pair of windows in which budget must not go too fast."""

    long: str
    short: str
    budget: _Share

    def burn_rate(self, period_days: int) -> float:
        """How many times faster than allowed the budget goes when `budget` of it goes within `long`."""
        return round(self.budget * period_days * 24 / _hours(self.long), 3)


class Session(_Part, frozen=True, kw_only=True):
    """When to warn in a session."""

    warn_above: _Share | None = None
    projected: bool = False


class Period(_Part, frozen=True, kw_only=True):
    """The objective for all the time; series are selectors of counters in seconds."""

    objective: _Share
    bad: str
    all: tuple[str, ...]
    worst_of: tuple[str, ...] = ()


class Slo(_Part, frozen=True, kw_only=True):
    """One objective."""

    slo: str
    question: str
    session: Session
    period: Period | None = None


class Objectives(_Part, frozen=True, kw_only=True):
    """The file."""

    service: str
    period_days: int
    windows: tuple[Window, ...]
    slos: tuple[Slo, ...]

    @property
    def lengths(self) -> tuple[str, ...]:
        """All windows, shortest first."""
        found = {length for window in self.windows for length in (window.long, window.short)}
        return tuple(sorted(found, key=_hours))


def read() -> Objectives:
    """The objectives.

    Raises msgspec.ValidationError: the file says something else than it may.
    """
    return msgspec.yaml.decode(PATH.read_bytes(), type=Objectives)


def _hours(length: str) -> float:
    return int(length[:-1]) * {"m": 1 / 60, "h": 1, "d": 24}[length[-1]]
