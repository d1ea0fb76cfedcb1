"""Clauses for faults that a healthy server cannot be made to show: what the reflector does with odd answers."""

import json

import pytest
from aiohttp import web

from exporter.kube.api import USER_AGENT
from exporter.model import resources
from exporter.model.changes import Sync
from tests.contract.following import Following
from tests.contract.server import Resource
from tests.contract.subjects import Small
from tests.contract.test_reflector import LEASES, SNAPSHOTS, VMS, lease, vm

VM = Resource("kubevirt.io", "virtualmachines")


def lists(request: web.Request) -> bool:
    return "watch" not in request.query


def watches(request: web.Request) -> bool:
    return "watch" in request.query


def status(code: int, **fields: object) -> bytes:
    return json.dumps({"kind": "Status", "status": "Failure", "code": code, **fields}).encode()


# --- answers to lists


@pytest.mark.parametrize(
    ("code", "headers", "body", "reason", "waits"),
    [
        (429, {"Retry-After": "7"}, b"storage is (re)initializing", "http_429", 7),
        (429, {}, status(429, details={"retryAfterSeconds": 3}), "http_429", 3),
        (503, {"Retry-After": "2"}, b"", "http_5xx", 2),
        (500, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"<html>", "http_5xx", 0),
        (400, {}, status(400, message="bad"), "http_4xx", 0),
        (302, {"Location": "http://example.invalid/"}, b"", "other", 0),
        (200, {}, b"<html>a portal</html>", "unreadable", 0),
        (200, {}, b"{}", "unreadable", 0),
        (200, {}, b'{"metadata": {"resourceVersion": "1"}, "items": [', "unreadable", 0),
    ],
    ids=["429", "429 status", "503", "500 date", "400", "302", "html", "empty object", "cut"],
)
async def test_odd_answer_to_a_list_is_tried_again(
    small: Small, code: int, headers: dict[str, str], body: bytes, reason: str, waits: float
) -> None:
    """Not before the server wants it; nothing is told before a true list has come."""
    async with small:
        await small.define(VMS)
        await small.put(VMS, vm("a"))
        small.server.fail(lists, status=code, headers=headers, body=body)
        async with Following(await small.access(), VMS) as follower:
            await follower.knows("a")
            assert len(follower.told) == 1
            assert follower.status.errors == {reason: 1}
            assert waits <= follower.waits[0] < waits + 0.2


async def test_unknown_token_counts_as_forbidden(small: Small) -> None:
    async with small:
        await small.define(VMS)
        access = await small.access()
        small.server.permitted.pop("everybody")
        async with Following(access, VMS) as follower:
            await follower.until(lambda f: f.waits)
            assert follower.states == [Sync.FORBIDDEN]
        small.server.permitted["everybody"] = {"*"}


async def test_waits_grow_up_to_the_cap_and_are_short_again_after_a_success(small: Small) -> None:
    async with small:
        await small.define(VMS)
        small.server.fail(lists, times=40, status=500)
        async with Following(await small.access(), VMS, backoff_base=0.01, backoff_cap=5.0) as follower:
            await follower.until(lambda f: f.lists)
            assert max(follower.waits[:3]) <= 0.04
            assert 2.5 < max(follower.waits) <= 5
            small.server.end_watches()
            await small.put(VMS, vm("a"))
            await follower.knows("a")
            small.server.fail(watches, status=500)
            before = len(follower.waits)
            small.server.end_watches()
            await follower.until(lambda f: f.status.errors["http_5xx"] > 40)
            assert max(follower.waits[before:]) <= 0.02


# --- answers to watches


async def test_version_refused_by_status_leads_to_a_new_list(small: Small) -> None:
    async with small:
        small.server.says_gone_by_status = True
        async with Following(await small.access(), LEASES) as follower:
            await follower.until(lambda _: small.server.watching)
            small.server.forget()
            await small.put(LEASES, lease("a"))
            await small.expire()
            small.server.end_watches()
            await follower.until(lambda f: len(f.lists) > 1)
            await follower.knows("a")


@pytest.mark.parametrize(
    ("code", "reason", "new_lists"),
    [(410, "gone", 1), (500, "http_5xx", 0), (429, "http_429", 0), (400, "http_4xx", 1)],
)
async def test_error_event_ends_the_watch(small: Small, code: int, reason: str, new_lists: int) -> None:
    """What comes behind it is not read."""
    async with small:
        await small.define(VMS)
        async with Following(await small.access(), VMS) as follower:
            await follower.until(lambda _: small.server.watching)
            event = {"type": "ERROR", "object": json.loads(status(code, message="m"))}
            late = {"type": "ADDED", "object": vm("never")}
            small.server.send(json.dumps(event).encode() + b"\n" + json.dumps(late).encode())
            await follower.until(lambda f: f.states == [Sync.SYNCED, Sync.INTERRUPTED, Sync.SYNCED])
        assert follower.objects == {}
        assert follower.status.errors == {reason: 1}
        assert len(follower.lists) == 1 + new_lists


