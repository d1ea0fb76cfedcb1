"""What a watcher of the simulated API server would have recorded, without any HTTP.

Writes the format of recordings: gzip of JSON lines, a header, lists, watch events, bookmarks, broken streams, probes of
a once-a-second sampler, and marks. Definitions come without schemas, ConfigMaps without data. The same scenario and
seed give the same bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import msgspec

from exporter.sim import times
from exporter.sim.catalogue import CRDS
from exporter.sim.refusals import JSON, expired_version
from exporter.sim.simulation import Simulation
from exporter.sim.store import Event
from exporter.sim.truth import Truth
from exporter.sim.world.engine import Process, Steady

_BOOKMARK_SECONDS = 60.0
_RELIST_SECONDS = 1.0  # from a broken stream to the next list
_PROBES = {  # probe: the answer when all is well
    "apiserver-readyz": 200,
    "subresource-version": 200,
    "vm-list-v1": 200,
    "vm-dry-run-create-v1": 201,
}
_DEFAULT = (
    "apiservices.apiregistration.k8s.io", "configmaps", "customresourcedefinitions.apiextensions.k8s.io",
    "daemonsets.apps", "deployments.apps", "jobs.batch", "kubevirts.kubevirt.io", "leases.coordination.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io", "namespaces", "nodes", "pods",
    "poddisruptionbudgets.policy", "replicasets.apps", "services",
    "validatingwebhookconfigurations.admissionregistration.k8s.io", "virtualmachineinstancemigrations.kubevirt.io",
    "virtualmachineinstancereplicasets.kubevirt.io", "virtualmachineinstances.kubevirt.io",
    "virtualmachines.kubevirt.io",
    "migrationpolicies.migrations.kubevirt.io", "virtualmachineclones.clone.kubevirt.io",
    "virtualmachineclusterinstancetypes.instancetype.kubevirt.io",
    "virtualmachineclusterpreferences.instancetype.kubevirt.io", "virtualmachineexports.export.kubevirt.io",
    "virtualmachineinstancetypes.instancetype.kubevirt.io", "virtualmachinepools.pool.kubevirt.io",
    "virtualmachinepreferences.instancetype.kubevirt.io", "virtualmachinerestores.snapshot.kubevirt.io",
    "virtualmachinesnapshotcontents.snapshot.kubevirt.io", "virtualmachinesnapshots.snapshot.kubevirt.io",
)  # fmt: skip


class Recorder:
    """Watches a simulation from the moment it is made; `lines` grow as simulated time moves."""

    def __init__(self, simulation: Simulation, *, resources: Iterable[str] = _DEFAULT, probes: bool = True) -> None:
        self.lines: list[bytes] = []
        self._simulation = simulation
        self._cluster = simulation.cluster
        self._watched = tuple(resources)
        self._listed: dict[str, int] = {}  # resources whose stream is up: the last version seen
        self._away = False
        for resource in self._watched:
            if resource in self._cluster.resources:
                self._list(resource)
        self._cluster.store.subscribe(self._event)
        self._cluster.on_reset(self._reset)
        simulation.faults.on_change(self._reachable)
        simulation.world.mark_listeners.append(lambda text: self._line("MARK", text=text))
        engine = simulation.world.engine
        engine.spawn(self._bookmarks(), name="bookmarks", outside=True)
        if probes:
            engine.spawn(self._probes(), name="probes", outside=True)

    @property
    def events(self) -> list[JSON]:
        """The lines, decoded."""
        return [msgspec.json.decode(line) for line in self.lines]

    def write(self, path: Path) -> None:
        """Write all lines so far as a recording."""
        engine = self._simulation.world.engine
        header = {"recording": 1, "started": times.micros(engine.start), "ended": times.micros(engine.now)}
        with path.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
            packed.write(msgspec.json.encode(header) + b"\n")
            for line in self.lines:
                packed.write(line + b"\n")

    def _line(self, kind: str, **content: object) -> None:
        at = times.micros(self._simulation.now)
        self.lines.append(msgspec.json.encode({"at": at, "type": kind, **content}))

    def _list(self, resource: str) -> None:
        self._line("LISTING", resource=resource)
        for body in self._cluster.list(resource):
            self._line("ITEM", resource=resource, object=_trimmed(resource, body))
        self._line("LISTED", resource=resource, resourceVersion=str(self._cluster.store.version))
        self._listed[resource] = self._cluster.store.version

    def _event(self, event: Event) -> None:
        if event.resource not in self._listed:
            return
        body = _trimmed(event.resource, msgspec.json.decode(event.raw))
        self._line(event.change.value, resource=event.resource, object=body)
        self._listed[event.resource] = event.version

    def _reset(self, resource: str) -> None:
        seen = self._listed.pop(resource, None)
        if seen is None:
            return
        self._line("DISCONNECTED", resource=resource)
        if resource in self._cluster.resources:
            status = expired_version(seen, self._cluster.store.version).status
            self._line("ERROR", resource=resource, object=status)
            self._line("DISCONNECTED", resource=resource)
        self._simulation.world.engine.spawn(self._relist(resource), name=f"relist {resource}", outside=True)

    def _relist(self, resource: str) -> Process:
        yield Steady(_RELIST_SECONDS)
        while self._away or resource not in self._cluster.resources:
            yield Steady(_RELIST_SECONDS)
        if resource not in self._listed:
            self._list(resource)

    def _reachable(self) -> None:
        away = self._simulation.faults.refusing
        if away and not self._away:
            for resource in list(self._listed):
                self._line("DISCONNECTED", resource=resource)
            self._listed.clear()
        if self._away and not away:
            engine = self._simulation.world.engine
            for resource in self._watched:
                engine.spawn(self._relist(resource), name=f"relist {resource}", outside=True)
        self._away = away

    def _bookmarks(self) -> Process:
        while True:
            yield Steady(_BOOKMARK_SECONDS)
            for resource in self._listed:
                self._line("BOOKMARK", resource=resource, resourceVersion=str(self._cluster.store.version))

    def _probes(self) -> Process:
        while True:
            for probe, success in _PROBES.items():
                status, error = self._answer(probe, success)
                content: JSON = {"probe": probe, "connection": "reused", "status": status, "seconds": 0.004}
                self._line("PROBE", **content, **({"error": error} if error else {}))
            yield Steady(1.0)

    def _answer(self, probe: str, success: int) -> tuple[int, str]:
        if self._away:
            return 0, "connection refused"
        if not self._simulation.world.virt_api_replicas():
            if probe == "subresource-version":
                return 503, "service unavailable"
            if probe == "vm-dry-run-create-v1":
                return 500, "failed calling webhook"
        return success, ""


def record(simulation: Simulation, path: Path, *, step: float = 1.0, probes: bool = True) -> Truth:
    """Run a simulation to its end and write what a watcher saw."""
    recorder = Recorder(simulation, probes=probes)
    truth = simulation.run(step=step)
    recorder.write(path)
    return truth


def _trimmed(resource: str, body: JSON) -> JSON:
    if resource == CRDS:
        for version in body["spec"]["versions"]:
            version.pop("schema", None)
            version.pop("subresources", None)
    if resource == "configmaps":
        data = body.pop("data", None) or {}
        body["dataKeys"] = {name: len(value) for name, value in data.items()}
    return body
