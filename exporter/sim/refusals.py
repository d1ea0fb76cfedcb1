"""What the simulated API server refuses, and in which words.

One exception carries everything a Kubernetes `Status` body says. The constructors below word it as the real API server
does; which situation asks for which one is decided by the code that raises. Nothing here knows HTTP.
"""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


class Refusal(Exception):
    """A request the API server answers with a Status of failure: `code`, `reason`, `message`, `details`."""

    def __init__(self, code: int, reason: str, message: str, *, details: JSON | None = None, token: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.token = token

    @property
    def status(self) -> JSON:
        """The body: a `Status` object, with a fresh continue token in its metadata where a list token expired."""
        body: JSON = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.token} if self.token else {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body


def not_found(resource: str, group: str, name: str) -> Refusal:
    """404: the group exists, the object does not."""
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, "group": group, "kind": resource} if group else {"name": name, "kind": resource}
    return Refusal(404, "NotFound", f'{qualified} "{name}" not found', details=details)


def already_exists(resource: str, group: str, name: str) -> Refusal:
    """409 for a create."""
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, "group": group, "kind": resource} if group else {"name": name, "kind": resource}
    return Refusal(409, "AlreadyExists", f'{qualified} "{name}" already exists', details=details)


def conflict(resource: str, group: str, name: str, why: str = "") -> Refusal:
    """409 for an update from an old version; `why` in place of the usual words."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, "group": group, "kind": resource} if group else {"name": name, "kind": resource}
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    return Refusal(409, "Conflict", message, details=details)


def invalid(
    kind: str, group: str, name: str, problems: list[tuple[str, str]], *, reason: str = "FieldValueInvalid"
) -> Refusal:
    """`problems`: pairs of a field path and what is wrong with it."""
    causes = [{"reason": reason, "message": text, "field": field} for field, text in problems]
    qualified = f"{kind}.{group}" if group else kind
    listed = ", ".join(f"{field}: {text}" for field, text in problems)
    listed = f"[{listed}]" if len(problems) > 1 else listed
    details: JSON = {"group": group, "kind": kind, "causes": causes, **({"name": name} if name else {})}
    return Refusal(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details=details)


def bad_request(message: str) -> Refusal:
    """400 with these words."""
    return Refusal(400, "BadRequest", message)


def no_such_resource() -> Refusal:
    """404 for a resource or subresource that a group of the API server's own does not have."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", details={})


def unparsable_version(text: str) -> Refusal:
    """500, as it is, for a resourceVersion that is no number."""
    problem = f'strconv.ParseUint: parsing "{text}": invalid syntax'
    return Refusal(500, "", f'resourceVersion: Invalid value: "{text}": {problem}')


def forbidden(*, user: str, verb: str, resource: str, group: str, namespace: str, name: str) -> Refusal:
    """403 in the words of RBAC."""
    qualified = f"{resource}.{group}" if group else resource
    whole = f'{qualified} "{name}"' if name else qualified
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = f'{whole} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {scope}'
    details: JSON = {"kind": resource}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    return Refusal(403, "Forbidden", message, details=details)


def expired_version(asked: int | str, oldest: int) -> Refusal:
    """410 for a watch from before the history."""
    return Refusal(410, "Expired", f"too old resource version: {asked} ({oldest})")


def expired_continue(token: str) -> Refusal:
    """410 for a page of a list that is forgotten; `token` continues inconsistently."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return Refusal(410, "Expired", message, token=token)


def too_large_version(asked: int, current: int) -> Refusal:
    """504 for a version that is not reached yet."""
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return Refusal(504, "Timeout", message, details={**details, "retryAfterSeconds": 1})


def initializing() -> Refusal:
    """A custom resource whose storage is being set up again after its definition changed."""
    details = {"retryAfterSeconds": 1}
    return Refusal(429, "TooManyRequests", "storage is (re)initializing", details=details)


def internal(message: str) -> Refusal:
    """500 with these words behind the usual ones."""
    return Refusal(
        500, "InternalError", f"Internal error occurred: {message}", details={"causes": [{"message": message}]}
    )


def unavailable(message: str = "service unavailable") -> Refusal:
    """503 with these words."""
    return Refusal(503, "ServiceUnavailable", message)
