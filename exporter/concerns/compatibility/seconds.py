"""Whose second it was: the accounting of probe samples (design §2, `disruption`).

Each sample owns the one second in which it was sent; seconds without a sample are unmeasured. Two samples in a second:
the worse one counts. A bad second waits until the control probe's result for the same second must be known, and is then
charged once: to the cluster where the control probe failed too, to us where the failure was on our side, else it is
disruption. So the order in which results come in does not matter.
"""

import enum
import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from exporter.model import probing
from exporter.model.changes import ProbeFinished
from exporter.model.families import Distribution

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

WAIT: Final = probing.DEADLINE + 2
"""Seconds after the start of a second when everything sent in it must be known: a deadline, and some slack."""


class Outcome(enum.IntEnum):
    """Of a second, the worse the higher."""

    GOOD = 0
    CLIENT = 1
    FAILED = 2


class Window(NamedTuple):
    """The seconds that belong to a session."""

    start: float
    end: float

    def __contains__(self, second: object) -> bool:
        return isinstance(second, int) and self.start <= second < self.end


NO_WINDOW: Final = Window(math.inf, math.inf)


class Tally(msgspec.Struct, kw_only=True):
    """Seconds and failures of one probe over one kind of connection."""

    requests: int = 0
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    measured: int = 0
    disrupted: int = 0
    cluster: int = 0
    client: int = 0


class _Second(msgspec.Struct):
    outcome: Outcome
    charged: bool = False


class Track:
    """One probe over one kind of connection."""

    def __init__(self, probe: str, connection: str) -> None:
        self.probe = probe
        self.connection = connection
        self.total = Tally()
        self.session = Tally()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self.recent: dict[int, _Second] = {}
        """Seconds that may still change, at most a dozen."""

    def succeeded(self, seconds: float) -> None:
        """Note how long it took."""
        self._buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def durations(self) -> Distribution:
        """Of requests that succeeded, in seconds."""
        cumulative, count = [], 0
        for bucket in self._buckets:
            count += bucket
            cumulative.append(count)
        return Distribution(tuple(cumulative), self._seconds)


class Accounting:
    """All probes."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, str], Track] = {}
        self.next = math.inf
        """When a second can be closed."""
        self.due: float | None = None
        """When a bad second will be charged."""

    def __iter__(self) -> Iterator[Track]:
        return iter(track for _, track in sorted(self._tracks.items()))

    def begin(self) -> None:
        """A session begins."""
        for track in self._tracks.values():
            track.session = Tally()

    def take(self, change: ProbeFinished, window: Window) -> None:
        """Count a sample."""
        track = self._track(change.probe, change.connection)
        second = math.floor(change.sent)
        each = [track.total, track.session] if second in window else [track.total]
        outcome = Outcome.GOOD
        if change.reason:
            outcome = Outcome.CLIENT if change.reason in probing.OUR_SIDE else Outcome.FAILED
        else:
            track.succeeded(change.seconds)
        for tally in each:
            tally.requests += 1
            if change.reason:
                tally.failures[change.reason] = tally.failures.get(change.reason, 0) + 1
        known = track.recent.get(second)
        if known is not None:
            known.outcome = max(known.outcome, outcome)
        elif second + WAIT > change.at:
            track.recent[second] = _Second(outcome)
            for tally in each:
                tally.measured += 1
        else:
            return  # its second is closed: too late to say anything about it
        self._schedule(second, bad=outcome is not Outcome.GOOD)

    def settle(self, now: float, window: Window) -> None:
        """Close the seconds about which everything is known."""
        self._charge(window, until=now - WAIT)
        self.next, self.due = math.inf, None
        for track in self._tracks.values():
            track.recent = {second: state for second, state in track.recent.items() if second + WAIT > now}
            for second, state in track.recent.items():
                self._schedule(second, bad=state.outcome is not Outcome.GOOD and not state.charged)

    def end(self, window: Window) -> None:
        """The session ends now: charge the last bad seconds by what is known."""
        self._charge(window, until=math.inf)
        self.due = None

    def _track(self, probe: str, connection: str) -> Track:
        key = (probe, connection)
        if key not in self._tracks:
            self._tracks[key] = Track(probe, connection)
        return self._tracks[key]

    def _schedule(self, second: int, *, bad: bool) -> None:
        self.next = min(self.next, second + WAIT)
        if bad:
            self.due = second + WAIT if self.due is None else min(self.due, second + WAIT)

    def _charge(self, window: Window, *, until: float) -> None:
        for track in self._tracks.values():
            for second, state in track.recent.items():
                if state.outcome is Outcome.GOOD or state.charged or second > until:
                    continue
                state.charged = True
                each = [track.total, track.session] if second in window else [track.total]
                for tally in each:
                    if state.outcome is Outcome.CLIENT:
                        tally.client += 1
                    elif self._cluster_failed(track, second):
                        tally.cluster += 1
                    else:
                        tally.disrupted += 1

    def _cluster_failed(self, track: Track, second: int) -> bool:
        """The control probe failed in that second, over the same kind of connection if it uses it, else over any."""
        if track.probe == probing.CONTROL:
            return True
        outcomes = {
            connection: control.recent[second].outcome
            for (probe, connection), control in self._tracks.items()
            if probe == probing.CONTROL and second in control.recent
        }
        if track.connection in outcomes:
            return outcomes[track.connection] is Outcome.FAILED
        return Outcome.FAILED in outcomes.values()

    def snapshot(self) -> list[dict[str, Any]]:
        """The session's tallies, and bad seconds that are not charged yet."""
        return [
            {
                "probe": track.probe,
                "connection": track.connection,
                "session": msgspec.to_builtins(track.session),
                "bad": {
                    str(second): int(state.outcome)
                    for second, state in track.recent.items()
                    if state.outcome is not Outcome.GOOD and not state.charged
                },
            }
            for track in self
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Before any change."""
        for part in state:
            track = self._track(part["probe"], part["connection"])
            track.session = msgspec.convert(part["session"], Tally)
            for second, outcome in part["bad"].items():
                track.recent[int(second)] = _Second(Outcome(outcome))
                self._schedule(int(second), bad=True)
