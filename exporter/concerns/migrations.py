"""Migrations: does live migration work across this version pair, and is the fleet of launchers being renewed."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.model import resources, versions
from exporter.model.changes import OF_OBJECTS, Change, Delta, deltas
from exporter.model.families import Distribution, Family, Kind, Sample
from exporter.model.objects import Migration
from exporter.model.report import MigrationsReport
from exporter.tracker.sessions import Began, Transition
from exporter.tracker.tracker import View

_TRIGGERS = ("workload_update", "evacuation", "user")
_OUTCOMES = ("succeeded", "failed")
_STRANDED = ("not_migratable", "no_update_method", "migrations_failing")
_BUCKETS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_PAIRS_KEPT = 10
_HANDLER_AWAY = 60.0
"""Seconds: a migration that fails this soon after the handler of one of its nodes was replaced failed because of it."""

MIGRATIONS = Family(
    name="migrations", kind=Kind.COUNTER, labels=("trigger", "outcome"),
    help="Live migrations that finished, by what started them and how they ended.",
)  # fmt: skip
DURATION = Family(
    name="migration_duration_seconds", kind=Kind.HISTOGRAM, buckets=_BUCKETS,
    help="Seconds from the start of the transfer to the end of live migrations that succeeded.",
)  # fmt: skip
IN_FLIGHT = Family(name="migrations_in_flight", kind=Kind.GAUGE, help="Live migrations that have not finished.")
OUTDATED = Family(
    name="vmis_outdated", kind=Kind.GAUGE, labels=("reason",),
    help="Running guests whose launcher is not the one virt-controller starts now: waiting, or stranded and why.",
)  # fmt: skip
STRANDED = Family(
    name="vmis_stranded", kind=Kind.GAUGE,
    help="Running guests with an old launcher that will not change by themselves.",
)  # fmt: skip
NOT_MIGRATABLE = Family(
    name="vmis_not_migratable", kind=Kind.GAUGE, labels=("reason",),
    help="Running guests that cannot be live-migrated, by the reason of their LiveMigratable condition.",
)  # fmt: skip
S_MIGRATIONS = Family(
    name="session_migrations", kind=Kind.GAUGE, labels=("trigger", "outcome"),
    help="Live migrations that finished in the session.",
)  # fmt: skip
S_PAIRS = Family(
    name="session_migrations_by_launcher", kind=Kind.GAUGE, labels=("from_version", "to_version", "outcome"),
    help="Live migrations of the session by the launcher's version before and after.",
)  # fmt: skip
S_HANDLER = Family(
    name="session_migrations_failed_by_handler", kind=Kind.GAUGE,
    help="Migrations of the session that failed within 60 s of a virt-handler's replacement on one of their nodes.",
)  # fmt: skip

FAMILIES = (
    MIGRATIONS, DURATION, IN_FLIGHT, OUTDATED, STRANDED, NOT_MIGRATABLE, S_MIGRATIONS, S_PAIRS, S_HANDLER,
)  # fmt: skip

_REASONS = (
    "DisksNotLiveMigratable", "InterfaceNotLiveMigratable", "HotplugNotLiveMigratable", "CPUModeLiveMigratable",
    "VirtIOFSNotLiveMigratable", "HostDeviceNotLiveMigratable", "SEVNotLiveMigratable", "other",
)  # fmt: skip


class _Account(msgspec.Struct, kw_only=True):
    """The session's migrations."""

    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    """`trigger/outcome`."""
    pairs: dict[str, int] = msgspec.field(default_factory=dict)
    """`from/to/outcome`."""
    by_handler: int = 0
    last: MigrationsReport | None = None
    """As of the session's end."""


