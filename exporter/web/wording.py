"""How the page says things: moments, durations, amounts, and the tones that mean the same everywhere.

A tone is always said in words, too: colour alone tells a colour-blind or tired reader nothing.
"""

import datetime as dt
import enum
from typing import Final

from exporter.report import encode
from exporter.web.markup import Html, el

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
_STEPS: Final = ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1, "s"))


class Tone(enum.Enum):
    """What a colour means."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"
    PLAIN = "plain"
    """Neither good nor bad: how far something is."""
    MUTED = "muted"
    """Nothing to see here."""


MARKS: Final = {Tone.OK: "✓", Tone.WARN: "!", Tone.BAD: "✕", Tone.UNKNOWN: "?", Tone.PLAIN: "•", Tone.MUTED: "·"}


def badge(tone: Tone, word: str) -> Html:
    """A word in its tone, with a mark that tells tones apart without colour."""
    if tone is Tone.MUTED:
        return muted(word)
    return el("span", el("span", MARKS[tone], aria_hidden="true"), f" {word}", class_=f"badge {tone.value}")


def muted(text: str) -> Html:
    """What matters less."""
    return el("span", text, class_="muted")


def amount(number: float | None) -> Html:
    """A number; what was not observed is said to be unknown, never shown as 0."""
    if number is None:
        return muted("unknown")
    return el("span", f"{number:,.10g}".replace(",", "\N{NARROW NO-BREAK SPACE}"))


def duration(seconds: float) -> str:
    """For people: two units at most, tenths only below a minute."""
    if round(seconds, 1) < MINUTE:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    unit, name, smaller, smaller_name = next(step for step in _STEPS if whole >= step[0])
    rest = whole % unit // smaller
    return f"{whole // unit} {name} {rest} {smaller_name}" if rest else f"{whole // unit} {name}"


def ago(at: float, now: float) -> str:
    """How long before now; a moment in the future (clocks differ) is now."""
    return f"{duration(float(round(max(0.0, now - at))))} ago"


def moment(at: float, now: float) -> Html:
    """A moment in UTC, without its date where that is today's."""
    then, today = (dt.datetime.fromtimestamp(seconds, tz=dt.UTC) for seconds in (at, now))
    text = then.strftime("%H:%M:%S" if then.date() == today.date() else "%Y-%m-%d %H:%M:%S")
    return el("time", text, datetime=encode.moment(at), title=f"{encode.moment(at)}, {ago(at, now)}")


def percent(ratio: float) -> str:
    """Rounded down: 100 % is said of what is complete, and of nothing else."""
    return f"{int(ratio * 100 + 1e-9)} %"
