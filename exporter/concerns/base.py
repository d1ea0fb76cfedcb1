"""What a concern is: a fold of its own beside the tracker's, with samples and a part of the report to show for it."""

from collections.abc import Iterable
from typing import Any, Protocol

from exporter.model.changes import Change
from exporter.model.families import Family, Sample
from exporter.tracker.sessions import Transition
from exporter.tracker.tracker import View


class Concern(Protocol):
    """One question about the cluster. Pure: no I/O, no clock, no logging; O(1) a change.

    The fold calls `session` for each transition before it calls `observe` with the change that caused it.
    """

    name: str
    families: tuple[Family, ...]

    def session(self, transition: Transition, view: View) -> None:
        """A session began or ended."""

    def observe(self, change: Change, view: View) -> None:
        """Take a change in; the view is already up to date with it."""

    def deadline(self) -> float | None:
        """When this concern next wants a `TimePassed`, or None."""

    def samples(self, now: float, view: View) -> Iterable[Sample]:
        """What is true now."""

    def snapshot(self) -> dict[str, Any]:
        """Everything a restart needs, as JSON values, bounded however large the cluster is."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take a snapshot in, before any change."""
