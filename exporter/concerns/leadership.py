"""Leadership: did control hand over cleanly, and how long did nobody lead.

A gap runs from the last renewal of a lease by its old holder to the first by the next one; a holder that comes back
itself after its lease has expired leaves one, too, but no transition. Renewals carry the time of the holder's clock.
Where that and ours differ, the times at which we learnt of them count instead (see `_differ`).

While the watch is cut, or we are away, renewals go unseen: a gap that is bridged so counts in full only where it is
plain that it was one (see `_bridge`).
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.model import resources, versions
from exporter.model.changes import Change, ListReplaced, ObjectChanged, Sync, SyncChanged, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Lease
from exporter.model.report import LeaderReport
from exporter.tracker.sessions import Began, Ended, Transition
from exporter.tracker.tracker import View

_STRANGERS_KEPT = 30
"""Leases that belong to no component we know (yet); others share the namespace."""
_RENEWALS_KEPT = 30
_RENEWALS_SPAN = 30.0
"""Seconds: news that came late in one burst says nothing about clocks, renewals that are late for so long do."""
_NEWS_LATE = 5.0
"""Seconds: the end of an open gap may be under way for so long (design §1), so this much of it does not count yet."""

LEADER = Family(
    name="leader", kind=Kind.INFO, labels=("component", "version"),
    help="The version of the pod that holds the component's lease.",
)  # fmt: skip
GAP = Family(
    name="leader_gap_seconds", kind=Kind.GAUGE, labels=("component",),
    help="Seconds since the lease was last renewed, once it has expired; 0 while somebody leads.",
)  # fmt: skip
TRANSITIONS = Family(
    name="leader_transitions", kind=Kind.COUNTER, labels=("component",), help="Times the lease went to another holder."
)  # fmt: skip
LEADERLESS = Family(
    name="leaderless_seconds", kind=Kind.COUNTER, labels=("component",),
    help="Seconds in which nobody led, counted when a gap ends.",
)  # fmt: skip
S_TRANSITIONS = Family(
    name="session_leader_transitions", kind=Kind.GAUGE, labels=("component",),
    help="Times the lease went to another holder in the session.",
)  # fmt: skip
S_LEADERLESS = Family(
    name="session_leaderless_seconds", kind=Kind.GAUGE, labels=("component",),
    help="Seconds in which nobody led, of gaps that ended in the session or are open.",
)  # fmt: skip
S_LONGEST = Family(
    name="session_leader_longest_gap_seconds", kind=Kind.GAUGE, labels=("component",),
    help="The longest of these gaps; 16 to 18 s is normal, since KubeVirt does not release its leases.",
)  # fmt: skip

FAMILIES = (LEADER, GAP, TRANSITIONS, LEADERLESS, S_TRANSITIONS, S_LEADERLESS, S_LONGEST)


class _Lead(msgspec.Struct, kw_only=True):
    """One lease as last seen with a holder, and the session's account of it."""

    namespace: str
    holder: str
    version: str = ""
    """Of the holder's pod, when it was last there."""
    renewed: float
    learnt: float
    duration: float
    transitions: int
    """As the lease counts them."""
    component: bool = False
    """A component of this name was seen."""
    blind_since: float | None = None
    """Until when we saw it, where we have been cut off and not heard of it since."""
    handovers: int = 0
    leaderless: float = 0.0
    longest: float = 0.0

    def charge(self, *, handovers: int, seconds: float, longest: float) -> None:
        """Put it on the session's account."""
        self.handovers += handovers
        self.leaderless += seconds
        self.longest = max(self.longest, longest)


