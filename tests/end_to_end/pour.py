"""Pours a recording into a real API server: the same objects, changes and deletions, in order, faster than life.

What an API server does not take as it was recorded is changed: identities are the server's own and are followed through
all references; times are moved to now and squeezed; pods and Jobs keep of their specs what matters
here; webhooks are pointed at nothing; CRDs get a schema that allows everything. APIServices are left out, for there is
nothing behind them.
"""

import asyncio
import datetime as dt
import json
import pathlib
import re
import time
from typing import Any, Final

from exporter.kube.api import Api
from exporter.model import resources
from exporter.recording.lines import Line, Lines

Json = dict[str, Any]

CRDS: Final = resources.CRDS
CUSTOM: Final = {
    "kubevirts.kubevirt.io": "KubeVirt",
    "virtualmachines.kubevirt.io": "VirtualMachine",
    "virtualmachineinstances.kubevirt.io": "VirtualMachineInstance",
    "virtualmachineinstancemigrations.kubevirt.io": "VirtualMachineInstanceMigration",
}
KINDS: Final = {
    CRDS: "CustomResourceDefinition",
    **CUSTOM,
    "nodes": "Node",
    "deployments.apps": "Deployment",
    "daemonsets.apps": "DaemonSet",
    "jobs.batch": "Job",
    "pods": "Pod",
    "leases.coordination.k8s.io": "Lease",
    "validatingwebhookconfigurations.admissionregistration.k8s.io": "ValidatingWebhookConfiguration",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": "MutatingWebhookConfiguration",
}
"""What is poured; none refers to one after it before that one is there."""
STATUS_SUBRESOURCE: Final = (set(CUSTOM) - {"virtualmachineinstances.kubevirt.io"}) | {
    "nodes", "deployments.apps", "daemonsets.apps", "jobs.batch", "pods",
}  # fmt: skip
"""Whose status is written by itself. Guests' is not, as with KubeVirt's own definition."""

