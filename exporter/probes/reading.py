"""Probes that read: the API server itself, virt-api's own API, lists, discovery documents."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from exporter.kube.api import Response
from exporter.probes import result
from exporter.probes.asking import Ask
from exporter.probes.result import ProbeResult

SUBRESOURCES: Final = "/apis/subresources.kubevirt.io/v1"
"""Served by virt-api behind the API server's aggregation."""

T = TypeVar("T")


class _Version(msgspec.Struct, rename="camel"):
    git_version: str


class _Connectivity(msgspec.Struct):
    connectivity: str


class _Health(msgspec.Struct):
    apiserver: _Connectivity


class _List(msgspec.Struct):
    kind: str
    items: list[msgspec.Raw]


class _Group(msgspec.Struct):
    kind: str
    versions: list[msgspec.Raw]


class _Resources(msgspec.Struct):
    kind: str
    resources: list[msgspec.Raw]


async def ready(ask: Ask) -> ProbeResult:
    """The API server says that it is ready."""
    response = await ask.get("/readyz")
    if (refused := result.refused(response)) is not None:
        return refused
    if response.body.strip() != b"ok":
        return result.malformed(response, f"not ok: {result.message_of(response)}")
    return result.succeeded(response)


async def version(ask: Ask) -> ProbeResult:
    """One of virt-api's replicas says which version it is."""
    response = await ask.get(f"{SUBRESOURCES}/version")
    if (refused := result.refused(response)) is not None:
        return refused
    body = _decode(response, _Version)
    if isinstance(body, ProbeResult):
        return body
    return result.succeeded(response, version=body.git_version)


async def health(ask: Ask) -> ProbeResult:
    """One of virt-api's replicas says that it reaches the API server."""
    response = await ask.get(f"{SUBRESOURCES}/healthz")
    if (refused := result.refused(response)) is not None:
        return refused
    body = _decode(response, _Health)
    if isinstance(body, ProbeResult):
        return body
    if body.apiserver.connectivity != "ok":
        return result.malformed(response, f"connectivity {body.apiserver.connectivity}")
    return result.succeeded(response)


def listing(api_version: str, plural: str, kind: str) -> Callable[[Ask], Awaitable[ProbeResult]]:
    """A list of at most one object, in all namespaces."""

    async def probe(ask: Ask) -> ProbeResult:
        response = await ask.get(f"/apis/{api_version}/{plural}", {"limit": "1"})
        return _of_kind(response, _List, f"{kind}List")

    return probe


def group(name: str) -> Callable[[Ask], Awaitable[ProbeResult]]:
    """The versions of an API group."""

    async def probe(ask: Ask) -> ProbeResult:
        response = await ask.get(f"/apis/{name}")
        return _of_kind(response, _Group, "APIGroup")

    return probe


async def aggregated(ask: Ask) -> ProbeResult:
    """The resources of the API that virt-api serves, as it says itself."""
    response = await ask.get(SUBRESOURCES)
    return _of_kind(response, _Resources, "APIResourceList")


def _of_kind(response: Response, kind: type[_List | _Group | _Resources], expected: str) -> ProbeResult:
    if (refused := result.refused(response)) is not None:
        return refused
    body = _decode(response, kind)
    if isinstance(body, ProbeResult):
        return body
    if body.kind != expected:
        return result.malformed(response, f"kind {body.kind}, expected {expected}")
    return result.succeeded(response)


def _decode(response: Response, shape: type[T]) -> T | ProbeResult:
    try:
        return msgspec.json.decode(response.body, type=shape)
    except (ValueError, RecursionError) as error:
        return result.malformed(response, str(error))
