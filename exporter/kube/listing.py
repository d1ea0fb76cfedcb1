"""Whole lists, read once: for whoever does not watch."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from exporter.kube import decode, discovery
from exporter.kube.api import Api
from exporter.model.resources import ResourceSpec

METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


async def bodies(api: Api, spec: ResourceSpec, *, namespace: str = "", whole: bool = False) -> AsyncIterator[bytes]:
    """The pages of a row's list, as they are sent. `whole`: with the objects' contents even where the row needs none.

    Raises ApiError, as a rule one of its kinds.
    """
    root = await discovery.root(api, spec)
    path = f"{root}/namespaces/{namespace}/{spec.plural}" if namespace else f"{root}/{spec.plural}"
    parameters = {"limit": str(spec.page)} | ({"labelSelector": spec.label_selector} if spec.label_selector else {})
    accept = METADATA if spec.metadata_only and not whole else "application/json"
    while True:
        body = await api.get(path, parameters, accept=accept)
        yield body
        if not (token := decode.continue_token(body)):
            return
        parameters["continue"] = token


async def raw(api: Api, spec: ResourceSpec, *, namespace: str = "") -> AsyncIterator[msgspec.Raw]:
    """The objects of a row as they are sent. Raises ApiError, and UnreadableError for what is not a list."""
    async for body in bodies(api, spec, namespace=namespace, whole=True):
        for item in decode.raw_items(body):
            yield item
