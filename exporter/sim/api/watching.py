"""Watches: history since a version, then every change, as lines of a chunked answer.

The stream ends when the client goes, when its time is up, when the resource's definition changes, or by a fault. Lines
are made from what the store announced; nothing is read twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from aiohttp import web

from exporter.sim import refusals
from exporter.sim.api import forms, wire
from exporter.sim.api.asking import Ask
from exporter.sim.api.forms import Form
from exporter.sim.catalogue import Resource
from exporter.sim.cluster import Cluster
from exporter.sim.faults import Active, Harm
from exporter.sim.refusals import Refusal
from exporter.sim.selectors import Predicate, compile_selectors
from exporter.sim.store import Event

_DEFAULT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which objects a watch is about."""

    namespace: str
    predicate: Predicate | None

    def change(self, event: Event) -> str | None:
        """The event's type as this watch sees it: an object may enter or leave the selection. None: not for us."""
        if self.namespace and event.key[0] != self.namespace:
            return None
        if self.predicate is None:
            return event.change.value
        now = event.change.value != "DELETED" and self.predicate(event.labels, event.fields)
        before = event.before is not None and self.predicate(*event.before)
        match before, now:
            case False, True:
                return "ADDED"
            case True, True:
                return "MODIFIED"
            case True, False:
                return "DELETED"
            case _:
                return None


class Watch:
    """One watch of one client. `bookmark_seconds` are real ones."""

    def __init__(
        self,
        cluster: Cluster,
        ask: Ask,
        resource: Resource,
        form: Form,
        *,
        bookmark_seconds: float,
        headers: Mapping[str, str],
    ) -> None:
        self._cluster = cluster
        self._ask = ask
        self._resource = resource
        self._form = form
        self._bookmark_seconds = bookmark_seconds
        self._headers = headers
        self._lines: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._filter = Filter(
            namespace=ask.namespace if resource.namespaced else "",
            predicate=compile_selectors(
                ask.query.get("labelSelector", ""), ask.query.get("fieldSelector", ""), pods=resource.plural == "pods"
            ),
        )

    async def serve(self, request: web.BaseRequest, fault: Active | None) -> web.StreamResponse:
        """Answer `request` until the end. Raises `Refusal` before anything is sent."""
        if self._cluster.reinitializing(self._resource.key):
            raise refusals.initializing()
        unsubscribe = self._cluster.store.subscribe(self._announce)  # before the history is read: nothing in between
        forget = self._cluster.on_reset(self._reset)
        try:
            self._begin_or_expire(fault)
            response = web.StreamResponse(headers={"Content-Type": "application/json", **self._headers})
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):  # the client went
                await self._send(request, response, fault)
        finally:
            unsubscribe()
            forget()
        return response

    def _begin_or_expire(self, fault: Active | None) -> None:
        """A version that is too old is told in the stream, as is an injected error: an ERROR event, and the end."""
        try:
            if fault is not None and fault.fault.in_stream:
                raise fault.refusal
            self._begin()
        except Refusal as refusal:
            if refusal.code != 410 and not (fault is not None and fault.fault.in_stream):
                raise
            self._lines.append(_line("ERROR", msgspec.json.encode(refusal.status)))
            self._closed = True

    def _begin(self) -> None:
        """Queue what the client has missed: everything there is, or the history since its version."""
        asked = self._ask.query.get("resourceVersion", "")
        table = self._cluster.store.table(self._resource.key)
        if asked and not asked.isdigit():
            raise refusals.unparsable_version(asked)
        if asked in {"", "0"} or self._ask.flag("sendInitialEvents"):
            for entry in table.ordered():
                if self._filter.namespace in {"", entry.key[0]} and (
                    self._filter.predicate is None or self._filter.predicate(entry.labels, entry.fields)
                ):
                    self._queue("ADDED", table.unpack(entry.packed))
            if self._ask.flag("sendInitialEvents") and self._ask.flag("allowWatchBookmarks"):
                self._bookmark(initial=True)
            return
        for event in table.since(int(asked)):
            self._announce(event)

    def _announce(self, event: Event) -> None:
        if event.resource != self._resource.key or self._closed:
            return
        change = self._filter.change(event)
        if change is not None:
            self._queue(change, event.raw)

    def _queue(self, change: str, raw: bytes) -> None:
        body = forms.one(raw, self._resource, version=self._ask.version, form=self._form)
        self._lines.append(_line(change, body))
        self._wake.set()

    def _bookmark(self, *, initial: bool = False) -> None:
        at = self._cluster.store.version
        body = forms.bookmark(self._resource, version=self._ask.version, form=self._form, at=at, initial=initial)
        self._lines.append(_line("BOOKMARK", body))

    def _reset(self, resource: str) -> None:
        if resource == self._resource.key:
            self._closed = True
            self._wake.set()

    async def _send(self, request: web.BaseRequest, response: web.StreamResponse, fault: Active | None) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + float(self._ask.query.get("timeoutSeconds") or _DEFAULT_SECONDS)
        bookmarks = self._ask.flag("allowWatchBookmarks")
        next_bookmark = loop.time() + self._bookmark_seconds
        if fault is not None and fault.fault.harm is Harm.SILENCE:
            await wire.hang(request, ends, fault)
            return
        while True:
            while self._lines:
                line = self._lines.popleft()
                if await wire.send_line(request, response, line, fault):
                    return
            if self._closed or loop.time() >= ends:
                return
            if bookmarks and loop.time() >= next_bookmark:
                next_bookmark = loop.time() + self._bookmark_seconds
                self._bookmark()
                continue
            self._wake.clear()
            until = min(ends, next_bookmark) if bookmarks else ends
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._wake.wait()


def _line(change: str, body: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (change.encode(), body)
