"""The servers under contract, behind one small interface, so that a clause is written once.

To add a server, write a subclass of Subject: where it is, how one becomes a user of it, and how it is made to do what
the clauses need. Objects are created, changed and deleted over HTTP, as anybody does.
"""

import abc
import asyncio
import json
import pathlib
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

from exporter import settings
from exporter.kube import access
from exporter.kube.access import Access
from exporter.kube.api import Api
from exporter.model.resources import ResourceSpec
from exporter.sim.access import Grant as SimulatedGrant
from exporter.sim.api.aggregated import Replica
from exporter.sim.api.server import Server as SimulatedServer
from exporter.sim.catalogue import Resource as SimulatedResource
from exporter.sim.cluster import Cluster as SimulatedCluster
from tests.contract.server import EVERYTHING, Resource, Server
from tests.real_apiserver import ADMIN, RealApiServer

Json = dict[str, Any]

NAMESPACE = "contract"
USER = "contract-user"
"""May do what `permit` says. Everybody else in the suite may do everything."""


class Subject(abc.ABC):
    """A server under contract; use it as an async context manager, which leaves it without the objects it was given."""

    port: int

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._put: dict[tuple[str, str], ResourceSpec] = {}
        self._admin: Api

    async def __aenter__(self) -> Self:
        self._admin = Api(await self.access(), deadline=20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for (_, key), spec in list(self._put.items()):
            await self.delete(spec, key)
        await self._admin.__aexit__(kind, error, traceback)

    async def access(self, *, port: int | None = None, user: bool = False) -> Access:
        """Credentials, by way of a kubeconfig; `port` is that of a proxy."""
        path = self._folder / f"kubeconfig-{port}-{user}"
        path.write_text(json.dumps(self._kubeconfig(port or self.port, user=user)))
        return await access.load(settings.Cluster(kubeconfig=str(path)))

    async def put(self, spec: ResourceSpec, *things: Json, version: str = "") -> None:
        """Create objects, or change them: what is given replaces what was there, the rest stays."""
        for thing in things:
            metadata = thing["metadata"]
            path = self._path(spec, metadata.get("namespace"), version=version)
            body = {"apiVersion": path_version(path), "kind": KINDS[spec.plural], **thing}
            key = f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else metadata["name"]
            if (spec.name, key) in self._put:
                await self._ask("PATCH", f"{path}/{metadata['name']}", body)
            else:
                await self._ask("POST", path, body)
                self._put[spec.name, key] = spec

    async def delete(self, spec: ResourceSpec, key: str) -> None:
        """Delete an object that was put."""
        namespace, _, name = key.rpartition("/")
        del self._put[spec.name, key]
        await self._ask("DELETE", f"{self._path(spec, namespace)}/{name}", None)

    async def _ask(self, method: str, path: str, body: Json | None) -> None:
        response = await self._admin.request(
            method,
            path,
            headers={"Content-Type": f"application/{'merge-patch+' if method == 'PATCH' else ''}json"},
            body=None if body is None else json.dumps(body).encode(),
        )
        assert response.status < 300, f"{method} {path}: {response.status} {response.body.decode()}"

    def _path(self, spec: ResourceSpec, namespace: str | None, *, version: str = "") -> str:
        root = f"/apis/{spec.group}" if spec.group else "/api"
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}/{version or self.stored(spec)}{inside}/{spec.plural}"

    def stored(self, spec: ResourceSpec) -> str:
        """A version that is served."""
        return spec.versions[0]

    @abc.abstractmethod
    def _kubeconfig(self, port: int, *, user: bool) -> Json:
        """For everybody, or for the user."""

    @abc.abstractmethod
    async def define(self, spec: ResourceSpec, *versions: str) -> None:
        """Serve a custom resource at these versions, the first one stored. Built-in ones are served anyway."""

    @abc.abstractmethod
    async def undefine(self, spec: ResourceSpec) -> None:
        """Serve it no more."""

    @abc.abstractmethod
    async def expire(self) -> None:
        """Make versions and continue tokens of built-in resources so far too old."""

    @abc.abstractmethod
    async def change_definition(self, spec: ResourceSpec) -> None:
        """What an upgrade does to a custom resource: its watches end, and its versions so far are too old."""

    @abc.abstractmethod
    async def permit(self, *specs: ResourceSpec) -> None:
        """Let the user read these, and nothing else."""


