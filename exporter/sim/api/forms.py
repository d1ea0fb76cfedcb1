"""How objects look on the wire: whole or metadata only, in the version that was asked for, alone or in a list.

Works on the bytes the store keeps, which begin with apiVersion and kind (see `cluster`), so that nothing is decoded
that does not have to be.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from exporter.sim.catalogue import Resource
from exporter.sim.refusals import JSON


class Form(enum.Enum):
    """What the client accepts."""

    WHOLE = "whole"
    METADATA = "metadata"


class _OnlyMetadata(msgspec.Struct):
    metadata: msgspec.Raw


_metadata_decoder = msgspec.json.Decoder(_OnlyMetadata)


def accepted(accept: str) -> Form:
    """The form an Accept header asks for; the first one we can do."""
    for offer in accept.split(","):
        parameters = dict(
            part.strip().split("=", 1) for part in offer.split(";")[1:] if "=" in part
        )  # as=…;g=meta.k8s.io;v=v1
        if parameters.get("g") == "meta.k8s.io" and parameters.get("as", "").startswith("PartialObjectMetadata"):
            return Form.METADATA
        if offer.split(";")[0].strip() in {"application/json", "*/*", ""} and "as" not in parameters:
            return Form.WHOLE
    return Form.WHOLE


def one(raw: bytes, resource: Resource, *, version: str, form: Form) -> bytes:
    """An object that stands alone: the answer to a get, or the object of a watch event."""
    if form is Form.METADATA:
        metadata = bytes(_metadata_decoder.decode(raw).metadata)
        return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%b}' % metadata
    if version == resource.storage:
        return raw
    return _head(resource, version) + raw[len(_head(resource, resource.storage)) :]


def item(raw: bytes, resource: Resource, *, version: str, form: Form) -> bytes:
    """An object in a list. The API server leaves the type out for built-in kinds, and not for custom resources."""
    if form is Form.WHOLE and not resource.custom:
        return b"{" + raw[len(_head(resource, resource.storage)) :]
    return one(raw, resource, version=version, form=form)


def listing(items: Sequence[bytes], resource: Resource, *, version: str, form: Form, metadata: JSON) -> bytes:
    """The whole body of a list."""
    if form is Form.METADATA:
        kind, api_version = "PartialObjectMetadataList", "meta.k8s.io/v1"
    else:
        kind, api_version = resource.list_kind, resource.api_version(version)
    head = msgspec.json.encode({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    return b'%b,"items":[%b]}' % (head[:-1], b",".join(items))


def bookmark(resource: Resource, *, version: str, form: Form, at: int, initial: bool = False) -> bytes:
    """The object of a BOOKMARK event; `initial` marks the end of the initial events of a streaming list."""
    metadata: JSON = {"resourceVersion": str(at), "creationTimestamp": None}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    if form is Form.METADATA:
        return msgspec.json.encode(
            {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        )
    return msgspec.json.encode(
        {"kind": resource.kind, "apiVersion": resource.api_version(version), "metadata": metadata}
    )


def _head(resource: Resource, version: str) -> bytes:
    """How every stored object begins."""
    return f'{{"apiVersion":"{resource.api_version(version)}","kind":"{resource.kind}",'.encode()
