"""What a check is, and the words it uses to say what it found."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from exporter.model.findings import State
from exporter.preflight.world import World

NAMED: Final = 10
"""Objects named in one finding; the rest is counted."""


class Said(NamedTuple):
    """A finding before it is known whose it is."""

    state: State
    summary: str
    details: tuple[str, ...]


class Check(Protocol):
    """A module of `exporter.preflight.checks`: its name, with dashes, is the check's."""

    def check(self, world: World) -> Iterator[Said]:
        """At least one finding. Raises CannotTell."""


def passes(summary: str, details: Iterable[str] = ()) -> Said:
    """All is well."""
    return Said(State.PASS, summary, tuple(details))


def warns(summary: str, details: Iterable[str] = ()) -> Said:
    """Somebody should know; it need not hold the upgrade."""
    return Said(State.WARN, summary, tuple(details))


def fails(summary: str, details: Iterable[str] = ()) -> Said:
    """Do not upgrade like this."""
    return Said(State.FAIL, summary, tuple(details))


def unknown(summary: str, details: Iterable[str] = ()) -> Said:
    """It could not be checked."""
    return Said(State.UNKNOWN, summary, tuple(details))


def named(lines: Sequence[str]) -> Iterator[str]:
    """The first lines, and how many more there are."""
    yield from lines[:NAMED]
    if len(lines) > NAMED:
        yield f"... and {len(lines) - NAMED} more"


def count(number: int, thing: str) -> str:
    """`1 guest`, `2 guests`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
