"""Patches: merge, JSON (add, replace, remove, test), and apply, each from a patch and an object to a new object.

Strategic merge is a JSON merge that merges lists of objects by their `name` or `type`; apply merges like it and owns
nothing (no conflicts between managers are simulated).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from exporter.sim import refusals
from exporter.sim.refusals import JSON, Refusal

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
OPERATIONS = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def apply(kind: str, body: JSON, patch: Any) -> JSON:  # noqa: ANN401 - a patch is any JSON until it is checked
    """`body` with `patch` of media type `kind`. Raises `Refusal` 400, 415, 422."""
    match kind:
        case "application/merge-patch+json":
            return _merged(body, _object(patch))
        case "application/strategic-merge-patch+json" | "application/apply-patch+yaml":
            return _merged(body, _object(patch), lists=_merge_lists)
        case "application/json-patch+json":
            return _operated(body, patch)
        case _:
            raise unsupported()


def unsupported() -> Refusal:
    """415: a patch of a kind that is unknown, or not for this resource."""
    kinds = f"{OPERATIONS}, {MERGE}, {APPLY}"
    message = f"the body of the request was in an unknown format - accepted media types include: {kinds}"
    return Refusal(415, "UnsupportedMediaType", message)


def _object(patch: Any) -> JSON:  # noqa: ANN401
    if not isinstance(patch, dict):
        raise refusals.bad_request("error decoding patch: it must be an object")
    return patch


def _merged(body: JSON, patch: JSON, *, lists: Callable[[list[Any], list[Any]], list[Any]] | None = None) -> JSON:
    result = dict(body)
    for name, value in patch.items():
        old = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = _merged(old if isinstance(old, dict) else {}, value, lists=lists)
        elif isinstance(value, list) and isinstance(old, list) and lists is not None:
            result[name] = lists(old, value)
        else:
            result[name] = value
    return result


def _merge_lists(old: list[Any], new: list[Any]) -> list[Any]:
    for key in ("name", "type"):
        if new and all(isinstance(item, dict) and key in item for item in [*old, *new]):
            merged = {item[key]: item for item in old}
            for item in new:
                merged[item[key]] = _merged(merged.get(item[key], {}), item, lists=_merge_lists)
            return list(merged.values())
    return new


def _operated(body: JSON, patch: Any) -> JSON:  # noqa: ANN401
    if not isinstance(patch, list):
        raise refusals.bad_request("error decoding patch: a JSON patch is a list of operations")
    result = copy.deepcopy(body)
    for operation in patch:
        try:
            _operate(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = "the server rejected our request due to an error in our request"
            raise Refusal(422, "Invalid", message, details={}) from error
    return result


def _operate(body: JSON, operation: JSON) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    target: Any = body
    for part in parents:
        target = target[int(part)] if isinstance(target, list) else target[part]
    match operation["op"], target:
        case "add", list():
            target.insert(len(target) if last == "-" else int(last), operation["value"])
        case "add", _:
            target[last] = operation["value"]
        case "replace", list():
            target[int(last)] = operation["value"]
        case "replace", _:
            target[last]
            target[last] = operation["value"]
        case "remove", _:
            del target[int(last) if isinstance(target, list) else last]
        case "test", _:
            if (target[int(last)] if isinstance(target, list) else target[last]) != operation["value"]:
                message = f"testing value {operation['path']} failed"
                raise ValueError(message)
        case unknown, _:
            message = f"unknown operation {unknown}"
            raise ValueError(message)
