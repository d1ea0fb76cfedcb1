"""Continuity: what happened to the guests. Interruptions by reason, stops somebody asked for, duplicates."""

from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.concerns.continuity import cases, ledger
from exporter.concerns.continuity.cases import Case, Outcome, Sign
from exporter.concerns.continuity.duplicates import Crowd, Duplicates
from exporter.concerns.continuity.ledger import FAMILIES, Ledger
from exporter.model import resources
from exporter.model.changes import OF_OBJECTS, Change, Delta, ListReplaced, ObjectChanged, Sync, deltas
from exporter.model.families import Family, Sample
from exporter.model.objects import Node, Pod, Vm, Vmi
from exporter.model.report import ContinuityReport
from exporter.settings import Settings
from exporter.tracker.newcomers import Newcomers, name_hash
from exporter.tracker.sessions import Began, Transition
from exporter.tracker.tracker import View

_KEPT = 5000
_IDLE_GUESTS_KEPT = 5000


class _State(msgspec.Struct, kw_only=True):
    """What a restart needs."""

    cases: list[Case]
    down: dict[str, tuple[float, float | None]]
    asked: list[str]
    crowds: dict[str, Crowd]
    nodes_lost: dict[str, float]
    idle: list[int] | None
    """Hashes of guests that were not running; None where there were too many to keep."""
    new_vms: list[int] | None = None
    new_vmis: list[int] | None = None
    ledger: dict[str, Any]


