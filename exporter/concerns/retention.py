"""Retention: is everything still there.

Counts the objects of each resource that must survive an upgrade, by keys' comings and goings; it keeps no objects.
KubeVirt's own objects (labelled as managed by virt-operator) are left out: each release brings its own. Of the
CustomResourceDefinitions only KubeVirt's count.

`lost` is part of `deleted`: a CRD of KubeVirt's that went or came back with a new UID (its objects are gone with it),
or an object that went while nobody could see it, without an explanation. After a restart only CRDs are compared one by
one; of the others the number is all we still know, and a smaller one is shown as deleted.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.model import releases, resources
from exporter.model.changes import OF_OBJECTS, Change, Delta, ListReplaced, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Crd, Metadata, Object, Vm
from exporter.model.report import Retention as RetentionPart, RetentionReport
from exporter.settings import Settings
from exporter.tracker.sessions import Began, Closed, Ended, Transition
from exporter.tracker.tracker import View

_RETAINED = frozenset(resources.RETAINED)
_FORMAT = 1
_GONE_KEPT = 1000
"""Keys of deleted objects that are remembered, to tell what is re-created from what is new."""

_WORDS = {
    "created": "that appeared",
    "deleted": "that went, for whatever reason",
    "lost": "that went without an explanation, part of the deleted ones: KubeVirt CRDs that were deleted or replaced,"
    " and objects that vanished while the watch was cut",
    "recreated": "that were deleted and came back under the same name with a new UID (deleted and created count, too)",
    "spec_changed": "whose spec was changed; KubeVirt's own rewrites of VMs apart",
}  # fmt: skip

# OpenMetrics reserves the ending `_created` for itself.
_ENDINGS = {word: "added" if word == "created" else word for word in _WORDS}

OBJECTS = Family(
    name="objects", kind=Kind.GAUGE, labels=("resource",),
    help="Objects that must survive an upgrade; those that virt-operator manages itself are left out.",
)  # fmt: skip
BEFORE = Family(
    name="session_objects_before", kind=Kind.GAUGE, labels=("resource",),
    help="Objects when the session began; missing where they were not listed then, or its beginning was not seen.",
)  # fmt: skip
TOTALS = {
    word: Family(name=f"objects_{_ENDINGS[word]}", kind=Kind.COUNTER, labels=("resource",), help=f"Objects {what}.")
    for word, what in _WORDS.items()
}
SESSION = {
    word: Family(
        name=f"session_objects_{_ENDINGS[word]}",
        kind=Kind.GAUGE,
        labels=("resource",),
        help=f"Objects {what}, in the session.",
    )
    for word, what in _WORDS.items()
}
LOST_OBJECT = Family(
    name="session_lost_object_timestamp_seconds", kind=Kind.GAUGE, labels=("resource", "namespace", "name"),
    help="When it was learnt that this object is lost; named up to a limit.",
)  # fmt: skip
UNNAMED = Family(
    name="session_lost_objects_unnamed", kind=Kind.GAUGE,
    help="Lost objects of the session beyond the limit of those that are named.",
)  # fmt: skip

FAMILIES = (OBJECTS, BEFORE, *TOTALS.values(), *SESSION.values(), LOST_OBJECT, UNNAMED)


class _Counts(msgspec.Struct, kw_only=True):
    """What became of the objects of one resource."""

    created: int = 0
    deleted: int = 0
    lost: int = 0
    recreated: int = 0
    spec_changed: int = 0


class _Part(msgspec.Struct, kw_only=True):
    """One resource in the session."""

    before: int | None = None
    after: int | None = None
    """As of the session's end."""
    counts: _Counts = msgspec.field(default_factory=_Counts)


class _Account(msgspec.Struct, kw_only=True):
    """The session."""

    over: bool = False
    parts: dict[str, _Part] = msgspec.field(default_factory=dict)
    named: list[tuple[str, str, float]] = msgspec.field(default_factory=list)
    """Resource, key and time of lost objects."""
    unnamed: int = 0


