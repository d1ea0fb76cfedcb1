"""Faults on demand: what goes wrong with which requests, how often, for how long.

A `Fault` says what happens and to which requests; the table remembers how often it has struck. How a fault looks on the
wire is `api.server`'s and `api.watching`'s business.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporter.sim.refusals import Refusal

_REASONS = {403: "Forbidden", 404: "NotFound", 410: "Expired", 429: "TooManyRequests", 503: "ServiceUnavailable"}


class Harm(enum.Enum):
    """What happens to a request."""

    REFUSED = "refused"  # nobody listens on the port, connections that were open are reset; concerns every request
    RESET = "reset"  # the connection is reset instead of an answer
    HANG = "hang"  # no answer, ever
    SLOW = "slow"  # the answer comes after `delay` seconds, and then at `bytes_per_second`
    CUT = "cut"  # the connection ends in the middle of the answer, for a watch in the middle of a line
    SILENCE = "silence"  # a watch opens and nothing is ever sent
    STATUS = "status"  # an error with HTTP `code`; `in_stream`: as ERROR event of a watch that answers 200
    MALFORMED = "malformed"  # one object of the answer has fields of wrong types
    GARBLED = "garbled"  # one object of the answer, or one line of a watch, is not JSON
    STALE = "stale"  # a list answers what was true when the fault began


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Requests match if every given filter does; `times` or (simulated) `seconds` end it."""

    harm: Harm
    method: str = ""
    path: str = ""  # a regular expression that must match somewhere in the path
    resource: str = ""  # plural.group
    verb: str = ""  # get, list, watch, create, update, patch, delete
    times: int | None = None
    seconds: float | None = None
    code: int = 500
    message: str = "injected fault"
    retry_after: int | None = None
    in_stream: bool = False
    delay: float = 0.0
    bytes_per_second: int | None = None

    def __post_init__(self) -> None:
        if self.harm is Harm.REFUSED and (self.method or self.path or self.resource or self.verb or self.times):
            msg = "a refused connection has no request yet: `refused` takes no filter and no number of times"
            raise ValueError(msg)

    def strikes(self, *, method: str, path: str, resource: str, verb: str) -> bool:
        return (
            (not self.method or self.method == method)
            and (not self.path or re.search(self.path, path) is not None)
            and (not self.resource or self.resource == resource)
            and (not self.verb or self.verb == verb)
        )


@dataclass(slots=True, eq=False)
class Active:
    """A fault that is on. `hits` counts the requests it struck."""

    fault: Fault
    since: float
    hits: int = 0
    removed: bool = False

    @property
    def refusal(self) -> Refusal:
        """The error of a `status` fault."""
        fault = self.fault
        details = None if fault.retry_after is None else {"retryAfterSeconds": fault.retry_after}
        return Refusal(fault.code, _REASONS.get(fault.code, "InternalError"), fault.message, details=details)

    def over(self, now: float) -> bool:
        fault = self.fault
        spent = fault.times is not None and self.hits >= fault.times
        expired = fault.seconds is not None and now >= self.since + fault.seconds
        return self.removed or spent or expired


class FaultTable:
    """The faults that are on. `clock` gives simulated time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._active: list[Active] = []
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def __iter__(self) -> Iterator[Active]:
        return iter(self._active)

    def add(self, fault: Fault) -> Active:
        active = Active(fault=fault, since=self._clock())
        self._active.append(active)
        self._changed()
        return active

    def remove(self, active: Active) -> None:
        active.removed = True
        self.expire()

    def clear(self) -> None:
        self._active.clear()
        self._changed()

    def expire(self) -> None:
        """Drop what is over; whoever moves the clock calls this."""
        now = self._clock()
        left = [active for active in self._active if not active.over(now)]
        if len(left) != len(self._active):
            self._active = left
            self._changed()

    @property
    def refusing(self) -> bool:
        self.expire()
        return any(active.fault.harm is Harm.REFUSED for active in self._active)

    def strike(self, *, method: str, path: str, resource: str, verb: str) -> Active | None:
        """The first fault for this request, counted as a hit."""
        self.expire()
        for active in self._active:
            harm = active.fault.harm
            if harm is Harm.REFUSED or not active.fault.strikes(method=method, path=path, resource=resource, verb=verb):
                continue
            if harm is Harm.STALE and verb != "list":
                continue
            if harm is Harm.SILENCE and verb != "watch":
                continue
            active.hits += 1
            return active
        return None

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
