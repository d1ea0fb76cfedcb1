"""Milestones of an upgrade, taken from the lines of a recording: of a real one, or of the simulator's.

Knows objects only; the same function reads both, so that their order can be compared.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

JSON = dict[str, Any]
_FINAL = {"Succeeded", "Failed"}
_LATE = "virtualmachineexports.export.kubevirt.io"


def read(path: Path) -> Iterator[JSON]:
    with gzip.open(path, "rb") as file:
        next(file)
        for line in file:
            yield msgspec.json.decode(line)


@dataclass
class Extractor:
    """First occurrences only: of the upgrade to `version` in a stream that holds one."""

    version: str
    found: dict[str, float] = field(default_factory=dict)
    _pods: dict[str, JSON] = field(default_factory=dict)
    _migrations: dict[str, str] = field(default_factory=dict)
    _last_success: float = 0.0
    _exports_generation: int = 0
    _operator_changed: bool = False

    def note(self, name: str, at: float) -> None:
        self.found.setdefault(name, at)

    def take(self, line: JSON) -> None:
        body = line.get("object")
        if body is None or line["type"] not in {"ADDED", "MODIFIED", "DELETED", "ITEM"}:
            return
        at = datetime.fromisoformat(line["at"]).timestamp()
        handler = {
            "pods": self._pod,
            "deployments.apps": self._deployment,
            "daemonsets.apps": self._daemon_set,
            "leases.coordination.k8s.io": self._lease,
            "kubevirts.kubevirt.io": self._kubevirt,
            "jobs.batch": self._job,
            "customresourcedefinitions.apiextensions.k8s.io": self._definition,
            "validatingwebhookconfigurations.admissionregistration.k8s.io": self._webhook,
            "virtualmachineinstances.kubevirt.io": self._instance,
            "virtualmachineinstancemigrations.kubevirt.io": self._migration,
        }.get(line["resource"])
        if handler is not None:
            handler(line["type"], body, at)

    def _pod(self, change: str, body: JSON, at: float) -> None:
        name = body["metadata"]["name"]
        if change == "DELETED":
            self._pods.pop(name, None)
        else:
            self._pods[name] = body
        component = body["metadata"].get("labels", {}).get("kubevirt.io", "")
        if component in {"virt-handler", "virt-controller", "virt-api", "virt-operator"} and self._operator_changed:
            self._check_rollout(component, at)

    def _check_rollout(self, component: str, at: float) -> None:
        pods = [pod for pod in self._pods.values() if pod["metadata"].get("labels", {}).get("kubevirt.io") == component]
        new = [pod for pod in pods if _version(pod) == self.version]
        ready = [pod for pod in new if _ready(pod)]
        if component == "virt-handler" and ready:
            self.note("handler canary ready", at)
        if new and len(new) == len(pods) == len(ready) and f"{component} template" in self.found:
            self.note(f"{component} complete", at)

    def _deployment(self, _change: str, body: JSON, at: float) -> None:
        component = body["metadata"]["name"]
        if _version({"spec": body["spec"]["template"]["spec"], "metadata": body["metadata"]}) == self.version:
            self._operator_changed = True
            self.note(f"{component} template", at)

    def _daemon_set(self, _change: str, body: JSON, at: float) -> None:
        if body["metadata"]["annotations"]["kubevirt.io/install-strategy-version"] == self.version:
            self.note("virt-handler template", at)
            limit = body["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
            if limit == "10%":
                self.note("handler bulk", at)
            elif "handler bulk" in self.found:
                self.note("handler limit back", at)

    def _lease(self, _change: str, body: JSON, at: float) -> None:
        holder = self._pods.get(body["spec"]["holderIdentity"])
        if holder is not None and _version(holder) == self.version and self._operator_changed:
            self.note(f"{body['metadata']['name']} lease", at)

    def _kubevirt(self, _change: str, body: JSON, at: float) -> None:
        status = body["status"]
        if status["targetKubeVirtVersion"] == self.version:
            self.note("target", at)
        if status["observedKubeVirtVersion"] == self.version:
            self.note("reported", at)
            if status.get("outdatedVirtualMachineInstanceWorkloads", 0) > 1:
                self.note("outdated count", at)

    def _job(self, change: str, body: JSON, at: float) -> None:
        self.note("install job", at)
        if body.get("status", {}).get("succeeded"):
            self.note("install job done", at)
        if change == "DELETED":
            self.note("install job gone", at)

    def _definition(self, _change: str, body: JSON, at: float) -> None:
        metadata = body["metadata"]
        if metadata["name"] == "kubevirts.kubevirt.io" and metadata["generation"] > 1:
            self.note("operator manifest", at)
        if metadata.get("annotations", {}).get("kubevirt.io/install-strategy-version") != self.version:
            return
        self.note("definitions", at)
        if metadata["name"] == _LATE:
            if self._exports_generation and metadata["generation"] > self._exports_generation:
                self.note("definitions again", at)
            self._exports_generation = metadata["generation"]

    def _webhook(self, _change: str, body: JSON, at: float) -> None:
        if body["metadata"]["annotations"]["kubevirt.io/install-strategy-version"] == self.version:
            self.note("webhooks", at)

    def _instance(self, _change: str, body: JSON, at: float) -> None:
        if "kubevirt.io/outdatedLauncherImage" in body["metadata"]["labels"]:
            self.note("outdated label", at)

    def _migration(self, change: str, body: JSON, at: float) -> None:
        if change == "ADDED":
            self.note("first migration", at)
        phase = body.get("status", {}).get("phase", "")
        name = body["metadata"]["name"]
        if phase == "Succeeded" and self._migrations.get(name) not in _FINAL:
            self.note("first migration succeeded", at)
            self._last_success = at
        self._migrations[name] = phase


def extract(lines: Iterable[JSON], version: str) -> dict[str, float]:
    """Milestone: seconds since the epoch, of the upgrade to `version`."""
    extractor = Extractor(version)
    for line in lines:
        extractor.take(line)
    found = dict(extractor.found)
    if extractor._last_success:  # noqa: SLF001 - its own module
        found["last migration succeeded"] = extractor._last_success  # noqa: SLF001
    return found


def in_order(found: dict[str, float]) -> list[str]:
    return sorted(found, key=lambda name: found[name])


def _version(body: JSON) -> str:
    annotation = body["metadata"].get("annotations", {}).get("kubevirt.io/install-strategy-version", "")
    image: str = body["spec"]["containers"][0]["image"]
    return annotation or image.rpartition(":")[2]


def _ready(pod: JSON) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
