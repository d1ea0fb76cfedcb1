"""A small API server for the contract: lists in pages, watches with history, and every fault one may ask for.

It keeps untyped objects of any resource and knows nothing of their meaning. It lacks validation, schemas, defaulting
and subresources: what those do is tested on a real server.
"""

import asyncio
import base64
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

Json = dict[str, Any]

EVERYTHING: Final = frozenset({"*"})


@dataclasses.dataclass(frozen=True)
class Resource:
    """What a path names."""

    group: str
    plural: str


@dataclasses.dataclass(frozen=True)
class Event:
    """One change; `before` is None for a new object, `after` for one that went."""

    version: int
    resource: Resource
    before: Json | None
    after: Json | None


@dataclasses.dataclass
class Fault:
    """What to answer instead, to the next requests that match."""

    matches: Callable[[web.Request], bool]
    times: int
    status: int
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass
class Asked:
    """One request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Server:
    """The server and its objects; use it as an async context manager."""

    def __init__(self) -> None:
        self.served: dict[Resource, list[str]] = {}
        """Versions by resource."""
        self.permitted: dict[str, set[str] | frozenset[str]] = {}
        """Plurals by token; `*` is all of them. Other tokens are unknown."""
        self.asked: list[Asked] = []
        self.says_gone_by_status = False
        """Whether a version that is too old is refused with HTTP 410, or with an event in a stream that began well."""
        self._objects: dict[Resource, dict[str, Json]] = {}
        self._faults: list[Fault] = []
        self._history: list[Event] = []
        self._forgotten = 0
        self._version = 0
        self._snapshots: dict[str, Iterator[Json]] = {}
        self._streams: dict[asyncio.Queue[Event | bytes | None], Resource] = {}
        self._runner: web.AppRunner | None = None
        self._names = itertools.count()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._runner is not None
        for stream in self._streams:
            stream.put_nowait(None)
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        assert self._runner is not None
        port: int = self._runner.addresses[0][1]
        return port

    # --- faults

    def fail(
        self,
        matches: Callable[[web.Request], bool],
        *,
        times: int = 1,
        status: int,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Answer the next requests that match with this."""
        self._faults.append(Fault(matches, times, status, headers or {}, body))

    def forget(self) -> None:
        """Expire all versions so far and all continue tokens."""
        self._version += 1
        self._forgotten = self._version
        self._snapshots.clear()

    def end_watches(self) -> None:
        """End all streams, cleanly."""
        for stream in self._streams:
            stream.put_nowait(None)

    def send(self, line: bytes) -> None:
        """Write a line to all streams."""
        for stream in self._streams:
            stream.put_nowait(line + b"\n")

    def bookmark(self, resource: Resource) -> None:
        """Send a bookmark of the present version."""
        metadata = {"resourceVersion": str(self._version), "creationTimestamp": None}
        for stream, watched in self._streams.items():
            if watched == resource:
                stream.put_nowait(_line("BOOKMARK", {"metadata": metadata}))

    @property
    def watching(self) -> int:
        """Open streams."""
        return len(self._streams)

    # --- objects

    def put(self, resource: Resource, thing: Json) -> Json:
        """Create or update an object."""
        metadata = dict(thing["metadata"])
        key = _key(metadata)
        before = self._objects.setdefault(resource, {}).get(key)
        self._version += 1
        old = before["metadata"] if before else {}
        metadata["uid"] = old.get("uid") or f"uid-{next(self._names)}"
        metadata["creationTimestamp"] = old.get("creationTimestamp", "2026-08-19T09:00:00Z")
        metadata["resourceVersion"] = str(self._version)
        changed = before is None or before.get("spec") != thing.get("spec")
        metadata["generation"] = old.get("generation", 0) + changed
        after = {**thing, "metadata": metadata}
        self._objects[resource][key] = after
        self._record(Event(self._version, resource, before, after))
        return after

    def delete(self, resource: Resource, key: str) -> None:
        """Delete an object, if it is there."""
        before = self._objects.get(resource, {}).pop(key, None)
        if before is not None:
            self._version += 1
            before = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self._version)}}
            self._record(Event(self._version, resource, before, None))

    def _record(self, event: Event) -> None:
        self._history.append(event)
        for stream in self._streams:
            stream.put_nowait(event)

    # --- answers

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.path, dict(request.query), dict(request.headers)))
        for fault in self._faults:
            if fault.times > 0 and fault.matches(request):
                fault.times -= 1
                return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        match request.path.strip("/").split("/"):
            case ["api", version, *rest]:
                return await self._resource(request, "", version, rest)
            case ["apis", group, version, *rest]:
                return await self._resource(request, group, version, rest)
            case _:
                return _status(404, "NotFound")

    async def _resource(self, request: web.Request, group: str, version: str, rest: list[str]) -> web.StreamResponse:
        if not rest:
            names = [r.plural for r, versions in self.served.items() if r.group == group and version in versions]
            return web.json_response({"resources": [{"name": name} for name in names]}) if names else _status(404, "")
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 1:
            namespace, rest = rest[1], rest[2:]
        plural, *named = rest
        resource = Resource(group, plural)
        if version not in self.served.get(resource, ()):
            return _status(404, "NotFound")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.permitted:
            return _status(401, "Unauthorized")
        if not {plural, "*"} & self.permitted[token]:
            return _status(403, "Forbidden")
        match request.method, named:
            case "GET", []:
                if request.query.get("watch"):
                    return await self._watch(request, resource, namespace)
                return self._list(request, resource, namespace)
            case "POST", []:
                return web.json_response(self.put(resource, await request.json()), status=201)
            case "PATCH", [name]:
                before = self._objects[resource][f"{namespace}/{name}" if namespace else name]
                change = await request.json()
                metadata = before["metadata"] | change["metadata"]
                return web.json_response(self.put(resource, before | change | {"metadata": metadata}))
            case "DELETE", [name]:
                self.delete(resource, f"{namespace}/{name}" if namespace else name)
                return web.json_response({})
            case _:
                return _status(405, "MethodNotAllowed")

    def _list(self, request: web.Request, resource: Resource, namespace: str) -> web.Response:
        token = request.query.get("continue", "")
        if token:
            rest = self._snapshots.pop(token, None)
            if rest is None:
                return _status(410, "Expired")
            version = base64.b64decode(token).decode().partition(":")[0]
        else:
            selected = _selector(request, namespace)
            version = str(self._version)
            rest = iter([thing for thing in self._objects.get(resource, {}).values() if selected(thing)])
        limit = int(request.query.get("limit", 0)) or None
        items = list(itertools.islice(rest, limit))
        following = list(rest)
        metadata = {"resourceVersion": version, "continue": ""}
        if following:
            metadata["continue"] = base64.b64encode(f"{version}:{next(self._names)}".encode()).decode()
            self._snapshots[metadata["continue"]] = iter(following)
        shown = [_as_asked(request, thing) for thing in items]
        return web.json_response({"kind": "List", "metadata": metadata, "items": shown or None})

    async def _watch(self, request: web.Request, resource: Resource, namespace: str) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        if since < self._forgotten and self.says_gone_by_status:
            return _status(410, "Expired")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if since < self._forgotten:
            await response.write(_line("ERROR", {"kind": "Status", "status": "Failure", "code": 410}))
            return response
        selected = _selector(request, namespace)
        stream: asyncio.Queue[Event | bytes | None] = asyncio.Queue()
        for event in self._history:
            if event.version > since:
                stream.put_nowait(event)
        self._streams[stream] = resource
        try:
            async with asyncio.timeout(float(request.query["timeoutSeconds"])):
                while (item := await stream.get()) is not None:
                    if isinstance(item, bytes):
                        await response.write(item)
                    elif item.resource == resource and (line := _event(request, item, selected)):
                        await response.write(line)
        except (TimeoutError, ConnectionError):
            pass  # its time is over, or nobody listens any more
        finally:
            del self._streams[stream]
        return response


