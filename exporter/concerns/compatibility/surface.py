"""What of KubeVirt's API is served, and which stored versions bar the way to another release.

Learnt from CustomResourceDefinitions and, for the API that virt-api serves itself, from APIServices. Both are few.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from exporter.model import releases, resources, versions
from exporter.model.changes import Delta
from exporter.model.objects import ApiService, Crd, KubeVirt
from exporter.tracker.sessions import Session
from exporter.tracker.sync import SyncTable


class Served(NamedTuple):
    """One version of one resource, as clients name it; no resource stands for a whole aggregated group-version."""

    group: str
    version: str
    resource: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version} {self.resource}".rstrip()


class Block(NamedTuple):
    """A stored version that a release does not define."""

    crd: str
    version: str
    direction: str
    """`upgrade` or `rollback`."""
    release: str

    def __str__(self) -> str:
        return f"{self.crd}: {self.version} blocks {self.direction} to {self.release}"


class Ways(NamedTuple):
    """The releases to which somebody may want to go next, the nearest first."""

    upgrade: tuple[str, ...]
    rollback: tuple[str, ...]


Baseline = dict[str, frozenset[Served]]
"""What was served, by the resource we know it from; one that was not listed is missing."""


class Surface:
    """KubeVirt's CRDs and APIServices."""

    def __init__(self) -> None:
        self._served: dict[str, dict[str, frozenset[Served]]] = {resources.CRDS: {}, resources.API_SERVICES: {}}
        self._stored: dict[str, tuple[str, ...]] = {}
        self.services: dict[tuple[str, str], bool | None] = {}
        """Availability of aggregated group-versions; None where the APIService does not say."""

    def take(self, delta: Delta) -> None:
        """Take in a difference of a CRD or an APIService."""
        match delta.old:
            case Crd(key=key):
                self._served[resources.CRDS].pop(key, None)
                self._stored.pop(key, None)
            case ApiService(key=key, group=group, version=version):
                self._served[resources.API_SERVICES].pop(key, None)
                self.services.pop((group, version), None)
            case _:
                pass
        match delta.new:
            case Crd(key=key, group=group, plural=plural) as crd if group in releases.GROUPS:
                served = frozenset(Served(group, version.name, plural) for version in crd.versions if version.served)
                self._served[resources.CRDS][key] = served
                self._stored[key] = crd.stored
            case ApiService(key=key, group=group, version=version) as service if (
                service.aggregated and group in releases.GROUPS
            ):
                self.services[group, version] = service.available
                here = service.available is not False
                self._served[resources.API_SERVICES][key] = frozenset({Served(group, version, "")} if here else ())
            case _:
                pass

    def served(self, sync: SyncTable) -> Baseline:
        """As of now, by the resources that are known."""
        return {
            resource: frozenset().union(*by_key.values())
            for resource, by_key in self._served.items()
            if sync.known(resource)
        }

    def blocks(self, ways: Ways) -> list[Block]:
        """Each stored version that bars a way, with the nearest release it bars; sorted."""
        found: list[Block] = []
        for direction, lines in ways._asdict().items():
            for crd, stored in self._stored.items():
                named: set[str] = set()
                for line in lines:
                    barred = set(releases.barred(crd, stored, line) or ()) - named
                    named |= barred
                    found.extend(Block(crd, version, direction, line) for version in barred)
        return sorted(found)


def difference(baseline: Baseline, now: Baseline) -> tuple[tuple[Served, ...], tuple[Served, ...]]:
    """What is lost and what is new, of the resources known at both times; sorted."""
    both = baseline.keys() & now.keys()
    lost = frozenset[Served]().union(*(baseline[resource] - now[resource] for resource in both))
    new = frozenset[Served]().union(*(now[resource] - baseline[resource] for resource in both))
    return tuple(sorted(lost)), tuple(sorted(new))


def ways(session: Session | None, kubevirt: KubeVirt | None) -> Ways:
    """Where one may want to go; only releases of the tables.

    In a session over a minor: to its target and what comes after it, and back to where it began. Else one minor up and
    one down from what runs.
    """
    if session is not None and (hops := versions.minors_between(session.from_version, session.to_version)):
        low, high = session.from_version, session.to_version
        if hops < 0:
            low, high = high, low
        return Ways(upgrade=_lines(high, 0, 1), rollback=_lines(low, 0))
    running = kubevirt.observed_version if kubevirt is not None else ""
    if session is not None:
        running = session.to_version
    return Ways(upgrade=_lines(running, 1), rollback=_lines(running, -1))


def _lines(version: str, *steps: int) -> tuple[str, ...]:
    line = releases.line_of(version) or ""
    found = (releases.neighbour(line, step=step) for step in steps)
    return tuple(line for line in found if line is not None)


def to_state(baseline: Baseline | None) -> dict[str, list[list[str]]] | None:
    """As JSON values."""
    if baseline is None:
        return None
    return {resource: [list(served) for served in sorted(all_served)] for resource, all_served in baseline.items()}


def from_state(state: dict[str, Iterable[Any]] | None) -> Baseline | None:
    """Back again."""
    if state is None:
        return None
    return {
        resource: frozenset(Served(str(group), str(version), str(plural)) for group, version, plural in entries)
        for resource, entries in state.items()
    }
