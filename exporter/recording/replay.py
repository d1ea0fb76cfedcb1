"""Folds a recording, to its end and no further, unless quiet is assumed after it."""

from typing import Protocol

from exporter import errors
from exporter.model.changes import Change, TimePassed
from exporter.recording.quiet import Quiet
from exporter.recording.reader import Recording


class Fold(Protocol):
    """What is asked of `exporter.fold.Fold` here."""

    @property
    def active(self) -> bool:
        """A session is under way."""

    def feed(self, change: Change) -> None:
        """Take a change in, after the deadlines that are due before it."""

    def deadline(self) -> float | None:
        """When the fold next wants a `TimePassed`."""


def replay(recording: Recording, fold: Fold, *, at: float | None = None, quiet: Quiet | None = None) -> float:
    """Feed the changes of a recording, then the deadlines up to its end, and return the time reached, in Unix seconds.

    `at` stops that many seconds after the recording's start. Where there is to be `quiet` after the end, it goes on
    until no session is under way.

    Raises UsageError: `at` lies beyond the end. Raises UnreadableError as the recording does.
    """
    stop = None if at is None else recording.started + at
    for change in recording.changes():
        if stop is not None and change.at > stop:
            break
        if quiet is not None:
            quiet.observe(change)
        fold.feed(change)
    else:
        if stop is not None and stop > recording.ended:
            length = recording.ended - recording.started
            raise errors.UsageError(f"--at {at:g}: the recording ends after {length:.1f} s")
    now = recording.ended if stop is None else stop
    while (due := fold.deadline()) is not None and due <= now:
        fold.feed(TimePassed(at=due))
    while quiet is not None and fold.active and (due := fold.deadline()) is not None:
        for renewal in quiet.changes(now, due):
            fold.feed(renewal)
        fold.feed(TimePassed(at=due))
        now = max(now, due)
    return now
