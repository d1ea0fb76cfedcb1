"""The account of continuity: monotonic counters, the session's counters, anomalies by name, metric families."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.concerns.continuity.cases import REASONS, Case, Judgement, Outcome
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Vmi
from exporter.model.report import Anomaly, ContinuityReport, Interrupted

_PHASES = ("Pending", "Scheduling", "Scheduled", "Running", "Succeeded", "Failed", "WaitingForSync", "other")
_PAUSES = ("PausedByUser", "PausedIOError", "PausedByMigrationMonitor", "other")
_STOPS = ("asked", "guest_shutdown", "vmi_deleted")
_NODES = ("drained", "lost")
_NODES_KEPT = 1000

VMIS = Family(name="vmis", kind=Kind.GAUGE, labels=("phase",), help="VirtualMachineInstances by phase.")
PAUSED = Family(
    name="vmis_paused", kind=Kind.GAUGE, labels=("reason",),
    help="VirtualMachineInstances that are paused, by reason; PausedIOError means that the guest hangs on its disk.",
)  # fmt: skip
RUNNING_SECONDS = Family(
    name="vmi_running_seconds", kind=Kind.COUNTER,
    help="Seconds that guests have been running, summed over guests, as far as this process has seen them.",
)  # fmt: skip
INTERRUPTIONS = Family(
    name="vmi_interruptions", kind=Kind.COUNTER, labels=("reason",),
    help="Guests that lost their running instance without anybody asking for it, by reason.",
)  # fmt: skip
INTERRUPTION_SECONDS = Family(
    name="vmi_interruption_seconds", kind=Kind.COUNTER,
    help="Seconds from the loss of a guest's instance to its next one running, summed over guests.",
)  # fmt: skip
STOPS = Family(
    name="vmi_stops", kind=Kind.COUNTER, labels=("kind",),
    help="Guests that stopped and are not charged: asked for, shut down from inside, or their VMI was deleted.",
)  # fmt: skip
UNATTRIBUTED = Family(
    name="vmi_losses_unattributed", kind=Kind.COUNTER,
    help="Guests that lost their instance while nobody was looking, so that the cause cannot be settled.",
)  # fmt: skip
DUPLICATES = Family(
    name="vmis_duplicate_launchers", kind=Kind.GAUGE,
    help="Guests with two virt-launchers running for over 60 s that no migration explains: possible split brain.",
)  # fmt: skip
DUPLICATES_TOTAL = Family(
    name="vmi_duplicate_launchers", kind=Kind.COUNTER, help="Times a guest was found with duplicate launchers."
)
AGENT_LOST = Family(
    name="vmi_agent_losses", kind=Kind.COUNTER,
    help="Guest agents that went away outside a migration: often a reboot inside the guest.",
)  # fmt: skip
AGENT_BACK = Family(
    name="vmi_agent_returns", kind=Kind.COUNTER, help="Guest agents that connected to a guest that already ran."
)
S_BASELINE = Family(
    name="session_vmis_baseline", kind=Kind.GAUGE, help="Guests that were running when the session began."
)
S_MIGRATED = Family(
    name="session_vmis_migrated", kind=Kind.GAUGE, help="Live migrations that succeeded in the session."
)
S_INTERRUPTIONS = Family(
    name="session_vmi_interruptions", kind=Kind.GAUGE, labels=("reason",),
    help="Guests interrupted in the session, by reason.",
)  # fmt: skip
S_INTERRUPTION_SECONDS = Family(
    name="session_vmi_interruption_seconds", kind=Kind.GAUGE,
    help="Seconds that guests interrupted in the session were without an instance, still counting where not back.",
)  # fmt: skip
S_STOPS = Family(
    name="session_vmi_stops", kind=Kind.GAUGE, labels=("kind",), help="Guests that stopped in the session, not charged."
)
S_UNATTRIBUTED = Family(
    name="session_vmi_losses_unattributed", kind=Kind.GAUGE,
    help="Losses in the session whose cause cannot be settled.",
)  # fmt: skip
S_DUPLICATES = Family(
    name="session_vmi_duplicate_launchers", kind=Kind.GAUGE,
    help="Times a guest was found with duplicate launchers in the session.",
)  # fmt: skip
S_UNOBSERVED = Family(
    name="session_unobserved_seconds", kind=Kind.GAUGE,
    help="Seconds of the session in which we were absent or a deciding resource was out of sync for more than 60 s.",
)  # fmt: skip
S_NODES = Family(
    name="session_nodes_disrupted", kind=Kind.GAUGE, labels=("reason",),
    help="Nodes that were cordoned (drained) or not ready (lost) in the session, to explain interruptions.",
)  # fmt: skip
S_ANOMALY = Family(
    name="session_anomaly_timestamp_seconds", kind=Kind.GAUGE, labels=("namespace", "name", "kind"),
    help="When something happened to a guest that a person should look at; at most 100 guests.",
)  # fmt: skip
S_DROPPED = Family(
    name="session_anomalies_dropped",
    kind=Kind.GAUGE,
    help="Anomalies of the session that are not named for lack of room.",
)

FAMILIES = (
    VMIS, PAUSED, RUNNING_SECONDS, INTERRUPTIONS, INTERRUPTION_SECONDS, STOPS, UNATTRIBUTED, DUPLICATES,
    DUPLICATES_TOTAL, AGENT_LOST, AGENT_BACK, S_BASELINE, S_MIGRATED, S_INTERRUPTIONS, S_INTERRUPTION_SECONDS, S_STOPS,
    S_UNATTRIBUTED, S_DUPLICATES, S_UNOBSERVED, S_NODES, S_ANOMALY, S_DROPPED,
)  # fmt: skip


class _Account(msgspec.Struct, kw_only=True):
    """What a session has cost."""

    baseline: int | None = None
    migrated: int = 0
    interrupted: dict[str, int] = msgspec.field(default_factory=dict)
    seconds: float = 0.0
    stops: dict[str, int] = msgspec.field(default_factory=dict)
    duplicates: int = 0
    unattributed: int = 0
    nodes: dict[str, str] = msgspec.field(default_factory=dict)
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)
    dropped: int = 0


class Ledger:
    """Counts what the concern has decided."""

    def __init__(self, *, anomalies: int) -> None:
        self._anomalies = anomalies
        self.session: float | None = None
        self._account = _Account()
        self._phases: Counter[str] = Counter()
        self._pauses: Counter[str] = Counter()
        self._interruptions: Counter[str] = Counter()
        self._seconds = 0.0
        self._stops: Counter[str] = Counter()
        self._unattributed = 0
        self._duplicates = 0
        self._agent = [0, 0]
        self._running = 0
        self._running_seconds = 0.0
        self._running_since: float | None = None

    def begin(self, *, started: float, baseline: int | None) -> None:
        """A session begins."""
        self.session = started
        self._account = _Account(baseline=baseline)

    def running(self, count: int, *, at: float) -> None:
        """So many guests run from now on."""
        if self._running_since is not None:
            self._running_seconds += self._running * (at - self._running_since)
        self._running, self._running_since = count, at

    def vmi(self, old: Vmi | None, new: Vmi | None, *, same: bool, migrates: bool, at: float, in_session: bool) -> None:
        """Count phases, pauses and agents."""
        if old is not None:
            self._phases[_closed(old.phase or "Pending", _PHASES)] -= 1
            if old.paused:
                self._pauses[_closed(old.paused, _PAUSES)] -= 1
        if new is not None:
            self._phases[_closed(new.phase or "Pending", _PHASES)] += 1
            if new.paused:
                self._pauses[_closed(new.paused, _PAUSES)] += 1
        if old is None or new is None or not same:
            return
        if new.paused == "PausedIOError" and old.paused != new.paused and in_session:
            self._name(new.key, "paused_io_error", at)
        if old.agent != new.agent and not migrates and old.phase == new.phase == "Running":
            self._agent[new.agent] += 1

    def migrations(self, count: int) -> None:
        """So many migrations have succeeded in the session."""
        self._account.migrated += count

    def node(self, name: str, *, lost: bool, drained: bool) -> None:
        """A node left or was cordoned in the session."""
        if (lost or drained) and len(self._account.nodes) < _NODES_KEPT:
            self._account.nodes[name] = "lost" if lost else self._account.nodes.get(name, "drained")

    def judged(self, case: Case, judgement: Judgement, *, in_session: bool) -> None:
        """A case is settled."""
        account = self._account
        match judgement.outcome:
            case Outcome.INTERRUPTED:
                reason = _closed(judgement.reason, REASONS)
                self._interruptions[reason] += 1
                if in_session:
                    account.interrupted[reason] = account.interrupted.get(reason, 0) + 1
                    self._name(case.key, "interrupted", case.at)
            case Outcome.UNATTRIBUTED:
                self._unattributed += 1
                if in_session:
                    account.unattributed += 1
                    self._name(case.key, "unattributed", case.at)
            case Outcome.ASKED | Outcome.GUEST_SHUTDOWN | Outcome.VMI_DELETED as kind:
                self._stops[kind] += 1
                if in_session:
                    account.stops[kind] = account.stops.get(kind, 0) + 1

    def interruption_ended(self, seconds: float, *, in_session: bool) -> None:
        """An interrupted guest is back."""
        self._seconds += seconds
        if in_session:
            self._account.seconds += seconds

    def duplicate(self, key: str, *, at: float, in_session: bool) -> None:
        """A guest has had two launchers for too long."""
        self._duplicates += 1
        if in_session:
            self._account.duplicates += 1
            self._name(key, "duplicate_launchers", at)

    def _name(self, key: str, kind: str, at: float) -> None:
        account = self._account
        if len(account.anomalies) >= self._anomalies:
            account.dropped += 1
            return
        namespace, _, name = key.partition("/")
        account.anomalies.append(Anomaly(namespace=namespace, name=name, kind=kind, at=at))

    def samples(
        self, *, down: tuple[float, float], unobserved: float | None, known: bool, now: float
    ) -> Iterator[Sample]:
        """`down`: seconds so far of guests that are not back, all and the session's."""
        if known:
            yield from VMIS.counts(self._phases, initial=_PHASES)
            yield from PAUSED.counts(self._pauses, initial=_PAUSES)
            since = self._running_since if self._running_since is not None else now
            yield RUNNING_SECONDS(self._running_seconds + self._running * max(0.0, now - since))
        yield from INTERRUPTIONS.counts(self._interruptions, initial=REASONS)
        yield INTERRUPTION_SECONDS(self._seconds + down[0])
        yield from STOPS.counts(self._stops, initial=_STOPS)
        yield UNATTRIBUTED(self._unattributed)
        yield DUPLICATES_TOTAL(self._duplicates)
        yield AGENT_LOST(self._agent[False])
        yield AGENT_BACK(self._agent[True])
        if self.session is None:
            return
        account = self._account
        if account.baseline is not None:
            yield S_BASELINE(account.baseline)
        yield S_MIGRATED(account.migrated)
        yield from S_INTERRUPTIONS.counts(account.interrupted, initial=REASONS)
        yield S_INTERRUPTION_SECONDS(account.seconds + down[1])
        yield from S_STOPS.counts(account.stops, initial=_STOPS)
        yield S_UNATTRIBUTED(account.unattributed)
        yield S_DUPLICATES(account.duplicates)
        if unobserved is not None:
            yield S_UNOBSERVED(unobserved)
        yield from S_NODES.counts(Counter(account.nodes.values()), initial=_NODES)
        named = {(a.namespace, a.name, a.kind): a.at for a in account.anomalies}
        for (namespace, name, kind), at in named.items():
            yield S_ANOMALY(at, namespace=namespace, name=name, kind=kind)
        yield S_DROPPED(account.dropped)

    def report(self, *, down: float, unobserved: float) -> ContinuityReport:
        """The session's account."""
        account = self._account
        return ContinuityReport(
            baseline=account.baseline,
            migrated=account.migrated,
            interrupted=Interrupted(
                total=sum(account.interrupted.values()), by_reason=dict(sorted(account.interrupted.items()))
            ),
            interruption_seconds=round(account.seconds + down, 3),
            asked=account.stops.get(Outcome.ASKED, 0),
            duplicate_launchers=account.duplicates,
            unattributed=account.unattributed,
            unobserved_seconds=round(unobserved, 3),
            anomalies=tuple(sorted(account.anomalies, key=lambda a: (a.at, a.namespace, a.name, a.kind))),
            anomalies_dropped=account.dropped,
        )

    def snapshot(self) -> dict[str, Any]:
        """The session's account; process counters start at 0 again, as Prometheus expects."""
        return {"session": self.session, "account": msgspec.to_builtins(self._account)}

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change."""
        self.session = state["session"]
        self._account = msgspec.convert(state["account"], _Account)


def _closed(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else "other"
