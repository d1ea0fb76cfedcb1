"""Reading and writing UpgradeReports: one request each, and nothing overwritten that we have not read.

A status is replaced as a whole by a JSON patch that first tests the version; a strategic or merge patch would drop
nulls, and server-side apply would let the later of two writers win. All methods raise ApiError, as a rule one of its
kinds.
"""

from typing import Any, Final

import msgspec

from exporter import errors
from exporter.journal import objects
from exporter.journal.objects import Item, Metadata, Stored
from exporter.kube.api import Api

_OURS: Final = {"labelSelector": ",".join(f"{name}={value}" for name, value in objects.LABELS.items())}
_JSON_PATCH: Final = "application/json-patch+json"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class _Items(msgspec.Struct, frozen=True):
    items: list[Item] | None


_LIST: Final = msgspec.json.Decoder(_Items)
_ITEM: Final = msgspec.json.Decoder(Item)


class Reports:
    """The UpgradeReports that we have made, in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._path = f"/apis/{objects.GROUP}/{objects.VERSION}/namespaces/{namespace}/{objects.PLURAL}"

    async def read(self) -> list[Stored]:
        """All of them, the oldest first."""
        stored = map(objects.read, await self._list("application/json"))
        return sorted(stored, key=lambda each: (each.created, each.name))

    async def closed(self) -> frozenset[str]:
        """Names of those whose session a person wants to end. Reads metadata only."""
        return frozenset(objects.read(item).name for item in await self._list(_METADATA_LIST) if _closed(item))

    async def create(self, name: str) -> Stored:
        """A new one, without a status. Raises Conflict: the name is taken."""
        return objects.read(_decoded(await self._api.write("POST", self._path, objects.new(name, self._namespace))))

    async def write(self, name: str, *, version: str, status: dict[str, Any]) -> Metadata:
        """Replace the status. Raises Conflict: the version is not that one any more. Raises Absent: it is gone."""
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = f"{self._path}/{name}"
        try:
            body = await self._api.write("PATCH", f"{path}/status", patch, kind=_JSON_PATCH, accept=_METADATA)
        except (errors.Forbidden, errors.Absent, errors.Conflict, errors.Retry):
            raise
        except errors.ApiError as error:
            # A test that fails and a status that is refused are answered alike.
            now = _decoded(await self._api.get(path, accept=_METADATA)).metadata
            if now.resource_version != version:
                raise errors.Conflict(f"{name} was changed by somebody else", reason="conflict") from error
            raise
        return _decoded(body).metadata

    async def delete(self, stored: Stored) -> None:
        """Delete this very object. Raises Conflict: there is another one of its name."""
        await self._api.write("DELETE", f"{self._path}/{stored.name}", {"preconditions": {"uid": stored.uid}})

    async def _list(self, accept: str) -> list[Item]:
        body = await self._api.get(self._path, _OURS, accept=accept)
        try:
            return _LIST.decode(body).items or []
        except (ValueError, RecursionError) as error:
            raise errors.ApiError(f"the list of reports cannot be read: {error}", reason="unreadable") from error


def _closed(item: Item) -> bool:
    return objects.CLOSE in (item.metadata.annotations or {})


def _decoded(body: bytes) -> Item:
    try:
        return _ITEM.decode(body)
    except (ValueError, RecursionError) as error:
        raise errors.ApiError(f"the report cannot be read: {error}", reason="unreadable") from error
