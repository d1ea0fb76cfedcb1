"""TokenReview and SubjectAccessReview: who a token belongs to, and what its owner may do.

There is one set of rules for everybody (see `access`): a review of access says what it would say to any request.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from exporter.sim import refusals
from exporter.sim.access import Access, Attempt
from exporter.sim.refusals import JSON, Refusal

_Review = Callable[[Access, JSON], JSON]


def answer(path: str, content: bytes, access: Access) -> JSON | None:
    """The review filled in, or None where `path` (of a POST) is not that of a review. Raises `Refusal` 400."""
    review = _REVIEWS.get(path)
    if review is None:
        return None
    try:
        body: JSON = msgspec.json.decode(content, type=dict)
    except msgspec.DecodeError as error:
        raise refusals.bad_request(f"error decoding the body: {error}") from error
    return {**body, "metadata": {"creationTimestamp": None}, "status": review(access, body.get("spec") or {})}


def _token(access: Access, spec: JSON) -> JSON:
    owner = access.tokens.get(spec.get("token", ""))
    if owner is None:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": {"username": owner, "uid": owner, "groups": ["system:authenticated"]}}


def _access(access: Access, spec: JSON) -> JSON:
    asked = spec.get("resourceAttributes")
    if asked is None:
        of_path = spec.get("nonResourceAttributes") or {}
        return {"allowed": access.allows_path(of_path.get("verb", ""), of_path.get("path", ""))}
    resource = asked.get("resource", "")
    attempt = Attempt(
        verb=asked.get("verb", ""), group=asked.get("group", ""), namespace=asked.get("namespace", ""),
        resource=f"{resource}/{asked['subresource']}" if asked.get("subresource") else resource,
        name=asked.get("name", ""),
    )  # fmt: skip
    try:
        access.check(attempt)
    except Refusal as refusal:
        return {"allowed": False, "reason": refusal.message}
    return {"allowed": True}


_REVIEWS: dict[str, _Review] = {
    "/apis/authentication.k8s.io/v1/tokenreviews": _token,
    "/apis/authorization.k8s.io/v1/subjectaccessreviews": _access,
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": _access,
}
