"""Get and list, with pages that stay consistent while the world moves on.

A page with more to come keeps a snapshot of the whole list under its token; tokens expire by number, by time and on
demand, and then the answer is 410 with a token that continues inconsistently, as from the real server.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from exporter.sim import refusals
from exporter.sim.api import forms
from exporter.sim.api.asking import Ask
from exporter.sim.api.forms import Form
from exporter.sim.catalogue import Resource
from exporter.sim.cluster import Cluster
from exporter.sim.refusals import JSON
from exporter.sim.selectors import Predicate, compile_selectors
from exporter.sim.store import Entry

_SNAPSHOTS = 64  # lists in progress at the same time; the oldest expires first


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A list as it was at one version."""

    entries: list[Entry]
    version: int
    at: float


class Reader:
    """Answers get and list as bytes. `token_seconds`: how long a page may wait for the next, in simulated time."""

    def __init__(self, cluster: Cluster, *, token_seconds: float = 300.0) -> None:
        self._cluster = cluster
        self._token_seconds = token_seconds
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()
        self._numbers = itertools.count(1)

    def expire_tokens(self) -> None:
        """Every list in progress has to begin again."""
        self._snapshots.clear()

    def freeze(self, resource: str) -> Snapshot:
        """The present state of a resource, for a list that shall be stale later."""
        entries = self._cluster.store.table(resource).ordered()
        return Snapshot(entries=entries, version=self._cluster.store.version, at=self._cluster.clock())

    def get(self, ask: Ask, resource: Resource, form: Form) -> bytes:
        _check_version(ask.query.get("resourceVersion", ""), self._cluster.store.version)
        raw = self._cluster.store.raw(resource.key, (ask.namespace if resource.namespaced else "", ask.name))
        if raw is None:
            raise refusals.not_found(resource.plural, resource.group, ask.name)
        return forms.one(raw, resource, version=ask.version, form=form)

    def list(self, ask: Ask, resource: Resource, form: Form, *, stale: Snapshot | None = None) -> bytes:
        predicate = compile_selectors(
            ask.query.get("labelSelector", ""), ask.query.get("fieldSelector", ""), pods=resource.plural == "pods"
        )
        number, position, snapshot = self._where(ask, resource, stale)
        entries = _in_namespace(snapshot.entries, ask.namespace if resource.namespaced else "")
        page, end = _page(entries, position, _limit(ask), predicate)
        metadata: JSON = {"resourceVersion": str(snapshot.version)}
        if resource.custom and form is Form.WHOLE:
            metadata["continue"] = ""
        if end < len(entries):
            number = number or self._keep(snapshot)
            metadata["continue"] = _token(number, snapshot.version, end, entries[end - 1])
            if predicate is None and form is Form.WHOLE:
                metadata["remainingItemCount"] = len(entries) - end
        table = self._cluster.store.table(resource.key)
        items = [forms.item(table.unpack(entry.packed), resource, version=ask.version, form=form) for entry in page]
        return forms.listing(items, resource, version=ask.version, form=form, metadata=metadata)

    def _where(self, ask: Ask, resource: Resource, stale: Snapshot | None) -> tuple[str, int, Snapshot]:
        """The snapshot's number (if it has one), the position in it, and the snapshot."""
        token = ask.query.get("continue", "")
        if not token:
            _check_version(ask.query.get("resourceVersion", ""), self._cluster.store.version)
            return "", 0, stale or self.freeze(resource.key)
        content = _read_token(token)
        snapshot = self._snapshots.get(content["snapshot"])
        if content["snapshot"] == "inconsistent":
            now = self.freeze(resource.key)
            entries = _in_namespace(now.entries, ask.namespace if resource.namespaced else "")
            return "", _position_after(entries, content), now
        if snapshot is None or self._cluster.clock() > snapshot.at + self._token_seconds:
            raise refusals.expired_continue(_encode({**content, "snapshot": "inconsistent"}))
        return content["snapshot"], content["position"], snapshot

    def _keep(self, snapshot: Snapshot) -> str:
        number = str(next(self._numbers))
        self._snapshots[number] = snapshot
        while len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return number


def _in_namespace(entries: list[Entry], namespace: str) -> list[Entry]:
    return [entry for entry in entries if entry.key[0] == namespace] if namespace else entries


def _page(entries: list[Entry], start: int, limit: int, predicate: Predicate | None) -> tuple[list[Entry], int]:
    """Up to `limit` matching entries, and where the search ended: a page that is full may be the last, unknowingly."""
    if predicate is None:
        end = min(len(entries), start + limit) if limit else len(entries)
        return entries[start:end], end
    page: list[Entry] = []
    for position in range(start, len(entries)):
        if predicate(entries[position].labels, entries[position].fields):
            page.append(entries[position])
            if limit and len(page) == limit:
                return page, position + 1
    return page, len(entries)


def _limit(ask: Ask) -> int:
    """Items a page may have, 0 for all. With resourceVersion=0 the server answers from its cache, without pages."""
    try:
        limit = int(ask.query.get("limit") or 0)
    except ValueError as error:
        raise refusals.bad_request(f"invalid limit: {error}") from error
    return 0 if ask.query.get("resourceVersion") == "0" and "continue" not in ask.query else limit


def _check_version(text: str, current: int) -> None:
    if text in {"", "0"}:
        return
    if not text.isdigit():
        raise refusals.unparsable_version(text)
    if int(text) > current:
        raise refusals.too_large_version(int(text), current)


def _position_after(entries: list[Entry], content: JSON) -> int:
    start = (content["namespace"], content["name"])
    return sum(1 for entry in entries if entry.key <= start)


def _token(number: str, version: int, position: int, last: Entry) -> str:
    namespace, name = last.key
    content = {"snapshot": number, "rv": version, "position": position, "namespace": namespace, "name": name}
    return _encode(content)


def _encode(content: JSON) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")


def _read_token(token: str) -> JSON:
    try:
        content: JSON = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        content["snapshot"], content["position"]
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise refusals.bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    return content
