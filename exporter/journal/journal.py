"""The journal as the daemon runs it: first go on where an earlier process stopped, then keep the reports.

Until the reports are read, or it is clear that they cannot be, changes wait in `emit`: a snapshot can only be restored
into a fold that has seen nothing. Without permission, or without the definition of UpgradeReports, everything else
works, and we look again from time to time.
"""

import asyncio
import contextlib
import dataclasses
import logging
import random
import socket
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn

from exporter import errors, settings
from exporter.fold import Fold
from exporter.journal import resuming
from exporter.journal.election import Election
from exporter.journal.keeper import Keeper
from exporter.journal.resuming import Resumed, Trial
from exporter.journal.source import JournalSource, Outcome, Standing
from exporter.journal.store import Reports
from exporter.journal.waiting import Waiting
from exporter.kube.api import Api
from exporter.kube.backoff import Backoff
from exporter.kube.clock import Clock
from exporter.kube.namespace import InstallNamespace
from exporter.model import resources
from exporter.model.changes import Change, ListReplaced, SessionClosed, Sync, SyncChanged
from exporter.model.report import Report
from exporter.report.inheritance import same_session

BEAT: Final = 1.0
"""Seconds between looks at what is to be written."""
REFUSED: Final = 60.0
"""Seconds at most between attempts where we may not write, or there are no UpgradeReports; fewer at first."""
SLOWEST: Final = 30.0
"""Seconds at most between attempts where requests fail."""
REFUSALS: Final = 3
"""Times we are refused the reports before we begin anew: an API server that starts may refuse what it will grant."""
PATIENCE: Final = 60.0
"""Seconds for which an API server that answers may fail to give the reports before we begin anew."""
FAREWELL: Final = 3.0
"""Seconds for a last write when we are told to end."""

_UNREACHED: Final = frozenset({"connect", "dns", "reset", "timeout", "tls", "client"})
"""Nobody has answered: there is nothing to be watched either, and we wait."""
_ANEW: Final = Resumed(name="", state="", reports=(), troubles=())