class Continuity:
    """The concern."""

    name = "continuity"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self, settings: Settings) -> None:
        self._delay = settings.thresholds.judgement_delay
        self._ledger = Ledger(anomalies=settings.anomalies)
        self._cases: dict[str, Case] = {}
        self._latest: dict[str, Case] = {}
        """Open case by guest: the latest, since an earlier one has been followed by an instance."""
        self._down: dict[str, tuple[float, float | None]] = {}
        """Interrupted guests that are not back: since when, and in which session."""
        self._asked: dict[str, None] = {}
        """UIDs of VMIs somebody asked to stop."""
        self._duplicates = Duplicates(after=settings.thresholds.duplicate_launchers_after)
        self._nodes_lost: dict[str, float] = {}
        self._idle: set[str] = set()
        """VMs that have no running guest."""
        self._was_idle: frozenset[int] | None = frozenset()
        """The same, hashed, as our predecessor left it."""
        self._new_vms = Newcomers()
        self._new_vmis = Newcomers()
        self._resumed = True
        self._ready = False
        self._view_deadline: float | None = None

    def session(self, transition: Transition, view: View) -> None:
        """A session's account begins empty, with the guests that run now as its baseline."""
        if isinstance(transition, Began):
            known = transition.session.seen_start and view.sync.known(resources.VMIS)
            self._ledger.begin(started=transition.session.started, baseline=view.guests.running if known else None)

    def observe(self, change: Change, view: View) -> None:
        """Open cases, note what explains them, judge those that are due."""
        at = change.at
        self._ledger.running(view.guests.running, at=at)
        if isinstance(change, OF_OBJECTS):
            self._take(change, view)
        if view.finished and view.active:
            self._ledger.migrations(sum(1 for migration in view.finished if migration.phase == "Succeeded"))
        self._ready = view.sync.ready
        if self._ready:
            self._judge(at, view)

    def _judge(self, at: float, view: View) -> None:
        """Nothing is judged before every deciding resource is listed."""
        if not self._resumed:
            self._resumed = True
            self._resume(at, view)
        while self._cases and (case := next(iter(self._cases.values()))).at + self._delay <= at:
            self._close(case, view)
        crowded = bool(view.launchers.crowded) or self._duplicates.watching
        if crowded:
            for key in self._duplicates.look(at, view):
                self._ledger.duplicate(key, at=at, in_session=view.active)
        self._view_deadline = self._duplicates.deadline(at, view) if crowded else None

    def deadline(self) -> float | None:
        """The next judgement."""
        if not self._ready:
            return None
        first = next(iter(self._cases.values()), None)
        times = [self._view_deadline] if self._view_deadline is not None else []
        if first is not None:
            times.append(first.at + self._delay)
        return min(times, default=None)

    # Taking in -------------------------------------------------------------------------------------------------------

    def _take(self, change: ObjectChanged | ListReplaced, view: View) -> None:
        match change.resource:
            case resources.VMIS:
                for delta in deltas(change):
                    self._vmi(delta, change.at, view)
            case resources.VMS:
                for delta in deltas(change):
                    self._vm(delta, change.at, view)
            case resources.NODES:
                for delta in deltas(change):
                    self._node(delta, change.at, view)
            case resources.LAUNCHERS if self._cases:
                for delta in deltas(change):
                    self._launcher(delta, view)
            case _:
                pass

    def _vmi(self, delta: Delta, at: float, view: View) -> None:
        old = delta.old if isinstance(delta.old, Vmi) else None
        new = delta.new if isinstance(delta.new, Vmi) else None
        subject = new or old
        if subject is None:
            return
        same = old is not None and new is not None and old.uid == new.uid
        if new is not None and not same:
            self._new_vmis.appeared(new.uid, created=new.created, at=at, initial=delta.initial)
        migrates = view.migrations.migrates(subject.key)
        self._ledger.vmi(old, new, same=same, migrates=migrates, at=at, in_session=view.active)
        if new is not None and new.phase == "Running":
            self._idle.discard(new.key)
        elif subject.key in view.guests.vms:
            self._idle.add(subject.key)
        if old is not None and old.phase == "Running":
            if new is not None and same and new.phase in ("Failed", "Succeeded"):
                self._open(new, Sign.FAILED if new.phase == "Failed" else Sign.SUCCEEDED, at, view, gap=delta.gap)
            elif not same:
                self._open(old, Sign.GONE, at, view, gap=delta.gap)
        elif old is not None and not same and old.uid not in self._cases:
            self._asked.pop(old.uid, None)
        if new is not None and new.phase == "Running" and not (same and old is not None and old.phase == "Running"):
            self._up(new, at)
        if new is None and old is not None and not old.owned:
            self._back(old.key, at)

    def _open(self, vmi: Vmi, sign: Sign, at: float, view: View, *, gap: bool) -> None:
        case = cases.open_case(vmi, sign, at=at, gap=gap, view=view)
        vm = view.guests.vms.get(vmi.key)
        case.asked = vmi.uid in self._asked or (vmi.owned and (vm is None or cases.wants_to_stop(vm)))
        self._cases[vmi.uid] = case
        self._latest[vmi.key] = case

    def _up(self, vmi: Vmi, at: float) -> None:
        case = self._latest.get(vmi.key)
        if case is not None and case.uid != vmi.uid and case.up is None:
            case.up = at
        self._back(vmi.key, at)

    def _back(self, key: str, at: float) -> None:
        """An interrupted guest is back, or nobody wants it back."""
        if (down := self._down.pop(key, None)) is not None:
            since, session = down
            self._ledger.interruption_ended(at - since, in_session=session == self._ledger.session)

    def _vm(self, delta: Delta, at: float, view: View) -> None:
        old = delta.old if isinstance(delta.old, Vm) else None
        new = delta.new if isinstance(delta.new, Vm) else None
        if new is not None and (old is None or old.uid != new.uid):
            self._new_vms.appeared(new.uid, created=new.created, at=at, initial=delta.initial)
        if new is not None:
            for uid in new.stop_requests:
                self._ask(uid, at, gap=delta.gap)
        subject = new or old
        if subject is None:
            return
        vmi = view.guests.vmis.get(subject.key)
        if new is None:
            self._idle.discard(subject.key)
        elif vmi is None or vmi.phase != "Running":
            self._idle.add(subject.key)
        if new is not None and not cases.wants_to_stop(new):
            return
        self._back(subject.key, at)
        if vmi is not None:
            self._ask(vmi.uid, at, gap=delta.gap)
        case = self._latest.get(subject.key)
        if case is not None and case.owned and (delta.gap or at - case.at <= cases.SAME_TIME):
            case.asked = True

    def _ask(self, uid: str, at: float, *, gap: bool) -> None:
        case = self._cases.get(uid)
        if case is None:
            self._asked[uid] = None
        elif gap or at - case.at <= cases.SAME_TIME:
            case.asked = True

    def _node(self, delta: Delta, at: float, view: View) -> None:
        old = delta.old if isinstance(delta.old, Node) else None
        new = delta.new if isinstance(delta.new, Node) else None
        subject = new or old
        if subject is None:
            return
        lost = new is None or (new.ready is not True and (old is None or old.ready is True))
        if lost:
            self._nodes_lost[subject.key] = at
            if len(self._nodes_lost) > _KEPT:
                del self._nodes_lost[next(iter(self._nodes_lost))]
        drained = new is not None and new.unschedulable and not (old is not None and old.unschedulable)
        if view.active and not delta.initial:
            self._ledger.node(subject.key, lost=lost, drained=drained)

    def _launcher(self, delta: Delta, view: View) -> None:
        case = self._cases.get(delta.new.vmi_uid) if isinstance(delta.new, Pod) else None
        if case is not None:
            case.mark = view.launchers.mark(case.uid, node=case.node) or case.mark

    # Judging ---------------------------------------------------------------------------------------------------------

    def _close(self, case: Case, view: View) -> None:
        del self._cases[case.uid or case.key]
        if self._latest.get(case.key) is case:
            del self._latest[case.key]
        self._asked.pop(case.uid, None)
        judgement = cases.judge(case, view, node_lost=self._nodes_lost.get(case.node))
        in_session = case.session is not None and view.session is not None
        self._ledger.judged(case, judgement, in_session=in_session)
        if judgement.outcome is not Outcome.INTERRUPTED:
            return
        if case.up is not None:
            self._ledger.interruption_ended(case.up - case.at, in_session=in_session)
        else:
            self._down[case.key] = (case.at, self._ledger.session if in_session else None)

    def _resume(self, at: float, view: View) -> None:
        """Everything is listed again after a restart: find guests that were lost in the blind time."""
        since, idle = view.resumed_from, self._was_idle
        if since is None or idle is None:
            return
        session = view.session.started if view.active and view.session is not None else None
        for key, vm in view.guests.vms.items():
            ran = self._new_vms.seen(vm.uid, created=vm.created, since=since) and name_hash(key) not in idle
            if not ran or key in self._latest or key in self._down:
                continue
            vmi = view.guests.vmis.get(key)
            if vmi is not None and self._new_vmis.seen(vmi.uid, created=vmi.created, since=since):
                if vmi.phase in ("Failed", "Succeeded"):
                    self._open(vmi, Sign.FAILED if vmi.phase == "Failed" else Sign.SUCCEEDED, at, view, gap=True)
                continue
            case = Case(
                key=key, uid="", at=at, sign=Sign.GONE, gap=True, asked=cases.wants_to_stop(vm), session=session
            )
            if vmi is not None and vmi.phase == "Running":
                case.up = at
            self._cases[key] = self._latest[key] = case

    # Showing ---------------------------------------------------------------------------------------------------------

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `ledger.FAMILIES`."""
        vmis = view.sync.known(resources.VMIS)
        yield from self._ledger.samples(
            down=self._open_seconds(now),
            unobserved=view.sync.unobserved(self._end(now, view)) if view.session is not None else None,
            known=vmis,
            now=now,
        )
        unexplained = view.sync.state(resources.MIGRATIONS) in (Sync.UNKNOWN, Sync.FORBIDDEN)
        if view.sync.known(resources.LAUNCHERS) and not unexplained:
            yield ledger.DUPLICATES(self._duplicates.lasting)

    def _open_seconds(self, now: float) -> tuple[float, float]:
        """Seconds for which interrupted guests have been away that are not back: all, and this session's."""
        total = sum(now - since for since, _ in self._down.values())
        mine = sum(now - since for since, session in self._down.values() if session == self._ledger.session)
        return total, mine if self._ledger.session is not None else 0.0

    def _end(self, now: float, view: View) -> float:
        return view.session.ended if view.session is not None and view.session.ended is not None else now

    def report(self, now: float, view: View) -> ContinuityReport:
        """The session's account."""
        return self._ledger.report(
            down=self._open_seconds(now)[1], unobserved=view.sync.unobserved(self._end(now, view))
        )

    # Restarts --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Bounded: open cases, guests that are down, and hashes of guests that do not run."""
        state = _State(
            cases=list(self._cases.values())[:_KEPT],
            down=dict(list(self._down.items())[:_KEPT]),
            asked=list(self._asked)[:_KEPT],
            crowds=self._duplicates.snapshot(),
            nodes_lost=dict(self._nodes_lost),
            idle=sorted(map(name_hash, self._idle)) if len(self._idle) <= _IDLE_GUESTS_KEPT else None,
            new_vms=self._new_vms.snapshot(),
            new_vmis=self._new_vmis.snapshot(),
            ledger=self._ledger.snapshot(),
        )
        built: dict[str, Any] = msgspec.to_builtins(state)
        return built

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change."""
        read = msgspec.convert(state, _State)
        for case in read.cases:
            self._cases[case.uid or case.key] = self._latest[case.key] = case
        self._down = read.down
        self._asked = dict.fromkeys(read.asked)
        self._duplicates.restore(read.crowds)
        self._nodes_lost = read.nodes_lost
        self._was_idle = None if read.idle is None else frozenset(read.idle)
        self._new_vms.restore(read.new_vms)
        self._new_vmis.restore(read.new_vmis)
        self._ledger.restore(read.ledger)
        self._resumed = False