_SPECS: Final = {spec.recorded_as: spec for spec in resources.RESOURCES}
_UID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_NOTHING: Final = [{"apiGroups": ["none.invalid"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]


class Pour:
    """One recording on its way into one API server, whose administrator `api` is.

    First `lists`, the cluster as it was when the recording began; then `stream`, what happened. `speed` is how much
    faster than life, at most: where the server is slower, the poured times lie further in the past.
    """

    def __init__(self, api: Api, path: pathlib.Path, *, speed: float) -> None:
        self._api = api
        self._speed = speed
        with Lines(path) as lines:
            self._started = lines.header.started.timestamp()
            poured = [line for _, line in lines if line.resource in KINDS]
        self._first: list[Line] = []
        self._rest: list[Line] = []
        listed: set[str] = set()
        for line in poured:
            (self._rest if line.resource in listed else self._first).append(line)
            if line.type == "LISTED":
                listed.add(line.resource)
        self._began = 0.0
        self.lags: list[tuple[float, float]] = []
        """When something was poured, in Unix seconds, and how many seconds late that was."""
        self._namespaces: set[str] = set()
        self._uids: dict[str, str] = {}
        """The server's by the recording's."""
        self._present: dict[str, dict[str, tuple[Json, Json]]] = {resource: {} for resource in KINDS}
        """What was last poured, by resource and key: the object without its status, and the status."""
        self._ending: set[str] = set()
        """Pods that have been asked to end."""

    async def lists(self) -> None:
        """Create all that the first lists hold: kinds in the order of KINDS, of each the oldest first."""
        self._began = time.time()
        things = [(line.resource, json.loads(bytes(line.object))) for line in self._first if line.type == "ITEM"]
        for wanted in KINDS:
            these = [thing for resource, thing in things if resource == wanted]
            for thing in sorted(these, key=lambda thing: str(thing["metadata"]["creationTimestamp"])):
                await self._put(wanted, thing)
            if wanted == CRDS:
                for resource in CUSTOM:
                    await self._served(resource)

    async def stream(self) -> None:
        """Do what was recorded, event by event; of a new list, what differs."""
        self._began = time.time()
        listed: dict[str, set[str]] = {}
        for line in self._rest:
            due = self._moved(line.at.timestamp())
            await asyncio.sleep(max(0.0, due - time.time()))
            self.lags.append((time.time(), time.time() - due))
            match line.type:
                case "LISTING":
                    listed[line.resource] = set()
                case "LISTED":
                    for key in set(self._present[line.resource]) - listed[line.resource]:
                        await self._delete(line.resource, key)
                case "ITEM" | "ADDED" | "MODIFIED":
                    thing = json.loads(bytes(line.object))
                    listed.setdefault(line.resource, set()).add(key_of(thing))
                    await self._put(line.resource, thing)
                case "DELETED":
                    await self._delete(line.resource, key_of(json.loads(bytes(line.object))))
                case _:
                    pass

    # --- one object

    async def _put(self, resource: str, recorded: Json) -> None:
        """Make the server's object what the recorded one is."""
        key = key_of(recorded)
        main = self._translated(resource, recorded)
        status = main.pop("status", None) or {} if resource in STATUS_SUBRESOURCE else {}
        before = self._present[resource].get(key)
        if before is None:
            await self._create(resource, recorded["metadata"]["uid"], main)
            before = (main, {})
        path = self._path(resource, key)
        if change := difference(before[0], main):
            await self._change(resource, path, change)
        if change := difference(before[1], status):
            await self._ask("PATCH", f"{path}/status", {"status": change})
        self._present[resource][key] = (main, status)
        if resource == "pods" and recorded["metadata"].get("deletionTimestamp") and key not in self._ending:
            self._ending.add(key)
            await self._ask("DELETE", path, {"gracePeriodSeconds": recorded["metadata"]["deletionGracePeriodSeconds"]})

    async def _create(self, resource: str, uid: str, main: Json) -> None:
        namespace = main["metadata"].get("namespace")
        if namespace and namespace not in self._namespaces:
            self._namespaces.add(namespace)
            await self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        path = self._path(resource, f"{namespace}/" if namespace else "").rstrip("/")
        self._uids[uid] = (await self._ask("POST", path, main))["metadata"]["uid"]

    async def _change(self, resource: str, path: str, change: Json) -> None:
        if resource == "pods" and (node := change.pop("spec", {}).get("nodeName")):
            pod = {"metadata": {"name": path.rpartition("/")[2]}}
            await self._ask("POST", f"{path}/binding", pod | {"target": {"kind": "Node", "name": node}})
        if change:
            await self._ask("PATCH", path, change)

    async def _delete(self, resource: str, key: str) -> None:
        del self._present[resource][key]
        options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        await self._ask("DELETE", self._path(resource, key), options)
        self._ending.discard(key)

    async def _served(self, resource: str) -> None:
        """Wait until a custom resource can be used."""
        for _ in range(500):
            if (await self._api.request("GET", self._path(resource, ""))).status == 200:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{resource} is not served")

    async def _ask(self, method: str, path: str, body: Json) -> Any:  # noqa: ANN401
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        response = await self._api.request(
            method, path, headers={"Content-Type": content}, body=json.dumps(body).encode()
        )
        gone = response.status == 404 and any(f"/{key.rpartition('/')[2]}" in path for key in self._ending)
        assert response.status < 300 or gone, f"{method} {path}: {response.status} {response.body[:500]!r}"
        return json.loads(response.body)

    def _path(self, resource: str, key: str) -> str:
        spec = _SPECS[resource]
        root = f"/apis/{spec.group}/{spec.versions[0]}" if spec.group else f"/api/{spec.versions[0]}"
        namespace, slash, name = key.rpartition("/")
        inside = f"/namespaces/{namespace}" if slash else ""
        return f"{root}{inside}/{spec.plural}/{name}".rstrip("/")

    # --- translation

    def _moved(self, at: float) -> float:
        return self._began + (at - self._started) / self._speed

    def _translated(self, resource: str, recorded: Json) -> Json:
        """What the server is given for a recorded object."""
        text = _UID.sub(lambda found: self._uids.get(found[0], found[0]), json.dumps(recorded))
        thing: Json = json.loads(_TIME.sub(self._moved_text, text))
        spec = _SPECS[resource]
        metadata = {name: thing["metadata"].get(name) for name in ("name", "namespace", "labels", "annotations")}
        metadata["ownerReferences"] = thing["metadata"].get("ownerReferences")
        rest = {name: part for name, part in thing.items() if name not in ("apiVersion", "kind", "metadata")}
        match resource:
            case "pods":
                rest["spec"] = pod_spec(rest["spec"])
            case "jobs.batch":
                template = pod_spec(rest["spec"]["template"]["spec"]) | {"restartPolicy": "Never"}
                rest["spec"] = {"template": {"spec": template}}
            case _ if "webhooks" in rest:
                for webhook in rest["webhooks"] or ():
                    webhook["rules"] = _NOTHING
            case resources.CRDS:
                del rest["status"]
                stamp = (metadata["annotations"] or {}).get("kubevirt.io/install-strategy-version", "")
                subresources: Json = {"subresources": {"status": {}}} if metadata["name"] in STATUS_SUBRESOURCE else {}
                rest["spec"]["versions"] = [
                    version | any_schema(stamp) | subresources for version in rest["spec"]["versions"]
                ]
            case _:
                pass
        version = f"{spec.group}/{spec.versions[0]}".lstrip("/")
        return {
            "apiVersion": version,
            "kind": KINDS[resource],
            "metadata": {name: part for name, part in metadata.items() if part is not None},
            **rest,
        }

    def _moved_text(self, found: re.Match[str]) -> str:
        moved = dt.datetime.fromtimestamp(self._moved(dt.datetime.fromisoformat(found[0]).timestamp()), tz=dt.UTC)
        return moved.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if found[1] else "%Y-%m-%dT%H:%M:%SZ")


def key_of(thing: Json) -> str:
    """`namespace/name`, or `name`."""
    metadata = thing["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def pod_spec(spec: Json) -> Json:
    """Containers and the node: the rest names things that are not here."""
    containers = [
        {name: container[name] for name in ("name", "image", "args", "env") if name in container}
        for container in spec["containers"]
    ]
    return {"containers": containers} | ({"nodeName": spec["nodeName"]} if spec.get("nodeName") else {})


def any_schema(stamp: str) -> Json:
    """Everything is allowed. A release changes its definitions, and so does this one with its stamp."""
    return {
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "description": f"Of release {stamp}.",
            }
        }
    }


def difference(old: Json, new: Json) -> Json:
    """A merge patch (RFC 7386) from one to the other; empty where they are equal."""
    patch: Json = {name: None for name in old if name not in new}
    for name, part in new.items():
        before = old.get(name)
        if isinstance(part, dict) and isinstance(before, dict):
            if inner := difference(before, part):
                patch[name] = inner
        elif part != before:
            patch[name] = part
    return patch
