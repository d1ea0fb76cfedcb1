"""Sends the probes on time, however long earlier ones take, and says what came of each.

Each probe and kind of connection has a task of its own that counts whole seconds: every one in a session, every
fifteenth otherwise. Requests are tasks of their own, so that one that hangs delays nothing; a request ends at its
deadline, so their number is bounded. A second that has passed before we could send is not measured.

A probe that has never succeeded and is answered with 403 or 404 is not measured at all: we may not ask, or the cluster
does not serve it. Once it has succeeded, the same answers are failures.
"""

import asyncio
import enum
import logging
import math
from collections.abc import Callable, Sequence
from typing import Final

from exporter import errors
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model import probing
from exporter.model.changes import ProbeFinished
from exporter.probes import result
from exporter.probes.asking import Ask
from exporter.probes.history import Entry, History
from exporter.probes.result import ProbeResult
from exporter.probes.table import Probe

IDLE_INTERVAL: Final = 15
"""Seconds between two requests of a probe outside sessions."""

REFUSED_INTERVAL: Final = 60
"""Seconds between two attempts where a probe is not permitted or not found."""

SPREAD: Final = 0.5
"""Of each second, over which the probes are spread: requests that leave together would wait for each other."""

MOST_UNDER_WAY: Final = math.ceil(probing.DEADLINE) + 2
"""Requests of one probe over one kind of connection; the deadline keeps their number below."""

TOLERANCE: Final = 1.0
"""Seconds we may be late in noticing a deadline before a time-out is our own fault."""

_LOG: Final = logging.getLogger(__name__)


class Standing(enum.Enum):
    """What a probe's answers have shown so far."""

    UNKNOWN = "unknown"
    """It has neither succeeded nor been turned away."""
    WORKING = "working"
    """It has succeeded."""
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"


_UNMEASURED: Final = (Standing.NOT_PERMITTED, Standing.NOT_FOUND)


class Slot:
    """One probe over one kind of connection."""

    def __init__(self, probe: Probe, connection: str, *, offset: float) -> None:
        self.probe = probe
        self.connection = connection
        self.offset = offset
        """Seconds after the whole second."""
        self.standing = Standing.UNKNOWN
        self.under_way = 0
        self.missed = 0
        """Seconds in which it should have been sent and was not."""
        self.trouble = ""
        """Reason of its present failure."""

    def due(self, second: int, *, eager: bool) -> bool:
        """It is to be sent in this second."""
        if self.standing in _UNMEASURED:
            return second % REFUSED_INTERVAL == 0
        return eager or second % IDLE_INTERVAL == 0


class Runner:
    """All probes. `eager` says whether a session is under way; `emit` takes each result for the fold."""

    def __init__(
        self,
        api: Api,
        probes: Sequence[Probe],
        *,
        eager: Callable[[], bool],
        emit: Callable[[ProbeFinished], None],
        clock: Clock,
    ) -> None:
        self._api = api
        self._eager = eager
        self._emit = emit
        self._clock = clock
        pairs = [(probe, connection) for probe in probes for connection in probe.connections]
        self.slots = tuple(
            Slot(probe, connection, offset=SPREAD * index / len(pairs))
            for index, (probe, connection) in enumerate(pairs)
        )
        self.history = History()
        self.on_version: Callable[[str], None] = lambda _: None
        """Is told each version that a replica of virt-api claims to be."""

    async def run(self) -> None:
        """Probe for ever. Ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            for slot in self.slots:
                group.create_task(self._pace(slot, group), name=f"probe {slot.probe.name} {slot.connection}")

    async def _pace(self, slot: Slot, group: asyncio.TaskGroup) -> None:
        last = math.floor(self._clock.now())
        while True:
            second = max(last + 1, math.ceil(self._clock.now() - slot.offset))
            eager = self._eager()
            slot.missed += sum(slot.due(missed, eager=eager) for missed in range(last + 1, second))
            last = second
            await asyncio.sleep(second + slot.offset - self._clock.now())
            if not slot.due(second, eager=self._eager()):
                continue
            if math.floor(self._clock.now()) != second or slot.under_way >= MOST_UNDER_WAY:
                slot.missed += 1
                continue
            slot.under_way += 1
            group.create_task(self._send(slot, second), name=f"probe {slot.probe.name} {slot.connection} {second}")

    async def _send(self, slot: Slot, second: int) -> None:
        ask = Ask(self._api, probe=slot.probe.name, connection=slot.connection)
        started = self._clock.now()
        try:
            found = await slot.probe.run(ask)
        except errors.ApiError as error:
            found = result.unanswered(error)
        except Exception as error:  # noqa: BLE001 - the boundary that keeps one broken probe from ending all others
            _LOG.exception("probe_broken", extra={"probe": slot.probe.name})
            found = ProbeResult(reason="other", detail=result.shortened(repr(error)))
        finally:
            slot.under_way -= 1
        finished = self._clock.now()
        if found.reason == "timeout" and finished - started > probing.DEADLINE + TOLERANCE:
            found = ProbeResult(reason=probing.CLIENT, detail="we were too late to notice the deadline")
        self._take(slot, found, ask=ask, second=second, started=started, finished=finished)

    def _take(self, slot: Slot, found: ProbeResult, *, ask: Ask, second: int, started: float, finished: float) -> None:
        seconds = finished - started
        self.history.add(
            Entry(
                probe=slot.probe.name,
                connection=slot.connection,
                sent=started,
                seconds=seconds,
                reason=found.reason,
                status=found.status,
                detail=found.detail,
                audit_id=ask.audit_id,
            )
        )
        self._log(slot, found, ask)
        if found.version:
            self.on_version(found.version)
        slot.standing = _standing(slot.standing, found)
        if slot.standing in _UNMEASURED:
            return
        self._emit(
            ProbeFinished(
                at=finished,
                probe=slot.probe.name,
                connection=slot.connection,
                sent=float(second),
                seconds=seconds,
                reason=found.reason,
            )
        )

    def _log(self, slot: Slot, found: ProbeResult, ask: Ask) -> None:
        """What begins, changes or ends; not each failure."""
        if found.reason == slot.trouble:
            return
        slot.trouble = found.reason
        about = {"probe": slot.probe.name, "connection": slot.connection}
        if found.ok:
            _LOG.info("probe_recovered", extra=about)
            return
        more = {"reason": found.reason, "status": found.status, "detail": found.detail, "audit_id": ask.audit_id}
        _LOG.warning("probe_failing", extra={**about, **more})


def _standing(before: Standing, found: ProbeResult) -> Standing:
    if found.ok:
        return Standing.WORKING
    if before is not Standing.WORKING and found.reason == "http_4xx":
        match found.status:
            case 401 | 403:
                return Standing.NOT_PERMITTED
            case 404:
                return Standing.NOT_FOUND
            case _:
                pass
    return before
