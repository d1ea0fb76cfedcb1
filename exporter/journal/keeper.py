"""What is written, and when, by whoever holds the Lease.

A session under way is written every few seconds, and at once when something goes wrong or moves on; the object of the
latest session also holds the state. A finished session is written once more and then left alone. An object is changed
in the version that we know only: after a conflict all are read again, and what somebody else wrote in between is
inherited. Which requests these are: `exporter.journal.store`.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from exporter import errors
from exporter.fold import Fold
from exporter.journal import objects, resuming, state
from exporter.journal.objects import SetAside, Stored
from exporter.journal.resuming import Trial
from exporter.journal.source import JournalSource, Outcome
from exporter.journal.store import Reports
from exporter.model.report import Phase, Report
from exporter.report import encode
from exporter.report.inheritance import same_session

_LOG: Final = logging.getLogger(__name__)


class _Kept(msgspec.Struct, kw_only=True):
    """An object as it is in the cluster, as far as we know."""

    stored: Stored
    at: float = float("-inf")
    """When we wrote it."""

    @property
    def empty(self) -> bool:
        """Nobody has written anything into it: whoever created it did not come so far."""
        return self.stored.report is None and not self.stored.trouble and not self.stored.state

    @property
    def final(self) -> bool:
        """It says how its session ended, and nothing else."""
        report = self.stored.report
        return report is not None and report.phase.over and not self.stored.state


class Keeper:
    """Keeps the UpgradeReports as the fold says. `beat` it every second while we hold the Lease."""

    def __init__(
        self,
        reports: Reports,
        fold: Fold,
        trial: Trial,
        *,
        source: JournalSource,
        now: Callable[[], float],
        interval: float,
        most: int,
    ) -> None:
        """`interval`: seconds between writes of a session under way. `most`: objects kept."""
        self._reports = reports
        self._fold = fold
        self._trial = trial
        self._source = source
        self._now = now
        self._interval = interval
        self._most = most
        self._kept: dict[str, _Kept] | None = None
        self._state = ""
        """What we have written last, or gone on from."""
        self._known: set[float] = set()
        """Beginnings of finished sessions that we know from the cluster: one that is gone from there stays so."""
        self._noted: set[tuple[str, str]] = set()

    def resumed(self, resumed: resuming.Resumed) -> None:
        """How our fold began."""
        self._state = resumed.state
        self._known |= {report.started_at for report in resumed.reports if report.phase.over}
        for name, why in resumed.troubles:
            self.note(name, why)

    def forget(self) -> None:
        """Read everything again before the next write: another replica, or a person, may have written."""
        self._kept = None

    def note(self, name: str, why: str) -> None:
        """Something of this object could not be read."""
        if (name, why) not in self._noted:
            self._noted.add((name, why))
            self._source.unreadable += 1
            _LOG.warning("report_unreadable", extra={"report": name, "why": why})

    async def beat(self, *, urgent: bool = False) -> None:
        """Write what is due; with `urgent`, also what is not. Raises ApiError; it may be tried again after `forget`."""
        if not self._fold.ready:
            return  # a snapshot taken now would forget for how long nobody has watched
        if self._kept is None:
            self._kept = await self._read()
        if not self._fold.active:
            await self._drop(self._kept)
        if reports := self._fold.reports(self._now()):
            *past, latest = reports
            # The state is never away: it leaves the object of one session when that of the next one has it.
            await self._finish(past, latest, self._kept)
            await self._keep(latest, self._kept, urgent=urgent)
            await self._finish(past, latest, self._kept)
        await self._prune(self._kept)

    async def _read(self) -> dict[str, _Kept]:
        kept = {stored.name: _Kept(stored=stored) for stored in await self._reports.read()}
        for each in kept.values():
            if each.stored.trouble:
                self.note(each.stored.name, each.stored.trouble)
        current = self._fold.current(self._now())
        mine = _match(current, kept) if current is not None else None
        if mine is not None and mine.stored.report is not None and mine.stored.state != self._state:
            self._fold.inherit(mine.stored.report)
        return kept

    async def _keep(self, report: Report, kept: dict[str, _Kept], *, urgent: bool) -> None:
        """Write the latest session's report and the state, if it is time."""
        mine = await self._object(report, kept)
        if mine is None:
            return
        before = mine.stored.report
        told = before is not None and _mark(before) == _mark(report)
        early = report.phase.over or (not urgent and self._now() - mine.at < self._interval)
        if not (told and early):
            await self._write(mine, report, with_state=True)

    async def _finish(self, past: Sequence[Report], latest: Report, kept: dict[str, _Kept]) -> None:
        """Write how earlier sessions ended."""
        successor = _match(latest, kept)
        moved_on = successor is not None and bool(successor.stored.state)
        for report in past:
            mine = await self._object(report, kept)
            if mine is None or mine.final:
                continue
            before = mine.stored.report
            if moved_on or before is None or not before.phase.over:
                await self._write(mine, report, with_state=not moved_on)

    async def _object(self, report: Report, kept: dict[str, _Kept]) -> _Kept | None:
        """The session's object, created where it has none; None where it had one and somebody deleted it."""
        mine = _match(report, kept)
        if mine is None and report.started_at not in self._known:
            mine = next((each for each in kept.values() if each.empty), None)
            if mine is None:
                stored = await self._reports.create(objects.name_of(report, taken=tuple(kept)))
                mine = kept[stored.name] = _Kept(stored=stored)
        return mine

    async def _write(self, mine: _Kept, report: Report, *, with_state: bool) -> None:
        stored = mine.stored
        aside = self._set_aside(stored)
        text = self._snapshot(stored.name) if with_state else None
        status = objects.status(report, state=text, set_aside=aside)
        written = await self._reports.write(stored.name, version=stored.version, status=status)
        mine.at = self._source.last_write = self._now()
        mine.stored = msgspec.structs.replace(
            stored, version=written.resource_version, report=report, trouble="", state=text or "", set_aside=aside
        )
        self._source.writes[Outcome.WRITTEN] += 1
        self._state = text or self._state
        if report.phase.over:
            self._known.add(report.started_at)

    def _snapshot(self, name: str) -> str:
        """The state; the last one where there is no new one."""
        try:
            text = state.encode(self._fold.snapshot())
        except Exception:  # noqa: BLE001 - the boundary around a broken part of the fold: its report is still worth writing
            _LOG.exception("state_failed")
            return self._state
        if len(text.dropped) > self._source.dropped:
            _LOG.warning("state_shortened", extra={"report": name, "dropped": ", ".join(text.dropped)})
        self._source.state_bytes, self._source.dropped = text.size, len(text.dropped)
        return text.text

    def _set_aside(self, stored: Stored) -> tuple[SetAside, ...]:
        """What is kept of states that we cannot read, with the one that we are about to replace, if it is such."""
        if not stored.state or stored.state == self._state:
            return stored.set_aside
        try:
            resuming.tried(stored.state, self._trial, now=self._now())
        except resuming.Unusable as error:
            self.note(stored.name, str(error))
            kept = stored.state[: state.LIMIT]  # an object must fit into etcd, whatever a person has put there
            return (*stored.set_aside, SetAside(at=encode.moment(self._now()), why=str(error), state=kept))
        return stored.set_aside

    async def _drop(self, kept: dict[str, _Kept]) -> None:
        """Delete the report of a session that was none after all: virt-operator alone was replaced."""
        last = self._fold.current(self._now())
        if last is not None and last.phase is Phase.DROPPED and (mine := _match(last, kept)) is not None:
            await self._delete(mine, kept)

    async def _prune(self, kept: dict[str, _Kept]) -> None:
        """Only the newest are kept."""
        oldest = sorted(kept.values(), key=lambda each: (each.stored.created, each.stored.name))
        for each in oldest[: max(0, len(oldest) - max(self._most, 1))]:
            await self._delete(each, kept)

    async def _delete(self, each: _Kept, kept: dict[str, _Kept]) -> None:
        try:
            await self._reports.delete(each.stored)
        except (errors.Absent, errors.Conflict):
            pass  # somebody else did
        else:
            _LOG.info("report_deleted", extra={"report": each.stored.name})
        del kept[each.stored.name]
        if each.stored.report is not None:
            self._known.add(each.stored.report.started_at)


def _match(report: Report, kept: dict[str, _Kept]) -> _Kept | None:
    """The object that is about this session."""
    candidates = [e for e in kept.values() if e.stored.report is not None and same_session(e.stored.report, report)]
    return max(candidates, key=lambda each: each.stored.name, default=None)


def _mark(report: Report) -> tuple[object, ...]:
    """What must not wait to be written when it changes."""
    continuity = report.continuity
    return (
        report.phase,
        report.verdict,
        report.verdict_so_far,
        report.stalled,
        *(at is not None for at in (report.reported_complete_at, report.observed_complete_at)),
        *(at is not None for at in (report.workloads_complete_at, report.ended_at)),
        continuity.interrupted,
        continuity.unattributed,
        continuity.duplicate_launchers,
        len(continuity.anomalies),
        sum(entry.lost for entry in report.retention.objects.values()),
        report.api.versions_lost,
    )