@pytest.mark.parametrize("between", [b"", b"what?\n"])
async def test_what_comes_before_the_error_is_taken_though_it_comes_with_it(small: Small, between: bytes) -> None:
    async with small:
        await small.define(VMS)
        async with Following(await small.access(), VMS) as follower:
            await follower.until(lambda _: small.server.watching)
            event = {"type": "ADDED", "object": vm("early")}
            error = {"type": "ERROR", "object": json.loads(status(500, message="m"))}
            small.server.send(json.dumps(event).encode() + b"\n" + between + json.dumps(error).encode())
            await follower.until(lambda f: f.states == [Sync.SYNCED, Sync.INTERRUPTED, Sync.SYNCED])
        assert list(follower.objects) == ["contract/early"]
        assert follower.status.malformed == len(between.splitlines())


async def test_refused_watch_goes_on_from_its_version_and_lists_again_after_five_attempts(small: Small) -> None:
    async with small:
        await small.define(VMS)
        small.server.fail(watches, times=4, status=429, headers={"Retry-After": "1"})
        async with Following(await small.access(), VMS) as follower:
            await follower.until(lambda _: small.server.watching)
            assert len(follower.lists) == 1
            assert all(wait >= 1 for wait in follower.waits)
            small.server.fail(watches, times=5, status=429)
            small.server.end_watches()
            await follower.until(lambda f: len(f.lists) == 2)
            await follower.until(lambda _: small.server.watching)


async def test_watch_that_ends_at_once_is_a_failure(small: Small) -> None:
    """Else we would ask for ever without a pause."""
    async with small:
        await small.define(VMS)
        small.server.fail(watches, times=3, status=200)
        async with Following(await small.access(), VMS) as follower:
            await follower.until(lambda _: small.server.watching)
            assert follower.status.errors == {"short_watch": 3}
            assert len(follower.waits) == 3


async def test_bookmark_moves_the_version(small: Small) -> None:
    """The next watch begins there, so that a quiet resource does not grow too old."""
    async with small:
        await small.define(VMS)
        async with Following(await small.access(), VMS) as follower:
            await follower.until(lambda _: small.server.watching)
            await small.put(LEASES, lease("elsewhere"))
            await small.expire()
            small.server.bookmark(VM)
            heard = follower.status.last_event_at
            await follower.until(lambda f: f.status.last_event_at != heard)
            small.server.end_watches()
            await follower.until(lambda f: f.status.restarts and small.server.watching)
            await small.put(VMS, vm("a"))
            await follower.knows("a")
        assert len(follower.lists) == 1
        assert follower.status.events == 1


async def test_line_that_is_no_event_is_counted_and_skipped(small: Small) -> None:
    async with small:
        await small.define(VMS)
        async with Following(await small.access(), VMS) as follower:
            await follower.until(lambda _: small.server.watching)
            small.server.send(b"what?\n" + b'{"type": "NEW", "object": {}}')
            await small.put(VMS, vm("a"))
            await follower.knows("a")
        assert follower.status.malformed == 2
        assert len(follower.lists) == 1


async def test_list_with_an_object_that_cannot_be_named_removes_nothing(small: Small) -> None:
    async with small:
        await small.define(VMS)
        await small.put(VMS, vm("a"), vm("b"))
        async with Following(await small.access(), VMS) as follower:
            await follower.knows("a", "b")
            await small.delete(VMS, "contract/b")
            await follower.knows("a")
            body = json.dumps({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {}}]}).encode()
            small.server.fail(lists, status=200, body=body)
            small.server.forget()
            small.server.end_watches()
            await follower.until(lambda f: len(f.lists) > 1)
            assert follower.lists[1].removed == ()


# --- what we ask for


async def test_requests_are_as_the_contract_says(small: Small) -> None:
    async with small:
        await small.define(SNAPSHOTS, "v1alpha1")
        spec = resources.BY_NAME[resources.LAUNCHERS]
        asked = small.server.asked
        async with Following(await small.access(), spec) as follower:
            await follower.until(lambda _: small.server.watching)
        listing, watch = asked[-2:]
        assert listing.query == {"limit": "500", "labelSelector": "kubevirt.io=virt-launcher"}
        assert {name: watch.query[name] for name in ("watch", "allowWatchBookmarks", "labelSelector")} == {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "labelSelector": "kubevirt.io=virt-launcher",
        }
        assert 60 <= int(watch.query["timeoutSeconds"]) <= 120
        assert "resourceVersion" in watch.query
        for request in (listing, watch):
            assert request.path == "/api/v1/pods"
            assert request.headers["User-Agent"] == USER_AGENT
            assert request.headers["Accept-Encoding"] == "identity"
            assert request.headers["Accept"] == "application/json"
        async with Following(await small.access(), SNAPSHOTS) as follower:
            await follower.until(lambda _: "snapshots" in asked[-1].path and "watch" in asked[-1].query)
        listing, watch = asked[-2:]
        assert "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json" in listing.headers["Accept"]
        assert "as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json" in watch.headers["Accept"]


async def test_leases_are_asked_for_in_the_install_namespace_only(small: Small) -> None:
    async with small:
        async with Following(await small.access(), LEASES, namespace="somewhere") as follower:
            await follower.until(lambda _: small.server.watching)
        assert {asked.path for asked in small.server.asked} == {
            "/apis/coordination.k8s.io/v1/namespaces/somewhere/leases"
        }
