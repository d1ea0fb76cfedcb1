"""What a request asks for: from method, path and query to one value. No I/O, no objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request for a resource. `plural` is as in the path; `name` and `subresource` may be empty."""

    verb: str
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in {"true", "1"}

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"


def parse(method: str, path: str, query: Mapping[str, str]) -> Ask | None:
    """The request for a resource that `path` is, or None: discovery, health, or nothing of ours."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    match rest:
        case []:
            return None
        case ["namespaces"]:
            plural, namespace, name, subresource = "namespaces", "", "", ""
        case ["namespaces", name]:
            plural, namespace, subresource = "namespaces", name, ""
        case ["namespaces", name, ("status" | "finalize") as subresource]:
            plural, namespace = "namespaces", name
        case ["namespaces", namespace, plural, *tail] if len(tail) <= 2:
            name, subresource = [*tail, "", ""][:2]
        case [plural, *tail] if len(tail) <= 2:
            namespace = ""
            name, subresource = [*tail, "", ""][:2]
        case _:
            return None
    return Ask(
        verb=_verb(method, name, query), group=group, version=version, plural=plural, namespace=namespace, name=name,
        subresource=subresource, query=query,
    )  # fmt: skip


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    verb = _VERBS.get(method, method.lower())
    if verb == "get" and not name:
        return "watch" if query.get("watch", "").lower() in {"true", "1"} else "list"
    if verb == "delete" and not name:
        return "deletecollection"
    return verb