class _Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What our predecessor knew."""

    counts: dict[str, int]
    crds: dict[str, str]


class Retention:
    """The concern."""

    name = "retention"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self, settings: Settings) -> None:
        self._named = settings.anomalies
        self._objects: dict[str, int] = {}
        """Per resource, once it has been listed."""
        self._crds: dict[str, str] = {}
        """Name and UID of KubeVirt's CRDs."""
        self._totals: dict[str, _Counts] = {}
        self._account: _Account | None = None
        self._expected: _Expected | None = None
        self._gone: OrderedDict[tuple[str, str], None] = OrderedDict()

    def session(self, transition: Transition, view: View) -> None:
        """An account begins with what is there, and ends with what is there then."""
        match transition:
            case Began(session=session):
                self._account = _Account()
                for resource in self._objects:
                    known = session.seen_start and view.sync.known(resource)
                    self._account.parts[resource] = _Part(before=self._objects[resource] if known else None)
            case Ended() | Closed():
                self._end(view)

    def _end(self, view: View) -> None:
        account = self._account
        if account is None or account.over:
            return
        account.over = True
        for resource, part in account.parts.items():
            part.after = self._objects.get(resource) if view.sync.known(resource) else None

    def observe(self, change: Change, view: View) -> None:
        """Count the differences."""
        if not isinstance(change, OF_OBJECTS) or change.resource not in _RETAINED:
            return
        resource = change.resource
        self._objects.setdefault(resource, 0)
        self._totals.setdefault(resource, _Counts())
        if self._open is not None:
            self._open.parts.setdefault(resource, _Part())
        for delta in deltas(change):
            self._take(resource, delta, at=change.at)
        if isinstance(change, ListReplaced) and change.initial and self._expected is not None:
            self._compare(resource, self._expected, at=change.at)

    @property
    def _open(self) -> _Account | None:
        return self._account if self._account is not None and not self._account.over else None

    def _add(self, resource: str, word: str, number: int = 1) -> None:
        each = [self._totals[resource]]
        if self._open is not None:
            each.append(self._open.parts[resource].counts)
        for counts in each:
            setattr(counts, word, getattr(counts, word) + number)

    def _take(self, resource: str, delta: Delta, *, at: float) -> None:
        old = delta.old if delta.old is not None and _counts(delta.old) else None
        new = delta.new if delta.new is not None and _counts(delta.new) else None
        self._objects[resource] += (new is not None) - (old is not None)
        if isinstance(new, Crd):
            self._crds[new.key] = new.uid
        elif isinstance(old, Crd):
            self._crds.pop(old.key, None)
        if delta.initial:
            return
        if old is not None and new is not None:
            if old.uid != new.uid:
                self._went(resource, old, lost=isinstance(old, Crd), at=at)
                self._came(resource, new)
            elif _rewritten(old, new):
                self._add(resource, "spec_changed")
        elif old is not None and delta.new is None:
            lost = isinstance(old, Crd) or (delta.gap and not _explained(old))
            self._went(resource, old, lost=lost, at=at)
        elif new is not None and delta.old is None:
            self._came(resource, new)

    def _went(self, resource: str, old: Object, *, lost: bool, at: float) -> None:
        self._add(resource, "deleted")
        self._gone[resource, old.key] = None
        if len(self._gone) > _GONE_KEPT:
            self._gone.popitem(last=False)
        if lost:
            self._lost(resource, old.key, at=at)

    def _lost(self, resource: str, key: str, *, at: float) -> None:
        self._add(resource, "lost")
        if self._open is None:
            return
        if len(self._open.named) < self._named:
            self._open.named.append((resource, key, at))
        else:
            self._open.unnamed += 1

    def _came(self, resource: str, new: Object) -> None:
        self._add(resource, "created")
        if (resource, new.key) in self._gone:
            del self._gone[resource, new.key]
            self._add(resource, "recreated")

    def _compare(self, resource: str, expected: _Expected, *, at: float) -> None:
        """With what was there before our restart: CRDs one by one, of others only the number."""
        if resource not in expected.counts:
            return
        if resource != resources.CRDS:
            more = self._objects[resource] - expected.counts[resource]
            self._add(resource, "created" if more > 0 else "deleted", abs(more))
            return
        for name, uid in expected.crds.items():
            if self._crds.get(name) == uid:
                continue
            self._add(resource, "deleted")
            self._lost(resource, name, at=at)
            if name in self._crds:
                self._add(resource, "created")
                self._add(resource, "recreated")
        self._add(resource, "created", len(self._crds.keys() - expected.crds.keys()))

    def deadline(self) -> float | None:
        """None: nothing here waits."""
        return None

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`; the last session's values stay until the next begins."""
        for resource, number in self._objects.items():
            if view.sync.known(resource):
                yield OBJECTS(number, resource=resource)
            totals = self._totals[resource]
            for word, family in TOTALS.items():
                yield family(getattr(totals, word), resource=resource)
        account = self._account
        if account is None:
            return
        for resource, part in account.parts.items():
            if part.before is not None:
                yield BEFORE(part.before, resource=resource)
            for word, family in SESSION.items():
                yield family(getattr(part.counts, word), resource=resource)
        latest = {(resource, key): at for resource, key, at in account.named}
        for (resource, key), at in latest.items():
            namespace, _, name = key.rpartition("/")
            yield LOST_OBJECT(at, resource=resource, namespace=namespace, name=name)
        yield UNNAMED(account.unnamed)

    def report(self, now: float, view: View) -> RetentionPart:
        """The session's account, of the resources that were listed; `after` as of its end, or now."""
        account = self._account or _Account()
        objects: dict[str, RetentionReport] = {}
        for resource in resources.RETAINED:
            part = account.parts.get(resource)
            if part is None:
                continue
            count = self._objects.get(resource) if view.sync.known(resource) else None
            objects[resource] = RetentionReport(
                before=part.before, after=part.after if account.over else count, **msgspec.structs.asdict(part.counts)
            )
        return RetentionPart(objects=objects)

    def snapshot(self) -> dict[str, Any]:
        """Numbers, the UIDs of KubeVirt's few CRDs, and the session's account; process counters start at 0 again."""
        expected = _Expected(counts=self._objects, crds=self._crds)
        if (ours := self._expected) is not None:  # some may not have been listed yet
            expected = _Expected(
                counts=ours.counts | self._objects, crds=self._crds if resources.CRDS in self._objects else ours.crds
            )
        return {
            "format": _FORMAT,
            "expected": msgspec.to_builtins(expected),
            "account": msgspec.to_builtins(self._account),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change; a snapshot of another format is left aside."""
        if state.get("format") != _FORMAT:
            return
        self._expected = msgspec.convert(state["expected"], _Expected)
        self._account = msgspec.convert(state["account"], _Account | None)


def _counts(obj: Object) -> bool:
    """It is not KubeVirt's own, and no CRD of somebody else's."""
    match obj:
        case Crd(group=group):
            return group in releases.GROUPS
        case Metadata(managed=managed):
            return not managed
        case _:
            return True


def _explained(old: Object) -> bool:
    """It was being deleted when we last saw it, or its owner took it along."""
    return old.deleted is not None or (isinstance(old, Metadata) and old.owned)


def _rewritten(old: Object, new: Object) -> bool:
    """Somebody other than KubeVirt changed its spec."""
    match old, new:
        case Vm(generation=before), Vm(generation=after, spec_manager=manager):
            return before != after and not manager.startswith("virt-")
        case Metadata(generation=before), Metadata(generation=after):
            return before != after
        case _:
            return False
