"""A hand-made stream of changes through the tracker and one concern, told like a story: list, put, take away, wait."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from exporter.concerns.base import Concern
from exporter.model import resources
from exporter.model.changes import Change, Sync, SyncChanged, TimePassed
from exporter.model.families import Family
from exporter.model.objects import (
    ApiService,
    Crd,
    Job,
    KubeVirt,
    Lease,
    Migration,
    Node,
    Object,
    Pod,
    Vm,
    Vmi,
    WebhookConfiguration,
    Workload,
)
from exporter.model.store import Store
from exporter.settings import Settings
from exporter.tracker.sessions import Began, Closed
from exporter.tracker.tracker import Tracker

C = TypeVar("C", bound=Concern)

_RESOURCE: Mapping[type[Object], str] = {
    KubeVirt: resources.KUBEVIRTS,
    Vm: resources.VMS,
    Vmi: resources.VMIS,
    Migration: resources.MIGRATIONS,
    Lease: resources.LEASES,
    Job: resources.JOBS,
    Crd: resources.CRDS,
    ApiService: resources.API_SERVICES,
    Node: resources.NODES,
    WebhookConfiguration: resources.VALIDATING_WEBHOOKS,
}


def resource_of(obj: Object) -> str:
    """Where the object is listed."""
    if isinstance(obj, Workload):
        return resources.DAEMONSETS if obj.kind == "DaemonSet" else resources.DEPLOYMENTS
    if isinstance(obj, Pod):
        return resources.LAUNCHERS if obj.label == "virt-launcher" else resources.PODS
    return _RESOURCE[type(obj)]


class Stream(Generic[C]):
    """Tracker, one concern, and what has been said to them. `now` is the time of whatever is said next."""

    def __init__(self, concern: C, *, now: float = 0.0, settings: Settings | None = None) -> None:
        self.concern = concern
        self.tracker = Tracker(settings or Settings())
        self.now = now
        self.closing: Callable[[], None] = lambda: None
        """Called when a session's report is taken, because another is about to begin."""
        self._stores = {name: Store(name) for name in resources.BY_NAME}

    def say(self, change: Change) -> None:
        """One change, as the fold gives it: transitions first."""
        for transition in self.tracker.observe(change):
            if isinstance(transition, Closed):
                self.closing()
                continue
            if isinstance(transition, Began):
                self.tracker.session_began(transition.session)
            self.concern.session(transition, self.tracker)
        self.concern.observe(change, self.tracker)

    def wait(self, seconds: float) -> None:
        """Time passes, and what is due then happens."""
        self.now += seconds
        while (due := self._due()) is not None and due <= self.now:
            self.say(TimePassed(at=due))

    def _due(self) -> float | None:
        return min((d for d in (self.tracker.deadline(), self.concern.deadline()) if d is not None), default=None)

    def lists(self, *objects: Object, without: Iterable[str] = ()) -> None:
        """Every resource is listed, with these objects; those named in `without` are not."""
        for name in resources.BY_NAME:
            if name not in without:
                self.list(name, *(obj for obj in objects if resource_of(obj) == name))

    def list(self, resource: str, *objects: Object) -> None:
        """A list of one resource: what is not in it is gone."""
        self.say(self._stores[resource].replace(objects, at=self.now))

    def put(self, *objects: Object) -> None:
        """Watch events: these objects appeared or changed."""
        for obj in objects:
            change = self._stores[resource_of(obj)].upsert(obj, at=self.now)
            if change is not None:
                self.say(change)

    def drop(self, *objects: Object) -> None:
        """Watch events: these objects went."""
        for obj in objects:
            change = self._stores[resource_of(obj)].delete(obj.key, at=self.now)
            if change is not None:
                self.say(change)

    def sync(self, resource: str, state: Sync) -> None:
        """What we know about a resource changed."""
        self.say(SyncChanged(at=self.now, resource=resource, state=state))

    def restart(self, concern: C) -> "Stream[C]":
        """Another process continues with the snapshot, and has not listed anything."""
        stream = Stream(concern, now=self.now, settings=self.tracker.settings)
        stream.tracker.restore(self.tracker.snapshot(), last=self.tracker.last)
        stream.concern.restore(self.concern.snapshot())
        return stream

    def values(self, family: Family) -> dict[tuple[str, ...], float]:
        """The family's samples now, by the values of its labels in their order."""
        samples = [s for s in self.concern.samples(self.now, self.tracker) if s.family is family]
        found = {sample.labels: sample.value for sample in samples}
        assert len(found) == len(samples), f"{family.name} has the same series twice"
        return found

    def value(self, family: Family, *labels: str) -> float | None:
        """One sample's value; None where there is none."""
        return self.values(family).get(labels)

    def state(self, family: Family, *labels: str) -> str | None:
        """The state of a state-set that is 1; None where it is not there."""
        found = {key: value for key, value in self.values(family).items() if key[: len(labels)] == labels}
        ones = [key[-1] for key, value in found.items() if value]
        assert not found or (len(ones) == 1 and len(found) == len(family.states)), found
        return ones[0] if ones else None