KINDS = {
    "kubevirts": "KubeVirt",
    "virtualmachines": "VirtualMachine",
    "virtualmachinesnapshots": "VirtualMachineSnapshot",
    "virtualmachineclones": "VirtualMachineClone",
    "migrationpolicies": "MigrationPolicy",
    "leases": "Lease",
    "pods": "Pod",
}


def path_version(path: str) -> str:
    """The apiVersion of a path."""
    parts = path.split("/")
    return parts[2] if parts[1] == "api" else f"{parts[2]}/{parts[3]}"


# --- the small server with faults


class Small(Subject):
    """Our own small server; a new one for each test."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.server = Server()
        for group, plural in (("coordination.k8s.io", "leases"), ("", "pods")):
            self.server.served[Resource(group, plural)] = ["v1"]
        self.server.permitted = {"everybody": EVERYTHING, USER: set()}

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self.port = self.server.port
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        await self.server.__aexit__(kind, error, traceback)

    def stored(self, spec: ResourceSpec) -> str:
        return self.server.served[Resource(spec.group, spec.plural)][0]

    def _kubeconfig(self, port: int, *, user: bool) -> Json:
        return kubeconfig({"server": f"http://127.0.0.1:{port}"}, {"token": USER if user else "everybody"})

    async def define(self, spec: ResourceSpec, *versions: str) -> None:
        self.server.served[Resource(spec.group, spec.plural)] = list(versions or spec.versions)

    async def undefine(self, spec: ResourceSpec) -> None:
        del self.server.served[Resource(spec.group, spec.plural)]
        self.server.end_watches()

    async def expire(self) -> None:
        self.server.forget()

    async def change_definition(self, spec: ResourceSpec) -> None:
        self.server.forget()
        self.server.end_watches()

    async def permit(self, *specs: ResourceSpec) -> None:
        self.server.permitted[USER] = {spec.plural for spec in specs}


# --- those that are told of resources as Kubernetes is


class Defined(Subject):
    """A server that takes namespaces and definitions; `definitions` are those it has."""

    definitions: dict[str, Json]

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if not await self._served(f"/api/v1/namespaces/{NAMESPACE}"):
            await self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        return self

    def stored(self, spec: ResourceSpec) -> str:
        definition = self.definitions.get(spec.name)
        return str(definition["spec"]["versions"][0]["name"]) if definition else spec.versions[0]

    async def define(self, spec: ResourceSpec, *versions: str) -> None:
        wanted = definition_of(spec, versions or spec.versions)
        if (known := self.definitions.get(spec.name)) is None:
            await self._ask("POST", DEFINITIONS, wanted)
        elif known["spec"]["versions"] != wanted["spec"]["versions"]:
            await self._ask("PATCH", f"{DEFINITIONS}/{spec.recorded_as}", {"spec": wanted["spec"]})
        self.definitions[spec.name] = wanted
        await until(lambda: self._served(self._path(spec, None)))

    async def undefine(self, spec: ResourceSpec) -> None:
        path = self._path(spec, None)
        await self._ask("DELETE", f"{DEFINITIONS}/{spec.recorded_as}", None)
        del self.definitions[spec.name]
        await until(lambda: self._gone(path))

    async def change_definition(self, spec: ResourceSpec) -> None:
        """Another column for `kubectl get`: nothing of the objects, and yet the storage is made anew a bit later."""
        path = self._path(spec, None)
        listed = json.loads((await self._admin.request("GET", f"{path}?limit=1")).body)
        before = listed["metadata"]["resourceVersion"]
        definition = self.definitions[spec.name]
        columns = definition["spec"]["versions"][0].setdefault("additionalPrinterColumns", [])
        columns.append({"name": f"C{len(columns)}", "type": "string", "jsonPath": ".spec.none"})
        await self._ask("PATCH", f"{DEFINITIONS}/{spec.recorded_as}", {"spec": definition["spec"]})
        await until(lambda: self._too_old(f"{path}?watch=1&timeoutSeconds=1&resourceVersion={before}"))

    async def _too_old(self, path: str) -> bool:
        answer = await self._admin.request("GET", path)
        return answer.status == 410 or b'"code":410' in answer.body

    async def _served(self, path: str) -> bool:
        return (await self._admin.request("GET", path)).status == 200

    async def _gone(self, path: str) -> bool:
        return (await self._admin.request("GET", path)).status == 404


# --- a real one


class Real(Defined):
    """A real kube-apiserver, shared by all tests; definitions stay from one test to the next."""

    def __init__(self, folder: pathlib.Path, server: RealApiServer) -> None:
        super().__init__(folder)
        self.server = server
        self.port = server.port
        self.definitions = server.notes

    def _kubeconfig(self, port: int, *, user: bool) -> Json:
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.server.ca_file)}
        return kubeconfig(cluster, {"token": USER if user else ADMIN})

    async def expire(self) -> None:
        await asyncio.to_thread(self.server.compact)

    async def permit(self, *specs: ResourceSpec) -> None:
        metadata = {"name": USER}
        subjects = [{"kind": "User", "name": USER, "apiGroup": RBAC}]
        role = {"kind": "ClusterRole", "name": USER, "apiGroup": RBAC}
        for plural, body in (
            ("clusterroles", {"kind": "ClusterRole", "metadata": metadata, "rules": [*map(rule, specs)]}),
            ("clusterrolebindings", {"metadata": metadata, "subjects": subjects, "roleRef": role}),
        ):
            path = f"/apis/{RBAC}/v1/{plural}"
            if await self._served(f"{path}/{USER}"):
                await self._ask("PUT", f"{path}/{USER}", {"apiVersion": f"{RBAC}/v1", **body})
            else:
                await self._ask("POST", path, {"apiVersion": f"{RBAC}/v1", **body})


# --- the simulator


class Simulated(Defined):
    """The API of the simulator, without a world behind it; a new one for each test."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.definitions = {}
        self._cluster = SimulatedCluster(clock=time.time)
        self._server = SimulatedServer(self._cluster, _Nobody())
        self._restricted = SimulatedServer(self._cluster, _Nobody())
        self._restricted_port = 0

    async def __aenter__(self) -> Self:
        self.port = int((await self._server.start()).rpartition(":")[2])
        self._restricted_port = int((await self._restricted.start()).rpartition(":")[2])
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        await self._server.stop()
        await self._restricted.stop()

    def _kubeconfig(self, port: int, *, user: bool) -> Json:
        return kubeconfig({"server": f"http://127.0.0.1:{self._restricted_port if user else port}"}, {"token": "any"})

    async def expire(self) -> None:
        self._server.reader.expire_tokens()
        for resource in self._cluster.resources.values():
            if not resource.custom:
                self._cluster.store.table(resource.key).forget_before(self._cluster.store.version + 1)

    async def permit(self, *specs: ResourceSpec) -> None:
        self._restricted.access.only(SimulatedGrant(rules=tuple(map(rule, specs))))


class _Nobody:
    """Admits everything, and has no virt-api."""

    def virt_api_replicas(self) -> Sequence[Replica]:
        return ()

    def admit(self, resource: SimulatedResource, verb: str, body: Json) -> None:
        pass


def rule(spec: ResourceSpec) -> Json:
    """A rule of RBAC that lets it be read."""
    return {"apiGroups": [spec.group], "resources": [spec.plural], "verbs": ["list", "watch"]}


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "rbac.authorization.k8s.io"


def definition_of(spec: ResourceSpec, versions: Sequence[str]) -> Json:
    """A CustomResourceDefinition without a schema; the first version is stored."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    kind = KINDS[spec.plural]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": spec.recorded_as},
        "spec": {
            "group": spec.group,
            "scope": "Namespaced",
            "names": {"plural": spec.plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {"name": version, "served": True, "storage": version == versions[0], "schema": schema}
                for version in versions
            ],
        },
    }


def kubeconfig(cluster: Json, user: Json) -> Json:
    """A kubeconfig with one of everything."""
    return {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
    }


async def until(holds: Callable[[], Awaitable[bool]], *, attempts: int = 1000) -> None:
    """Ask until it holds."""
    for _ in range(attempts):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come true")