class Migrations:
    """The concern."""

    name = "migrations"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._buckets = [0] * (len(_BUCKETS) + 1)
        self._seconds = 0.0
        self._account: _Account | None = None
        self._sources: dict[str, str] = {}
        """Launcher version of a guest before its migration, by migration UID."""
        self._handlers: dict[str, float] = {}
        """When the virt-handler of a node last went away or came."""

    def session(self, transition: Transition, view: View) -> None:
        """A session's account begins empty, and keeps what was outdated when it ended."""
        if isinstance(transition, Began):
            self._account = _Account()
            self._handlers.clear()
        elif self._account is not None and self._account.last is None:
            self._account.last = self._now(view)

    def observe(self, change: Change, view: View) -> None:
        """Count what finished."""
        if isinstance(change, OF_OBJECTS) and change.resource == resources.MIGRATIONS:
            for delta in deltas(change):
                self._note_source(delta, view)
            for migration in view.finished:
                self._count(migration, change.at, view)
        if view.active:
            for pod in view.pods_changed:
                if pod.label == "virt-handler" and pod.node:
                    self._handlers[pod.node] = change.at

    def _note_source(self, delta: Delta, view: View) -> None:
        """Which launcher a guest ran when its migration was first seen."""
        old, new = delta.old, delta.new
        if isinstance(old, Migration) and new is None:
            self._sources.pop(old.uid, None)
        if isinstance(new, Migration) and not new.final and new.uid not in self._sources:
            vmi = view.guests.vmis.get(new.vmi_key)
            if vmi is not None:
                self._sources[new.uid] = _launcher(view.guests.image(vmi))

    def _count(self, migration: Migration, at: float, view: View) -> None:
        outcome = "succeeded" if migration.phase == "Succeeded" else "failed"
        self._outcomes[migration.trigger, outcome] += 1
        source = self._sources.pop(migration.uid, versions.UNKNOWN)
        if outcome == "succeeded" and migration.started is not None and migration.ended is not None:
            seconds = max(0.0, migration.ended - migration.started)
            self._buckets[bisect_left(_BUCKETS, seconds)] += 1
            self._seconds += seconds
        account = self._account
        if account is None or not view.active:
            return
        key = f"{migration.trigger}/{outcome}"
        account.outcomes[key] = account.outcomes.get(key, 0) + 1
        pair = f"{source}/{_launcher(view.components.launcher_image())}/{outcome}"
        if pair not in account.pairs and len(account.pairs) >= _PAIRS_KEPT:
            pair = f"other/other/{outcome}"
        account.pairs[pair] = account.pairs.get(pair, 0) + 1
        nodes = (migration.source_node, migration.target_node)
        away = any(at - self._handlers.get(node, -_HANDLER_AWAY) <= _HANDLER_AWAY for node in nodes)
        if outcome == "failed" and away:
            account.by_handler += 1

    def deadline(self) -> float | None:
        """None: nothing here waits."""
        return None

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`."""
        for trigger in _TRIGGERS:
            counts = {outcome: float(self._outcomes[trigger, outcome]) for outcome in _OUTCOMES}
            yield from MIGRATIONS.counts(counts, trigger=trigger)
        cumulative, total = [], 0
        for count in self._buckets:
            total += count
            cumulative.append(total)
        yield DURATION.histogram(Distribution(tuple(cumulative), self._seconds))
        if view.sync.known(resources.MIGRATIONS):
            yield IN_FLIGHT(len(view.migrations.unfinished))
        outdated = view.outdated()
        if outdated is not None:
            yield from OUTDATED.counts(
                {"waiting": outdated.waiting, **outdated.stranded}, initial=("waiting", *_STRANDED)
            )
            yield STRANDED(sum(outdated.stranded.values()))
        if view.sync.known(resources.VMIS):
            reasons: Counter[str] = Counter()
            for reason, count in view.guests.not_migratable.items():
                reasons[reason if reason in _REASONS else "other"] += count
            yield from NOT_MIGRATABLE.counts(reasons, initial=("other",))
        account = self._account
        if account is None:
            return
        for trigger in _TRIGGERS:
            session = {outcome: float(account.outcomes.get(f"{trigger}/{outcome}", 0)) for outcome in _OUTCOMES}
            yield from S_MIGRATIONS.counts(session, trigger=trigger)
        for pair, count in sorted(account.pairs.items()):
            source, target, outcome = pair.split("/")
            yield S_PAIRS(count, from_version=source, to_version=target, outcome=outcome)
        yield S_HANDLER(account.by_handler)

    def report(self, view: View) -> MigrationsReport:
        """The session's account; what is outdated as of its end, or now."""
        if self._account is not None and self._account.last is not None:
            return self._account.last
        return self._now(view)

    @property
    def failed_updates(self) -> tuple[int, int]:
        """Update migrations of the session that failed, and all that finished."""
        outcomes = self._account.outcomes if self._account is not None else {}
        failed = outcomes.get("workload_update/failed", 0)
        return failed, failed + outcomes.get("workload_update/succeeded", 0)

    def _now(self, view: View) -> MigrationsReport:
        outcomes = self._account.outcomes if self._account is not None else {}
        outdated = view.outdated()
        return MigrationsReport(
            succeeded=sum(n for key, n in outcomes.items() if key.endswith("/succeeded")),
            failed=sum(n for key, n in outcomes.items() if key.endswith("/failed")),
            in_flight=len(view.migrations.unfinished) if view.sync.known(resources.MIGRATIONS) else None,
            outdated=outdated.total if outdated is not None else None,
            stranded=sum(outdated.stranded.values()) if outdated is not None else None,
        )

    def snapshot(self) -> dict[str, Any]:
        """The session's account; process counters start at 0 again."""
        return {
            "account": msgspec.to_builtins(self._account),
            "sources": dict(sorted(self._sources.items())[:1000]),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change."""
        self._account = msgspec.convert(state["account"], _Account | None)
        self._sources = {str(k): str(v) for k, v in state["sources"].items()}


def _launcher(image: str) -> str:
    return versions.image_tag(image) or versions.UNKNOWN
