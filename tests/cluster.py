"""A small cluster as typed objects, for tests of the fold: put and remove objects, let time pass, list again.

It keeps a store per resource as the reflectors do, so that only real differences reach the fold. Times are seconds
after `EPOCH`.
"""

# ruff: noqa: ANN401 - fields of objects have many types

import json
from typing import Any

import msgspec

from exporter.fold import Fold
from exporter.model import resources
from exporter.model.changes import Change, Sync, SyncChanged
from exporter.model.families import Sample
from exporter.model.objects import Condition, KubeVirt, Lease, Migration, Node, Object, Pod, Vm, Vmi, Workload
from exporter.model.report import Report
from exporter.model.store import Store
from exporter.settings import Settings

EPOCH = 1_800_000_000.0
NAMESPACE = "kubevirt"
OLD, NEW = "v1.3.0", "v1.4.0"
IDS = {OLD: "id-1.3.0", NEW: "id-1.4.0"}


def image(name: str, version: str) -> str:
    return f"registry.example/kubevirt/{name}:{version}"


class Cluster:
    """A cluster with KubeVirt 1.3.0, two nodes and some guests, watched by a fold."""

    def __init__(
        self, *, guests: int = 2, settings: Settings | None = None, methods: tuple[str, ...] = ("LiveMigrate",)
    ) -> None:
        self.settings = settings if settings is not None else Settings()
        self.fold = Fold(self.settings, exporter_version="test")
        self.now = EPOCH
        self.stores = {spec.name: Store(spec.name) for spec in resources.RESOURCES}
        self.objects: dict[str, dict[str, Object]] = {spec.name: {} for spec in resources.RESOURCES}
        self._serial = 0
        self.changes: list[Change] = []
        self.methods = methods
        self._set(resources.KUBEVIRTS, self.kubevirt())
        for name in ("virt-operator", "virt-controller", "virt-api"):
            self._set(resources.DEPLOYMENTS, self.workload(name, OLD))
            for n in range(2):
                self._set(resources.PODS, self.pod(f"{name}-{n}", name, OLD))
        self._set(resources.DAEMONSETS, self.workload("virt-handler", OLD))
        for n in range(2):
            self._set(resources.NODES, Node(key=f"node-{n}", uid=f"node-{n}", ready=True, kubelet_version="v1.30.1"))
            self._set(resources.PODS, self.pod(f"virt-handler-{n}", "virt-handler", OLD, node=f"node-{n}"))
        for name in ("virt-operator", "virt-controller"):
            self._set(resources.LEASES, self.lease(name, f"{name}-0"))
        for n in range(guests):
            self._add_guest(f"vm-{n}", node=f"node-{n % 2}")

    # Objects ---------------------------------------------------------------------------------------------------------

    def kubevirt(self, *, target: str = OLD, observed: str = OLD, operator: str = OLD) -> KubeVirt:
        moving = target != observed
        reason = "UpdateInProgress" if moving else "AllComponentsReady"
        return KubeVirt(
            key=f"{NAMESPACE}/kubevirt", uid="kv", phase="Deployed", operator_version=operator, target_version=target,
            target_id=IDS[target], observed_version=observed, observed_id=IDS[observed], update_methods=self.methods,
            conditions=(Condition("Progressing", str(moving), reason, self.now),),
        )  # fmt: skip

    def workload(self, name: str, version: str, *, desired: int = 2) -> Workload:
        operator = name == "virt-operator"
        return Workload(
            key=f"{NAMESPACE}/{name}", uid=f"workload-{name}",
            kind="DaemonSet" if name == "virt-handler" else "Deployment",
            label=name, managed=not operator, version=version, identifier="" if operator else IDS[version],
            image=image(name, version), desired=desired, grace=30.0,
            launcher_image=image("virt-launcher", version) if name == "virt-controller" else "",
        )  # fmt: skip

    def pod(
        self, name: str, component: str, version: str, *, node: str = "node-0", ready: bool = True, restarts: int = 0
    ) -> Pod:
        operator = component == "virt-operator"
        return Pod(
            key=f"{NAMESPACE}/{name}", uid=f"pod-{name}-{version}", created=self.now, label=component,
            managed=not operator, version=version, identifier="" if operator else IDS[version],
            image=image(component, version), node=node, phase="Running", ready=ready, running=True, restarts=restarts,
        )  # fmt: skip

    def lease(self, name: str, holder: str) -> Lease:
        return Lease(key=f"{NAMESPACE}/{name}", uid=f"lease-{name}", holder=holder, renewed=self.now)

    def vm(self, name: str, **changes: Any) -> Vm:
        base: dict[str, Any] = {"created": EPOCH - 1000, "generation": 1, "run_strategy": "Always"}
        return Vm(key=f"team/{name}", uid=f"vm-{name}", **(base | changes))

    def vmi(self, name: str, **changes: Any) -> Vmi:
        base: dict[str, Any] = {
            "uid": f"vmi-{name}", "created": EPOCH - 900, "owned": True, "phase": "Running", "node": "node-0",
            "launcher_image": image("virt-launcher", OLD), "ready": True,
        }  # fmt: skip
        return Vmi(key=f"team/{name}", **(base | changes))

    def launcher(self, name: str, vmi_uid: str, *, serial: int = 0, **changes: Any) -> Pod:
        base: dict[str, Any] = {
            "uid": f"launcher-{vmi_uid}-{serial}", "created": self.now, "label": "virt-launcher", "owner": name,
            "owner_kind": "VirtualMachineInstance", "vmi_uid": vmi_uid, "image": image("virt-launcher", OLD),
            "node": "node-0", "phase": "Running", "ready": True, "running": True,
        }  # fmt: skip
        return Pod(key=f"team/virt-launcher-{name}-{serial}", **(base | changes))

    def migration(self, name: str, vmi: str, **changes: Any) -> Migration:
        base: dict[str, Any] = {"created": self.now, "trigger": "workload_update", "phase": "Running"}
        return Migration(key=f"team/{name}", uid=f"migration-{name}", vmi=vmi, **(base | changes))

    def _add_guest(self, name: str, *, node: str) -> None:
        self._set(resources.VMS, self.vm(name))
        self._set(resources.VMIS, self.vmi(name, node=node))
        self._set(resources.LAUNCHERS, self.launcher(name, f"vmi-{name}", node=node))

    # What happens ----------------------------------------------------------------------------------------------------

    def _set(self, resource: str, obj: Object) -> None:
        self.objects[resource][obj.key] = obj

    def list_all(self, *, without: tuple[str, ...] = ()) -> "Cluster":
        """Every resource is listed."""
        for resource in self.objects:
            if resource not in without:
                self.relist(resource)
        return self

    def relist(self, resource: str) -> None:
        """A whole list: what changed since the last event is a difference between lists."""
        self._feed(self.stores[resource].replace(list(self.objects[resource].values()), at=self.now))

    def put(self, resource: str, obj: Object, *, unseen: bool = False) -> None:
        """An object appears or changes; `unseen`: the watch is cut, nobody learns of it before the next list."""
        self._set(resource, obj)
        if not unseen:
            change = self.stores[resource].upsert(obj, at=self.now)
            if change is not None:
                self._feed(change)

    def change(self, resource: str, key: str, *, unseen: bool = False, **fields: Any) -> None:
        """Fields of an object change."""
        self.put(resource, msgspec.structs.replace(self.objects[resource][key], **fields), unseen=unseen)

    def remove(self, resource: str, key: str, *, unseen: bool = False) -> None:
        """An object goes."""
        del self.objects[resource][key]
        if not unseen:
            change = self.stores[resource].delete(key, at=self.now)
            if change is not None:
                self._feed(change)

    def sync(self, resource: str, state: Sync) -> None:
        """The watch is cut, or resumes, or is refused."""
        self._feed(SyncChanged(at=self.now, resource=resource, state=state))

    def wait(self, seconds: float, *, leaderless: str = "") -> None:
        """Time passes, and leaders renew their leases, the one of `leaderless` apart."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 10.0)
            for lease in list(self.objects[resources.LEASES].values()):
                assert isinstance(lease, Lease)
                if lease.name != leaderless:
                    self.put(resources.LEASES, msgspec.structs.replace(lease, renewed=self.now))

    def _feed(self, change: Change) -> None:
        self.changes.append(change)
        self.fold.feed(change)

    def restart(self, *, blind: float = 0.0) -> None:
        """Our process is killed and a new one lists everything again `blind` seconds later."""
        state = json.loads(json.dumps(self.fold.snapshot()))
        last = self.fold.current(self.now)  # the snapshot holds it
        past = tuple(report for report in self.fold.reports(self.now) if report != last)
        self.fold = Fold(self.settings, exporter_version="test")
        self.fold.restore(state, past=past)
        self.now += blind
        self.stores = {name: Store(name) for name in self.stores}
        self.list_all()

    # An upgrade, step by step ----------------------------------------------------------------------------------------

    def replace_pods(self, component: str, version: str, *, each: float = 10.0) -> None:
        """One pod after the other."""
        for key in [k for k, p in self.objects[resources.PODS].items() if isinstance(p, Pod) and p.label == component]:
            old = self.objects[resources.PODS][key]
            assert isinstance(old, Pod)
            if old.version == version:
                continue
            self.remove(resources.PODS, key)
            name = f"{old.name.partition('.')[0]}.{version}"
            self.put(resources.PODS, self.pod(name, component, version, node=old.node, ready=False))
            self.wait(each)
            self.change(resources.PODS, f"{NAMESPACE}/{name}", ready=True)

    def roll(self, component: str, version: str) -> None:
        """Template, pods, and the lease where there is one."""
        kind = resources.DAEMONSETS if component == "virt-handler" else resources.DEPLOYMENTS
        self.put(kind, self.workload(component, version))
        self.replace_pods(component, version)
        lease = self.objects[resources.LEASES].get(f"{NAMESPACE}/{component}")
        if lease is not None:
            self.wait(16, leaderless=component)
            self.put(resources.LEASES, self.lease(component, f"{component}-0.{version}"))

    def begin_upgrade(self, version: str = NEW, *, observed: str = OLD) -> None:
        """virt-operator is replaced and sets its target."""
        self.roll("virt-operator", version)
        self.put(resources.KUBEVIRTS, self.kubevirt(target=version, observed=observed, operator=version))
        self.wait(20)

    def control_plane(self, version: str = NEW) -> None:
        """virt-handler, virt-controller, virt-api; then the CR reports."""
        for component in ("virt-handler", "virt-controller", "virt-api"):
            self.roll(component, version)
        self.wait(5)
        self.put(resources.KUBEVIRTS, self.kubevirt(target=version, observed=version, operator=version))

    def migrate(self, name: str, version: str = NEW, *, succeeds: bool = True) -> None:
        """KubeVirt migrates a guest to a new launcher."""
        self._serial += 1
        job = f"update-{self._serial}"
        key = f"team/{name}"
        vmi = self.objects[resources.VMIS][key]
        self.put(resources.MIGRATIONS, self.migration(job, name))
        self.wait(10)
        if succeeds:
            self.put(resources.LAUNCHERS, self.launcher(name, vmi.uid, serial=self._serial, node="node-1"))
            self.change(
                resources.VMIS, key, node="node-1", launcher_image="", migration_uid=job, migration_completed=True
            )
            self.change(resources.VMIS, key, launcher_image=image("virt-launcher", version))
            self.wait(2)
            for pod in [p for p in self.objects[resources.LAUNCHERS].values() if isinstance(p, Pod)]:
                if pod.vmi_uid == vmi.uid and pod.key != f"team/virt-launcher-{name}-{self._serial}" and pod.running:
                    self.change(resources.LAUNCHERS, pod.key, phase="Succeeded", running=False, terminated="Completed")
        self.change(resources.MIGRATIONS, f"team/{job}", phase="Succeeded" if succeeds else "Failed")

    # What is seen ----------------------------------------------------------------------------------------------------

    def report(self) -> Report:
        """The session's report as of now."""
        report = self.fold.current(self.now)
        assert report is not None, "no session"
        return report

    def samples(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """All samples as of now, by exposed name and label values."""
        found: dict[tuple[str, tuple[str, ...]], float] = {}
        for source in self.fold.sources():
            for sample in source.samples(self.now):
                assert isinstance(sample, Sample)
                found[sample.family.exposed_name.removeprefix("kubevirt_upgrade_"), sample.labels] = sample.value
        return found