class Leadership:
    """The concern."""

    name = "leadership"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self) -> None:
        self._leads: dict[str, _Lead] = {}
        self._renewals: dict[str, deque[tuple[float, float]]] = {}
        """Of each lease's latest renewals seen live: when, and how late."""
        self._transitions: Counter[str] = Counter()
        self._leaderless: defaultdict[str, float] = defaultdict(float)
        self._seen: float | None = None
        self._resumed: float | None = None
        """When leases came back to us after they had been cut off; None while they have not."""

    def session(self, transition: Transition, view: View) -> None:
        """A session's account begins empty, and ends with the gaps that are open then."""
        match transition:
            case Began():
                for name, lead in self._leads.items():
                    lead.component = view.components.get(name) is not None
                    lead.handovers, lead.leaderless, lead.longest = 0, 0.0, 0.0
            case Ended(session=ended) if ended.ended is not None:
                for name, lead in self._leads.items():
                    gap = self._counted(name, lead, ended.ended, view)
                    lead.charge(handovers=0, seconds=gap, longest=gap)
            case _:
                pass

    # Taking in -------------------------------------------------------------------------------------------------------

    def observe(self, change: Change, view: View) -> None:
        """Follow renewals."""
        self._seen = change.at
        match change:
            case ObjectChanged():
                if change.resource == resources.LEASES and isinstance(change.new, Lease):
                    self._take(change.new, change.at, view, live=True)
            case ListReplaced(resource=resources.LEASES):
                for delta in deltas(change):
                    if isinstance(delta.new, Lease):
                        self._take(delta.new, change.at, view, live=False)
                self._came_back(change.at)
            case SyncChanged(resource=resources.LEASES, state=Sync.SYNCED):
                self._came_back(change.at)
            case SyncChanged(resource=resources.LEASES):
                self._went(change.at)
            case _:
                pass

    def _came_back(self, at: float) -> None:
        if self._resumed is None:
            self._resumed = at

    def _went(self, at: float) -> None:
        for lead in self._leads.values():
            lead.blind_since = _until(at, lead, resumed=self._resumed)
        self._resumed = None

    def _take(self, lease: Lease, at: float, view: View, *, live: bool) -> None:
        """A lease as it is now. A released one has no holder: the gap begins with the last renewal of the old one."""
        if not lease.holder or lease.renewed is None:
            return
        name, known = lease.name, self._leads.get(lease.name)
        component = view.components.get(name) is not None
        if known is None:
            if component or len(self._leads) < _STRANGERS_KEPT:
                lead = _Lead(
                    namespace=lease.namespace,
                    holder=lease.holder,
                    renewed=lease.renewed,
                    learnt=at,
                    duration=lease.duration,
                    transitions=lease.transitions,
                    component=component,
                )
                lead.version = _version(name, lead, view)
                self._leads[name] = lead
            return
        if live:
            self._follow(lease, known, at, view)
            self._renewals.setdefault(name, deque(maxlen=_RENEWALS_KEPT)).append((at, at - lease.renewed))
        else:
            self._bridge(lease, known, at, view)
        if lease.holder != known.holder:
            known.holder, known.version = lease.holder, ""
        if lease.renewed != known.renewed:
            known.renewed, known.learnt = lease.renewed, at
        known.duration, known.transitions, known.blind_since = lease.duration, lease.transitions, None
        known.component = known.component or component
        known.version = _version(name, known, view)

    def _follow(self, lease: Lease, known: _Lead, at: float, view: View) -> None:
        """A renewal seen live: none was missed since the last."""
        assert lease.renewed is not None  # noqa: S101 - `_take` has looked
        handover = lease.holder != known.holder
        limit = view.settings.thresholds.clock_difference
        by_clock, by_news = lease.renewed - known.renewed, at - known.learnt
        ahead = at - lease.renewed < -limit  # news from the future
        # Nobody takes over before the lease has expired: then it is the new holder's clock that is behind.
        behind = handover and by_clock < known.duration - limit <= by_news
        gap = by_news if ahead or behind or self._differ(lease.name, view) else by_clock
        if handover or gap > known.duration:
            self._charge(lease.name, known, view, handovers=int(handover), gap=gap)

    def _bridge(self, lease: Lease, known: _Lead, at: float, view: View) -> None:
        """A lease in a list. The old holder may have renewed it unseen, and there may have been others in between.

        What is certain: whoever takes over has seen the lease expire, so each transition took its duration; and what
        was open when we last looked. One transition within twice the duration is what we would have seen.
        """
        assert lease.renewed is not None  # noqa: S101 - `_take` has looked
        handovers = max(lease.transitions - known.transitions, int(lease.holder != known.holder))
        start = _start(known, view)
        open_before = _until(at, known, resumed=self._resumed) - start
        was_open = open_before > known.duration
        if not handovers:
            if was_open and lease.renewed != known.renewed:
                self._charge(lease.name, known, view, handovers=0, gap=open_before)
            return
        first = lease.renewed if lease.acquired is None else min(lease.acquired, lease.renewed)
        span = first - known.renewed
        plain = handovers == 1 and (was_open or span <= 2 * known.duration)
        gap = span if plain else max(known.duration, open_before if was_open else 0.0)
        more = (handovers - 1) * known.duration
        self._charge(lease.name, known, view, handovers=handovers, gap=gap, more=more)

    def _charge(self, name: str, lead: _Lead, view: View, *, handovers: int, gap: float, more: float = 0.0) -> None:
        gap = round(max(0.0, gap), 3)
        self._transitions[name] += handovers
        self._leaderless[name] += gap + more
        if view.active:
            lead.charge(handovers=handovers, seconds=gap + more, longest=gap)

    # Clocks and open gaps --------------------------------------------------------------------------------------------

    def _differ(self, name: str, view: View) -> bool:
        """Whether the clocks of holder and exporter differ too much.

        News can come late, never early: what counts is how late the least late of the latest renewals was.
        """
        renewals = self._renewals.get(name)
        if not renewals:
            return False
        limit = view.settings.thresholds.clock_difference
        least = min(late for _, late in renewals)
        return least < -limit or (least > limit and renewals[-1][0] - renewals[0][0] >= _RENEWALS_SPAN)

    def _open(self, name: str, lead: _Lead, now: float, view: View) -> float:
        """Seconds the lease had not been renewed for when we last saw it; 0 where it had not expired."""
        switched_off = view.components.get(name) is None and view.sync.known(resources.DEPLOYMENTS)
        seconds = _until(now, lead, resumed=self._resumed) - _start(lead, view)
        return 0.0 if switched_off or seconds <= lead.duration else round(seconds, 3)

    def _counted(self, name: str, lead: _Lead, now: float, view: View) -> float:
        """Seconds of an open gap that count for the session."""
        return max(0.0, self._open(name, lead, now, view) - _NEWS_LATE)

    # Showing ---------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """None: open gaps grow by themselves when read."""
        return None

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`, for leases that are named like a component."""
        known = view.sync.known(resources.LEASES)
        synced = view.sync.state(resources.LEASES) is Sync.SYNCED
        for name, lead in self._shown(view):
            if known and view.components.get(name) is not None:
                yield LEADER(1, component=name, version=_version(name, lead, view) or versions.UNKNOWN)
            if synced and _until(now, lead, resumed=self._resumed) == now:
                yield GAP(self._open(name, lead, now, view), component=name)
            yield TRANSITIONS(self._transitions[name], component=name)
            yield LEADERLESS(round(self._leaderless[name], 3), component=name)
        if view.session is not None:
            for part in self.report(now, view):
                yield S_TRANSITIONS(part.transitions, component=part.component)
                yield S_LEADERLESS(part.leaderless_seconds, component=part.component)
                yield S_LONGEST(part.longest_gap_seconds, component=part.component)

    def report(self, now: float, view: View) -> tuple[LeaderReport, ...]:
        """The session's account, with the gaps that are open now while it lasts."""
        return tuple(self._part(name, lead, now, view) for name, lead in self._shown(view))

    def _part(self, name: str, lead: _Lead, now: float, view: View) -> LeaderReport:
        gap = self._counted(name, lead, now, view) if view.active else 0.0
        return LeaderReport(
            component=name,
            transitions=lead.handovers,
            leaderless_seconds=round(lead.leaderless + gap, 3),
            longest_gap_seconds=max(lead.longest, gap),
        )

    def _shown(self, view: View) -> list[tuple[str, _Lead]]:
        named = [(n, lead) for n, lead in self._leads.items() if lead.component or view.components.get(n) is not None]
        return sorted(named, key=lambda item: item[0])

    # Restarts --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Leases and the session's account; process counters start at 0 again."""
        return {"seen": self._seen, "leads": msgspec.to_builtins(self._leads)}

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change: since the predecessor's last one we have been blind."""
        self._leads = msgspec.convert(state["leads"], dict[str, _Lead])
        if state["seen"] is not None:
            self._went(float(state["seen"]))


def _start(lead: _Lead, view: View) -> float:
    """When a gap that is open would have begun, by our clock; rather late than early."""
    agree = abs(lead.learnt - lead.renewed) <= view.settings.thresholds.clock_difference
    return lead.renewed if agree else lead.learnt


def _until(now: float, lead: _Lead, *, resumed: float | None) -> float:
    """Until when we have seen this lease. When we are no longer cut off, its next renewal may still be under way."""
    if lead.blind_since is None or (resumed is not None and now - resumed > lead.duration):
        return now
    return lead.blind_since


def _version(name: str, lead: _Lead, view: View) -> str:
    """Version of the holder's pod; as last known where the pod has gone, empty where it never was.

    Some election libraries append `_` and something of their own to the pod's name.
    """
    component = view.components.get(name)
    pod = component.pods.get(f"{lead.namespace}/{lead.holder.partition('_')[0]}") if component is not None else None
    return pod.version if pod is not None else lead.version
