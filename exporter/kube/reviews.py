"""TokenReview and SubjectAccessReview: the API server says who a caller is, and whether they may read a path of ours.

Asking costs a request each; when to ask and what to remember is for the caller. No token appears in an error.
"""

from typing import Final, Protocol

import msgspec

from exporter import errors
from exporter.kube.api import Response

DEADLINE: Final = 5.0
"""Seconds for one review: a scraper waits for two of them, and gives up after ten."""


class Posting(Protocol):
    """What is needed of `exporter.kube.api.Api`."""

    async def request(
        self, method: str, path: str, *, headers: dict[str, str], body: bytes, deadline: float
    ) -> Response:
        """Any answer. Raises Retry where there is none."""


class User(msgspec.Struct, frozen=True):
    """Whose token it is, as the API server knows them. Fields are those of both reviews."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: User = User()


class _AccessStatus(msgspec.Struct):
    allowed: bool = False
    denied: bool = False


class _TokenReview(msgspec.Struct):
    status: _TokenStatus


class _AccessReview(msgspec.Struct):
    status: _AccessStatus


_TOKENS: Final = msgspec.json.Decoder(_TokenReview)
_ACCESSES: Final = msgspec.json.Decoder(_AccessReview)


class Reviewer:
    """Asks the API server, each time anew."""

    def __init__(self, api: Posting) -> None:
        self._api = api

    async def user(self, token: str) -> User | None:
        """Whose token this is; None: nobody's. Raises ApiError: it cannot be told."""
        body = await self._post("authentication.k8s.io", "tokenreviews", "TokenReview", {"token": token})
        try:
            status = _TOKENS.decode(body).status
        except msgspec.MsgspecError as error:
            raise errors.ApiError("the answer to a TokenReview is not one") from error
        return status.user if status.authenticated and status.user.username else None

    async def may_get(self, user: User, path: str) -> bool:
        """Whether RBAC (or what else authorizes) grants `get` of this path. Raises ApiError: it cannot be told."""
        spec: dict[str, object] = {
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
            "nonResourceAttributes": {"path": path, "verb": "get"},
        }
        body = await self._post("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", spec)
        try:
            status = _ACCESSES.decode(body).status
        except msgspec.MsgspecError as error:
            raise errors.ApiError("the answer to a SubjectAccessReview is not one") from error
        return status.allowed and not status.denied

    async def _post(self, group: str, plural: str, kind: str, spec: dict[str, object]) -> bytes:
        response = await self._api.request(
            "POST",
            f"/apis/{group}/v1/{plural}",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=msgspec.json.encode({"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}),
            deadline=DEADLINE,
        )
        if response.status not in {200, 201}:
            # What the server says is left out: it was sent a token.
            raise errors.ApiError(f"a {kind} was answered with HTTP {response.status}")
        return response.body
