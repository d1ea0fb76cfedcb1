"""From the API's bytes to our objects: single objects, pages of lists, watch events.

A malformed object costs itself only: a page or event that does not fit is read again piece by piece, and what cannot
be read is named as far as its metadata allows. The kinds themselves are in `exporter.kube.kinds`; nothing here fetches.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from exporter import errors
from exporter.kube import envelope, lines
from exporter.kube.kinds import cluster, guests, kubevirt, metadata, pods, workloads
from exporter.model.objects import Object

_UNREADABLE: Final = (ValueError, RecursionError)
"""What msgspec raises: its own errors and UnicodeDecodeError are ValueErrors; deep nesting is a RecursionError."""


class Malformed(msgspec.Struct, frozen=True):
    """An object that does not fit its kind. `key` and `version` are empty where not even the metadata can be read."""

    key: str
    version: str
    error: str
    """Where and what, without values of the object."""


class Page(msgspec.Struct, frozen=True):
    """One page of a list, and where the next one begins (`token`, empty on the last)."""

    objects: list[Object]
    malformed: list[Malformed]
    token: str
    version: str


class Upserted(msgspec.Struct, frozen=True, gc=False):
    """ADDED or MODIFIED: this is the object now."""

    object: Object
    version: str


class Removed(msgspec.Struct, frozen=True, gc=False):
    """DELETED: the object is gone, or no longer matches the selector."""

    key: str
    version: str


class Bookmarked(msgspec.Struct, frozen=True, gc=False):
    """BOOKMARK: everything up to this version has been sent."""

    version: str


class Ended(msgspec.Struct, frozen=True, gc=False):
    """ERROR: the server ends the watch. `code` as in HTTP, 0 for none; `after`: seconds it asks us to wait."""

    code: int
    message: str
    after: float | None


Event = Upserted | Removed | Bookmarked | Ended | Malformed

W = TypeVar("W")
_WireEvent = envelope.Modified[W] | envelope.Added[W] | envelope.Deleted | envelope.Bookmark | envelope.Error


class Decoder(Generic[W]):
    """Reads one kind. `wire` is what its JSON is decoded to, `flatten` makes our object of it."""

    def __init__(self, wire: type[W], flatten: Callable[[W], Object]) -> None:
        self._flatten = flatten
        self._item: msgspec.json.Decoder[W] = msgspec.json.Decoder(wire)
        self._page: msgspec.json.Decoder[envelope.Page[W]] = msgspec.json.Decoder(_of(envelope.Page, wire))
        self._event: msgspec.json.Decoder[_WireEvent[W]] = msgspec.json.Decoder(_of(_WireEvent, wire))

    def item(self, body: bytes | msgspec.Raw) -> Object | Malformed:
        """Decode one object."""
        try:
            return self._flatten(self._item.decode(body))
        except _UNREADABLE as error:
            return _name(body, error)

    def page(self, body: bytes) -> Page:
        """Decode one page of a list. Raises UnreadableError where it is not a list at all."""
        objects: list[Object]
        malformed: list[Malformed] = []
        try:
            page = self._page.decode(body)
            objects = list(map(self._flatten, page.items or ()))
        except _UNREADABLE:
            raw = _raw_page(body)
            objects = []
            for item in map(self.item, raw.items or ()):
                if isinstance(item, Malformed):
                    malformed.append(item)
                else:
                    objects.append(item)
            return Page(objects, malformed, raw.metadata.continue_ or "", raw.metadata.resource_version)
        return Page(objects, malformed, page.metadata.continue_ or "", page.metadata.resource_version)

    def events(self, block: lines.Block) -> list[Event]:
        """Decode whole lines of a watch."""
        try:
            return list(map(self._flat, self._event.decode_lines(block)))
        except _UNREADABLE:
            return list(map(self.event, lines.each(block)))

    def event(self, line: bytes) -> Event:
        """Decode one line of a watch."""
        try:
            return self._flat(self._event.decode(line))
        except _UNREADABLE as error:
            return _name_event(line, error)

    def _flat(self, event: _WireEvent[W]) -> Event:
        match event:
            case envelope.Modified() | envelope.Added():
                # Every kind's metadata is an Identity; the type variable cannot say so.
                version: str | None = event.object.metadata.resource_version  # type: ignore[attr-defined]
                return Upserted(self._flatten(event.object), version or "")
            case envelope.Deleted():
                identity = event.object.metadata
                return Removed(metadata.key(identity), identity.resource_version or "")
            case envelope.Bookmark():
                return Bookmarked(event.object.metadata.resource_version)
            case envelope.Error():
                status = event.object or envelope.Status()
                after = None if status.details is None else status.details.retry_after_seconds
                return Ended(status.code or 0, status.message or status.reason or "", after)


def _of(generic: Any, parameter: Any) -> Any:  # noqa: ANN401
    """`generic[parameter]`, made at run time: msgspec can follow that, mypy cannot."""
    return generic[parameter]


_BARE: Final = msgspec.json.Decoder(metadata.Bare)
_RAW_PAGE: Final = msgspec.json.Decoder(envelope.Page[msgspec.Raw])
_RAW_EVENT: Final = msgspec.json.Decoder(envelope.RawEvent)
_STATUS: Final = msgspec.json.Decoder(envelope.Status)


def status(body: bytes) -> envelope.Status:
    """Decode the Status with which the API refuses; an empty one where the body is something else."""
    try:
        return _STATUS.decode(body)
    except _UNREADABLE:
        return envelope.Status()


def raw_items(body: bytes) -> list[msgspec.Raw]:
    """The objects of a page as they were sent. Raises UnreadableError where it is not a list."""
    return _raw_page(body).items or []


def continue_token(body: bytes) -> str:
    """Where the next page of a list begins; empty on the last. Raises UnreadableError where it is not a list."""
    return _raw_page(body).metadata.continue_ or ""


def raw_event(line: bytes) -> tuple[str, msgspec.Raw] | None:
    """The type of a watch event and its object as it was sent; None where it cannot be read."""
    try:
        event = _RAW_EVENT.decode(line)
    except _UNREADABLE:
        return None
    return event.type, event.object


def _raw_page(body: bytes) -> envelope.Page[msgspec.Raw]:
    try:
        return _RAW_PAGE.decode(body)
    except _UNREADABLE as error:
        raise errors.UnreadableError(f"not a list: {error}") from error


def _name_event(line: bytes, error: Exception) -> Malformed:
    try:
        return _name(_RAW_EVENT.decode(line).object, error)
    except _UNREADABLE:
        return Malformed("", "", str(error))


def _name(body: bytes | msgspec.Raw, error: Exception) -> Malformed:
    try:
        identity = _BARE.decode(body).metadata
    except _UNREADABLE:
        return Malformed("", "", str(error))
    return Malformed(metadata.key(identity), identity.resource_version or "", str(error))


DECODERS: Final[dict[str, Decoder[Any]]] = {
    "kubevirt": Decoder(kubevirt.KubeVirt, kubevirt.kubevirt),
    "deployment": Decoder(workloads.Deployment, workloads.deployment),
    "daemonset": Decoder(workloads.DaemonSet, workloads.daemonset),
    "pod": Decoder(pods.Pod, pods.pod),
    "job": Decoder(workloads.Job, workloads.job),
    "lease": Decoder(cluster.Lease, cluster.lease),
    "vm": Decoder(guests.Vm, guests.vm),
    "vmi": Decoder(guests.Vmi, guests.vmi),
    "migration": Decoder(guests.Migration, guests.migration),
    "node": Decoder(cluster.Node, cluster.node),
    "crd": Decoder(cluster.Crd, cluster.crd),
    "apiservice": Decoder(cluster.ApiService, cluster.apiservice),
    "webhooks": Decoder(cluster.WebhookConfiguration, cluster.webhooks),
    "budget": Decoder(cluster.DisruptionBudget, cluster.budget),
    "metadata": Decoder(metadata.MetadataOnly, metadata.metadata_only),
}
"""By the name a row of the resource table gives in `decode`."""
