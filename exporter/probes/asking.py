"""How a probe asks: over its kind of connection, under its own name, findable in the audit log."""

import uuid
from collections.abc import Mapping
from typing import Final

from exporter.kube.access import Access
from exporter.kube.api import USER_AGENT, Api, Response
from exporter.model import probing

JSON: Final = "application/json"


def own_api(access: Access) -> Api:
    """For probes alone: requests that hang would take connections from others.

    It has as many as there are requests, whose number the runner bounds: one that waited would leave in a later second.
    """
    return Api(access, deadline=probing.DEADLINE, connections=0)


class Ask:
    """One request of one probe. `audit_id` finds it in the API server's audit log."""

    def __init__(self, api: Api, *, probe: str, connection: str) -> None:
        self._api = api
        self._probe = probe
        self._reuse = connection == probing.REUSED
        self.audit_id = str(uuid.uuid4())

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Response:
        """Any answer to a GET. Raises ApiError where there is none within the deadline."""
        return await self._request("GET", path, parameters, None)

    async def post(self, path: str, parameters: Mapping[str, str], body: bytes) -> Response:
        """Any answer to a POST of JSON. Raises ApiError where there is none within the deadline."""
        return await self._request("POST", path, parameters, body)

    async def _request(
        self, method: str, path: str, parameters: Mapping[str, str] | None, body: bytes | None
    ) -> Response:
        headers = {"Accept": JSON, "Audit-ID": self.audit_id, "User-Agent": f"{USER_AGENT} probe/{self._probe}"}
        if body is not None:
            headers["Content-Type"] = JSON
        return await self._api.request(
            method,
            path,
            parameters=parameters,
            headers=headers,
            body=body,
            reuse=self._reuse,
            deadline=probing.DEADLINE,
        )
