"""`subresources.kubevirt.io`: the API that the virt-api replicas serve behind the API server.

One of the ready replicas answers each request, in turn, so that a client sees mixed versions during their rollout; with
no replica ready, the answer is the API server's 503.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exporter.sim.refusals import JSON

GROUP = "subresources.kubevirt.io"
VERSIONS = ("v1", "v1alpha3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A virt-api pod that takes requests. `version` is its own, such as `v1.3.0`."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is JSON, or `text` where the answer is plain."""

    code: int
    body: JSON | None = None
    text: str = ""


class Aggregated:
    """Answers for the replicas that `replicas` names at the time of each request."""

    def __init__(self, replicas: Callable[[], Sequence[Replica]], *, kubernetes: JSON) -> None:
        self._replicas = replicas
        self._kubernetes = kubernetes
        self._turn = itertools.count()

    def answer(self, path: str) -> Answer:
        """`path` is the whole path, beginning with /apis/subresources.kubevirt.io/."""
        replicas = self._replicas()
        parts = path.strip("/").split("/")[2:]
        if not parts or parts[0] not in VERSIONS:
            return Answer(404, text="404 page not found\n")
        if not replicas:
            return Answer(503, text="service unavailable\n")
        replica = replicas[next(self._turn) % len(replicas)]
        match parts[1:]:
            case []:
                return Answer(200, _discovery(parts[0]))
            case ["version"]:
                return Answer(200, _version(replica.version))
            case ["healthz"]:
                server = {"connectivity": "ok", "version": self._kubernetes}
                return Answer(200, {"apiserver": server, "config-resource-version": "1361"})
            case ["guestfs"]:
                content = {"registry": "quay.io/kubevirt", "tag": replica.version, "digest": "", "imagePrefix": ""}
                return Answer(200, {**content, "gsImage": ""})
            case _:
                return Answer(404, text="404: Page Not Found")


def _version(version: str) -> JSON:
    return {
        "gitVersion": version,
        "gitCommit": f"{abs(int.from_bytes(version.encode(), 'big')):040x}"[-40:],
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.22.8",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _discovery(version: str) -> JSON:
    names = ["expand-vm-spec", "guestfs", "healthz", "start-cluster-profiler", "stop-cluster-profiler", "version"]
    instances = ["console", "freeze", "guestosinfo", "filesystemlist", "pause", "portforward", "unfreeze", "unpause",
                 "userlist", "vnc"]  # fmt: skip
    machines = ["migrate", "restart", "start", "stop"]
    listed = [{"name": name, "singularName": "", "namespaced": False, "kind": "", "verbs": []} for name in names]
    for plural, subresources in (("virtualmachineinstances", instances), ("virtualmachines", machines)):
        listed += [
            {"name": f"{plural}/{name}", "singularName": "", "namespaced": True, "kind": "", "verbs": ["get", "update"]}
            for name in subresources
        ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{version}", "resources": listed}