def _event(request: web.Request, event: Event, selected: Callable[[Json], bool]) -> bytes:
    """A line for an event, as one sees it who watches a selection; empty where there is nothing to be seen."""
    was = event.before is not None and selected(event.before)
    now = event.after is not None and selected(event.after)
    thing = event.after if event.after is not None else event.before
    assert thing is not None
    kind = {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((was, now))
    return _line(kind, _as_asked(request, thing)) if kind else b""


def _as_asked(request: web.Request, thing: Json) -> Json:
    if "as=PartialObjectMetadata" in request.headers.get("Accept", ""):
        return {"kind": "PartialObjectMetadata", "metadata": thing["metadata"]}
    return thing


def _selector(request: web.Request, namespace: str) -> Callable[[Json], bool]:
    def selected(thing: Json) -> bool:
        metadata = thing["metadata"]
        labels = metadata.get("labels") or {}
        if namespace and metadata.get("namespace") != namespace:
            return False
        for part in request.query.get("labelSelector", "").split(","):
            name, unequal, value = part.partition("!=")
            if unequal and labels.get(name) == value:
                return False
            name, equal, value = part.partition("=")
            if not unequal and equal and labels.get(name) != value:
                return False
            if not unequal and not equal and part and part not in labels:
                return False
        return True

    return selected


def _key(metadata: Json) -> str:
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def _line(kind: str, thing: Json) -> bytes:
    return json.dumps({"type": kind, "object": thing}).encode() + b"\n"


def _status(code: int, reason: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"no: {reason}"}
    return web.json_response(body, status=code)
