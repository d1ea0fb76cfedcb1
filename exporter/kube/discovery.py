"""Which API version of a resource the cluster serves."""

from typing import Final

import msgspec

from exporter import errors
from exporter.kube.api import Api
from exporter.model.resources import ResourceSpec


class _Resource(msgspec.Struct):
    name: str


class _ResourceList(msgspec.Struct):
    resources: list[_Resource] | None = None


_RESOURCES: Final = msgspec.json.Decoder(_ResourceList)


async def root(api: Api, spec: ResourceSpec) -> str:
    """The path of the first version in the row's order that serves the resource.

    A row with one version is not asked about: its list will tell. Raises Absent where none serves it, and ApiError.
    """
    if len(spec.versions) == 1:
        return _path(spec, spec.versions[0])
    for version in spec.versions:
        path = _path(spec, version)
        try:
            served = _RESOURCES.decode(await api.get(path)).resources or ()
        except errors.Absent:
            continue
        except (ValueError, RecursionError) as error:
            raise errors.Retry(f"{path} is not a list of resources: {error}", reason="unreadable") from error
        if any(resource.name == spec.plural for resource in served):
            return path
    raise errors.Absent(f"no version of {spec.name} that we know is served", reason="absent")


def _path(spec: ResourceSpec, version: str) -> str:
    return f"/apis/{spec.group}/{version}" if spec.group else f"/api/{version}"
