"""The simulated API server: sockets, routing, and faults at the door.

Owns nothing of the world. It answers from a `Cluster`, asks `Backend` about virt-api and admission, and does to
requests what the fault table says. Refused connections are real: the listening socket is closed and opened again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from exporter.sim import catalogue, refusals
from exporter.sim.access import Access, Attempt
from exporter.sim.api import asking, discovery, forms, reviewing, wire
from exporter.sim.api.aggregated import GROUP, Aggregated, Replica
from exporter.sim.api.asking import Ask
from exporter.sim.api.reading import Reader, Snapshot
from exporter.sim.api.watching import Watch
from exporter.sim.api.writing import Writer
from exporter.sim.catalogue import Resource
from exporter.sim.cluster import Cluster
from exporter.sim.faults import Active, FaultTable, Harm
from exporter.sim.refusals import JSON, Refusal

_CREATED = 201


class Backend(Protocol):
    """What the server wants to know from the world."""

    def virt_api_replicas(self) -> Sequence[Replica]:
        """The replicas that are ready."""

    def admit(self, resource: Resource, verb: str, body: JSON) -> None:
        """Raise `Refusal` for a write that a webhook refuses or that needs a webhook nobody answers."""


class Server:
    """One API server on one port of loopback. `bookmark_seconds` and watch time-outs are real seconds."""

    def __init__(
        self,
        cluster: Cluster,
        backend: Backend,
        *,
        faults: FaultTable | None = None,
        access: Access | None = None,
        kubernetes: str = "v1.30.4",
        bookmark_seconds: float = 30.0,
    ) -> None:
        self.faults = faults or FaultTable(cluster.clock)
        self.access = access or Access()
        self.reader = Reader(cluster)
        self._cluster = cluster
        self._writer = Writer(cluster, admit=backend.admit)
        self._version = _kubernetes_version(kubernetes)
        self._aggregated = Aggregated(backend.virt_api_replicas, kubernetes=self._version)
        self._bookmark_seconds = bookmark_seconds
        self._stale: dict[Active, dict[str, Snapshot]] = {}
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._tls: ssl.SSLContext | None = None
        self._port = 0
        self._switch = asyncio.Lock()
        self._switching: asyncio.Task[None] | None = None
        self.requests = 0

    # -- sockets -----------------------------------------------------------------------------------------------------

    async def start(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> str:
        """Listen on loopback; the URL to reach the server at."""
        self._tls = tls
        self._runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0.1)
        await self._runner.setup()
        self._port = port
        await self._listen()
        self._faults_changed()
        self.faults.on_change(self._faults_changed)
        return f"{'https' if tls else 'http'}://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        if self._switching is not None:
            await self._switching
        if self._runner is not None:
            self.abort_connections()
            await self._runner.cleanup()

    def abort_connections(self) -> None:
        """Reset every open connection."""
        server = None if self._runner is None else self._runner.server
        if server is None:
            return
        for connection in list(server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _listen(self) -> None:
        if self._runner is None:
            return
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self._site = site
        self._port = self._runner.addresses[0][1]

    def _faults_changed(self) -> None:
        self._keep_what_will_be_stale()
        if self.faults.refusing != (self._site is None):
            self._switching = asyncio.get_running_loop().create_task(self._open_or_close(), name="sim listener")

    async def _open_or_close(self) -> None:
        async with self._switch:
            if self.faults.refusing and self._site is not None:
                site, self._site = self._site, None
                await site.stop()
                self.abort_connections()
            elif not self.faults.refusing and self._site is None:
                await self._listen()

    async def settled(self) -> None:
        """Wait until the listening socket is as the faults want it."""
        if self._switching is not None:
            await self._switching

    # -- requests ----------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests += 1
        ask = asking.parse(request.method, request.path, request.query)
        fault = self.faults.strike(
            method=request.method, path=request.path, resource=ask.resource if ask else "", verb=ask.verb if ask else ""
        )
        try:
            return await self._answer(request, ask, fault)
        except Refusal as refusal:
            whole = _refused(refusal)
            whole.headers.update(self._warning(ask))
            return await wire.send(request, whole, fault)

    async def _answer(self, request: web.BaseRequest, ask: Ask | None, fault: Active | None) -> web.StreamResponse:
        harm = None if fault is None else fault.fault.harm
        if fault is not None and harm is Harm.RESET:
            wire.reset(request)
            return web.Response()
        if fault is not None and harm is Harm.HANG:
            await wire.hang(request, float("inf"), fault)
            return web.Response(status=504)
        if fault is not None and harm is Harm.STATUS and not (fault.fault.in_stream and ask and ask.verb == "watch"):
            raise fault.refusal
        if ask is not None and ask.verb == "watch" and ask.group != GROUP:
            resource = self._checked(ask)
            watch = Watch(
                self._cluster, ask, resource, forms.accepted(request.headers.get("Accept", "")),
                bookmark_seconds=self._bookmark_seconds, headers=self._warning(ask),
            )  # fmt: skip
            return await watch.serve(request, fault)
        code, body, content_type = await self._plain(request, ask, fault)
        whole = web.Response(status=code, body=body, content_type=content_type, headers=self._warning(ask))
        return await wire.send(request, whole, fault)

    async def _plain(self, request: web.BaseRequest, ask: Ask | None, fault: Active | None) -> tuple[int, bytes, str]:
        """Code, body and media type of everything but a watch."""
        if request.path.startswith(f"/apis/{GROUP}/"):
            self._check_access_to_path(request)
            answer = self._aggregated.answer(request.path)
            if answer.body is None:
                return answer.code, answer.text.encode(), "text/plain"
            return answer.code, msgspec.json.encode(answer.body), "application/json"
        if request.method == "POST":
            review = reviewing.answer(request.path, await request.read(), self.access)
            if review is not None:
                return _CREATED, msgspec.json.encode(review), _JSON
        if ask is None:
            return self._document(request.path)
        resource = self._checked(ask)
        _check_options(ask)
        form = forms.accepted(request.headers.get("Accept", ""))
        content = await request.read()
        match ask.verb:
            case "get":
                return 200, self.reader.get(ask, resource, form), "application/json"
            case "list":
                stale = self._stale_snapshot(fault, resource)
                return 200, self.reader.list(ask, resource, form, stale=stale), "application/json"
            case "create":
                return _CREATED, self._encoded(self._writer.create(ask, resource, content), ask, resource), _JSON
            case "update":
                return 200, self._encoded(self._writer.update(ask, resource, content), ask, resource), _JSON
            case "patch":
                kind = request.headers.get("Content-Type", "").split(";")[0].strip()
                body, created = self._writer.patch(ask, resource, content, kind=kind)
                return _CREATED if created else 200, self._encoded(body, ask, resource), _JSON
            case "delete":
                return 200, msgspec.json.encode(self._writer.delete(ask, resource, content)), _JSON
            case _:
                raise Refusal(405, "MethodNotAllowed", _NOT_ALLOWED, details={})

    def _document(self, path: str) -> tuple[int, bytes, str]:
        """Health, version and discovery; the plain 404 for every path that is nothing."""
        resources = list(self._cluster.resources.values())
        body: JSON | None
        match [part for part in path.split("/") if part]:
            case [("readyz" | "livez" | "healthz")]:
                return 200, b"ok", "text/plain"
            case ["version"]:
                body = self._version
            case ["api"]:
                body = discovery.core_versions()
            case ["apis"]:
                body = discovery.groups(resources)
            case ["api", version]:
                body = discovery.resources_of(resources, "", version)
            case ["apis", group]:
                body = discovery.group(resources, group)
            case ["apis", group, version]:
                body = discovery.resources_of(resources, group, version)
            case [("api" | "apis" | "version"), *_]:
                body = None
            case _:
                return 404, msgspec.json.encode({"paths": ["/api", "/apis", "/livez", "/readyz", "/version"]}), _JSON
        if body is None:
            return 404, b"404 page not found\n", "text/plain"
        return 200, msgspec.json.encode(body), _JSON

    def _checked(self, ask: Ask) -> Resource:
        """The resource that is asked for, if it exists and may be used so."""
        plural = f"{ask.plural}/{ask.subresource}" if ask.subresource else ask.plural
        self.access.check(
            Attempt(verb=ask.verb, group=ask.group, resource=plural, namespace=ask.namespace, name=ask.name)
        )
        resource = self._cluster.resources.get(ask.resource)
        if resource is None or ask.version not in resource.versions:
            raise refusals.no_such_resource() if ask.group in _OWN_GROUPS else _NoSuchPath
        if ask.subresource and not (ask.subresource == "status" and resource.status_subresource):
            if resource.custom:
                raise refusals.not_found(resource.plural, resource.group, ask.name)
            raise refusals.no_such_resource()
        if ask.verb == "create" and resource.namespaced and not ask.namespace:
            if resource.custom:
                raise _NoSuchPath
            raise Refusal(405, "MethodNotAllowed", _NOT_ALLOWED, details={})
        return resource

    def _warning(self, ask: Ask | None) -> dict[str, str]:
        """The header for clients of a deprecated version."""
        resource = None if ask is None else self._cluster.resources.get(ask.resource)
        if ask is None or resource is None or ask.version not in resource.versions:
            return {}
        text = dict(resource.warnings).get(ask.version)
        return {} if text is None else {"Warning": f"299 - {wire.quoted(text)}"}

    def _check_access_to_path(self, request: web.BaseRequest) -> None:
        parts = [part for part in request.path.split("/") if part]
        if len(parts) == 4:
            attempt = Attempt(verb="list", group=GROUP, resource=parts[3], namespace="", name="")
            self.access.check(attempt)

    def _keep_what_will_be_stale(self) -> None:
        """The present state, for faults that begin now; what is kept for those that are over goes."""
        stale = [active for active in self.faults if active.fault.harm is Harm.STALE]
        self._stale = {active: self._stale.get(active) or self._frozen(active.fault.resource) for active in stale}

    def _frozen(self, only: str) -> dict[str, Snapshot]:
        return {key: self.reader.freeze(key) for key in self._cluster.resources if only in {"", key}}

    def _stale_snapshot(self, fault: Active | None, resource: Resource) -> Snapshot | None:
        """What a stale list answers. None: the present; so it is for a resource that is younger than the fault."""
        return None if fault is None else self._stale.get(fault, {}).get(resource.key)

    def _encoded(self, body: JSON, ask: Ask, resource: Resource) -> bytes:
        return msgspec.json.encode({**body, "apiVersion": resource.api_version(ask.version)})


_JSON = "application/json"
_NOT_ALLOWED = "the server does not allow this method on the requested resource"
_OWN_GROUPS = {resource.group for resource in catalogue.BUILTIN}


class _PathRefusal(Refusal):
    """A 404 that is not a Status: the path leads to no resource."""


_NoSuchPath = _PathRefusal(404, "NotFound", "404 page not found")


def _check_options(ask: Ask) -> None:
    """Refuse options that contradict themselves."""
    match, version = ask.query.get("resourceVersionMatch", ""), ask.query.get("resourceVersion", "")
    if ask.query.get("dryRun", "All") not in {"", "All"}:
        raise refusals.invalid(
            f"{ask.verb.capitalize()}Options", "meta.k8s.io", "",
            [("dryRun", f'Unsupported value: ["{ask.query["dryRun"]}"]: supported values: "All"')],
            reason="FieldValueNotSupported",
        )  # fmt: skip
    if match and ask.verb == "list" and (not version or match not in {"Exact", "NotOlderThan"}):
        problem = f'Unsupported value: "{match}"' if version else "Forbidden: it needs a resourceVersion"
        raise refusals.invalid("ListOptions", "meta.k8s.io", "", [("resourceVersionMatch", problem)])


def _refused(refusal: Refusal) -> web.Response:
    if isinstance(refusal, _PathRefusal):
        return web.Response(status=404, text="404 page not found\n")
    headers = {}
    if refusal.details and "retryAfterSeconds" in refusal.details:
        headers["Retry-After"] = str(refusal.details["retryAfterSeconds"])
    return web.Response(
        status=refusal.code, body=msgspec.json.encode(refusal.status), content_type=_JSON, headers=headers
    )


def _kubernetes_version(version: str) -> JSON:
    major, minor = version.removeprefix("v").split(".")[:2]
    return {
        "major": major, "minor": minor, "gitVersion": version, "gitCommit": "0" * 40, "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.22.8", "compiler": "gc", "platform": "linux/amd64",
    }  # fmt: skip