_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the journal has around it, and what tests replace."""

    api: Api
    namespace: InstallNamespace
    clock: Clock
    rng: random.Random = dataclasses.field(default_factory=random.Random)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Journal:
    """Stands between those who learn changes and the fold."""

    def __init__(self, fold: Fold, trial: Trial, around: Surroundings, *, limits: settings.Journal, most: int) -> None:
        """`trial` makes a fold like ours. `most`: UpgradeReports kept."""
        self.source = JournalSource()
        self.resumed: Sequence[Report] | None = None
        """What was known when the fold began; None before that."""
        self._fold = fold
        self._trial = trial
        self._around = around
        self._clock = around.clock
        self._limits = limits
        self._most = most
        self._backoff = Backoff(base=BEAT, cap=SLOWEST, rng=around.rng)
        self._refusals = Backoff(base=BEAT, cap=REFUSED, rng=around.rng)
        self._keeper: Keeper | None = None
        self._election: Election | None = None
        self._waiting = Waiting()
        self._troubles: dict[str, Standing] = {}
        """What is wrong with the Lease, and with the reports."""
        self._closed: set[str] = set()
        """Reports with a wish to close that has been dealt with."""
        self._look_at = 0.0

    def emit(self, change: Change) -> None:
        """Feed the fold, once it has begun."""
        if self.resumed is not None:
            self._fold.feed(change)
            return
        self._waiting.add(change)
        if not self._around.namespace.known and _nowhere(change):
            self._begin(_ANEW, why="there is no KubeVirt")

    async def run(self) -> None:
        """For ever, until cancelled."""
        namespace = await self._around.namespace.get()
        reports = Reports(self._around.api, namespace)
        self._keeper = keeper = Keeper(
            reports,
            self._fold,
            self._trial,
            source=self.source,
            now=self._clock.now,
            interval=self._limits.interval,
            most=self._most,
        )
        if self.resumed is None:
            keeper.resumed(await self._resume(reports))
        self._election = election = Election(
            self._around.api,
            namespace=namespace,
            identity=f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}",
            duration=self._limits.lease_duration,
            now=self._clock.now,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._campaign(election), name="election")
            group.create_task(self._keep(keeper, reports, election), name="reports")

    async def farewell(self) -> None:
        """After `run`: write what is not written yet and give the Lease back, if that takes but a few seconds."""
        if self._keeper is None or self._election is None or not self._election.holds:
            return
        with contextlib.suppress(errors.ApiError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._keeper.beat(urgent=True)
                await self._election.release()

    # Beginning -------------------------------------------------------------------------------------------------------

    async def _resume(self, reports: Reports) -> Resumed:
        """Read the reports and restore the fold; begin anew where they cannot be read."""
        refusals, failing_since = 0, None
        while True:
            try:
                stored = await reports.read()
            except errors.ApiError as error:
                now = self._clock.now()
                refusals += isinstance(error, errors.Forbidden | errors.Absent)
                unreached = error.reason in _UNREACHED
                failing_since = None if unreached else failing_since if failing_since is not None else now
                wait = self._react("reports", error)
                given_up = refusals >= REFUSALS or (failing_since is not None and now - failing_since >= PATIENCE)
                if given_up:
                    return self._begin(_ANEW, why=str(error))
                await self._around.sleep(wait)
            else:
                self._recovered("reports")
                resumed = resuming.resume(stored, self._fold, self._trial, now=self._clock.now())
                return self._begin(resumed, why="no report has a state that we can read" if stored else "no report")

    def _begin(self, resumed: Resumed, *, why: str) -> Resumed:
        """Let in the changes that have waited."""
        if resumed.name:
            blind = round(self._clock.now() - self._fold.last, 1)
            _LOG.info("journal_resumed", extra={"report": resumed.name, "seconds": blind})
        else:
            _LOG.info("journal_began", extra={"why": why})
        self.source.resumed = bool(resumed.name)
        self.resumed = resumed.reports
        for change in self._waiting.release():
            self._fold.feed(change)
        return resumed

    # Going on --------------------------------------------------------------------------------------------------------

    async def _campaign(self, election: Election) -> NoReturn:
        """Hold the Lease, or stand by."""
        while True:
            wait = election.interval
            try:
                await election.attempt()
            except errors.ApiError as error:
                patience = self._react("lease", error)
                if isinstance(error, errors.Forbidden | errors.Absent):
                    wait = max(wait, patience)
            else:
                self._recovered("lease")
            self._show(election)
            await self._around.sleep(wait)

    async def _keep(self, keeper: Keeper, reports: Reports, election: Election) -> NoReturn:
        """Write while we hold the Lease; see in any case whether a person has closed the session."""
        while True:
            wait = BEAT
            try:
                if election.holds:
                    await keeper.beat()
                else:
                    keeper.forget()
                await self._look(reports)
            except errors.ApiError as error:
                keeper.forget()
                if election.holds:
                    self.source.writes[_outcome(error)] += 1
                wait = self._react("reports", error)
            else:
                self._recovered("reports")
            self._show(election)
            await self._around.sleep(wait)

    async def _look(self, reports: Reports) -> None:
        """Whether a person has closed the session under way."""
        now = self._clock.now()
        if not (self._fold.active and self._fold.ready and now >= self._look_at):
            return
        self._look_at = now + self._limits.interval
        if await reports.closed() <= self._closed:
            return
        for stored in await reports.read():
            current = self._fold.current(now)
            if not stored.closed or stored.name in self._closed or current is None:
                continue
            self._closed.add(stored.name)
            if stored.report is not None and same_session(stored.report, current):
                _LOG.info("session_closed", extra={"report": stored.name})
                self.emit(SessionClosed(at=now))

    # Troubles --------------------------------------------------------------------------------------------------------

    def _react(self, what: str, error: errors.ApiError) -> float:
        """Say what is wrong, once; seconds until the next attempt."""
        if isinstance(error, errors.Conflict):
            return BEAT
        standing = _standing(error)
        if self._troubles.get(what) is not standing:
            _LOG.warning("journal_trouble", extra={"what": what, "standing": standing.value, "why": str(error)})
        self._troubles[what] = self.source.standing = standing
        if standing is Standing.FAILING:
            return max(BEAT, self._backoff.next(asked=error.after if isinstance(error, errors.Retry) else None))
        return max(BEAT, self._refusals.next())

    def _recovered(self, what: str) -> None:
        self._troubles.pop(what, None)
        if not self._troubles:
            self._backoff.reset()
            self._refusals.reset()

    def _show(self, election: Election) -> None:
        if election.holds is not self.source.holder:
            _LOG.info("election", extra={"holder": election.holds})
        self.source.holder = election.holds
        healthy = Standing.WRITING if election.holds else Standing.STANDBY
        self.source.standing = next(iter(self._troubles.values()), healthy)


def _nowhere(change: Change) -> bool:
    """There is no KubeVirt whose namespace could be learnt, so nothing to go on from either."""
    match change:
        case ListReplaced(resource=resources.KUBEVIRTS, added=()):
            return True
        case SyncChanged(resource=resources.KUBEVIRTS, state=Sync.FORBIDDEN | Sync.ABSENT):
            return True
        case _:
            return False


def _standing(error: errors.ApiError) -> Standing:
    match error:
        case errors.Forbidden():
            return Standing.FORBIDDEN
        case errors.Absent():
            return Standing.ABSENT
        case _:
            return Standing.FAILING


def _outcome(error: errors.ApiError) -> Outcome:
    match error:
        case errors.Conflict():
            return Outcome.CONFLICT
        case errors.Forbidden():
            return Outcome.FORBIDDEN
        case errors.Absent():
            return Outcome.ABSENT
        case _:
            return Outcome.FAILED
