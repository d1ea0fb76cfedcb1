"""How the API wraps objects: pages of a list, watch events, and the Status it answers with instead.

The Structs of the objects themselves are in `exporter.kube.kinds`.
"""

from typing import Generic, TypeVar

import msgspec

from exporter.kube.kinds.metadata import Bare, Wire

T = TypeVar("T")


class ListMetadata(Wire):
    """A list's metadata. Without a version nothing can be watched, so it must be there."""

    resource_version: str
    continue_: str | None = msgspec.field(default=None, name="continue")


class Page(Wire, Generic[T]):
    """One page of a list. `items` may be null but must be there: `{}` is not an empty list."""

    metadata: ListMetadata
    items: list[T] | None


class Added(Wire, Generic[T], tag_field="type", tag="ADDED"):
    """A watch event."""

    object: T


class Modified(Wire, Generic[T], tag_field="type", tag="MODIFIED"):
    """A watch event."""

    object: T


class Deleted(Wire, tag_field="type", tag="DELETED"):
    """A watch event; of an object that went only the name matters."""

    object: Bare


class BookmarkMetadata(Wire):
    """All a bookmark's object has."""

    resource_version: str


class BookmarkObject(Wire):
    """An otherwise empty object of the watched kind."""

    metadata: BookmarkMetadata


class Bookmark(Wire, tag_field="type", tag="BOOKMARK"):
    """A watch event: everything up to this version has been sent."""

    object: BookmarkObject


class StatusDetails(Wire):
    """Status details."""

    retry_after_seconds: float | None = None


class Status(Wire):
    """The API's answer where it does not give what was asked for; its own `status` is a string."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: StatusDetails | None = None


class Error(Wire, tag_field="type", tag="ERROR"):
    """A watch event: the watch has ended."""

    object: Status | None = None


class RawEvent(Wire):
    """Any watch event, its object unread: to find out what is wrong with it."""

    type: str
    object: msgspec.Raw
