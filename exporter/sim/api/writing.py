"""Create, update, patch, delete: a decoded request to an object, through `cluster` and the world's admission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import yaml

from exporter.sim import refusals
from exporter.sim.api import naming, patching
from exporter.sim.api.asking import Ask
from exporter.sim.catalogue import Resource
from exporter.sim.cluster import Cluster
from exporter.sim.refusals import JSON

Admission = Callable[[Resource, str, JSON], None]


class Writer:
    """Carries out writes; `admit` raises `Refusal` for what a webhook refuses, or when it cannot be reached."""

    def __init__(self, cluster: Cluster, *, admit: Admission) -> None:
        self._cluster = cluster
        self._admit = admit

    def create(self, ask: Ask, resource: Resource, content: bytes) -> JSON:
        body = self._read(content, ask, resource)
        if not body["metadata"].get("name") and not body["metadata"].get("generateName"):
            problems = [("metadata.name", "Required value: name or generateName is required")]
            raise refusals.invalid(resource.kind, resource.group, "", problems, reason="FieldValueRequired")
        naming.check(body, resource)
        namespace = ask.namespace
        if resource.namespaced and not self._cluster.exists("namespaces", namespace):
            raise refusals.not_found("namespaces", "", namespace)
        if resource.status_subresource:
            body.pop("status", None)
        self._admit(resource, "create", body)
        return self._cluster.create(resource.key, body, dry_run=ask.dry_run)

    def update(self, ask: Ask, resource: Resource, content: bytes) -> JSON:
        body = self._read(content, ask, resource)
        self._admit(resource, "update", body)
        return self._cluster.replace(
            resource.key, body, subresource=ask.subresource, check_version=True, dry_run=ask.dry_run
        )

    def patch(self, ask: Ask, resource: Resource, content: bytes, *, kind: str) -> tuple[JSON, bool]:
        """The object after the patch, and whether it was created by it."""
        if kind == patching.STRATEGIC and resource.custom:
            raise patching.unsupported()
        if kind == patching.APPLY and not ask.query.get("fieldManager"):
            problems = [("fieldManager", "Required value: is required for apply patch")]
            raise refusals.invalid("PatchOptions", "meta.k8s.io", "", problems, reason="FieldValueRequired")
        patch = self._decode(content, as_yaml=kind == patching.APPLY)
        namespace = ask.namespace if resource.namespaced else ""
        old = self._cluster.find(resource.key, ask.name, namespace)
        if old is None:
            if kind != patching.APPLY or ask.subresource:
                raise refusals.not_found(resource.plural, resource.group, ask.name)
            return self.create(ask, resource, msgspec.json.encode(patch)), True
        body = patching.apply(kind, old, patch)
        asked = (patch.get("metadata") or {}).get("resourceVersion") if isinstance(patch, dict) else None
        body["metadata"]["resourceVersion"] = asked or old["metadata"]["resourceVersion"]
        self._admit(resource, "update", body)
        return self._cluster.replace(
            resource.key, body, subresource=ask.subresource, check_version=True, dry_run=ask.dry_run
        ), False

    def delete(self, ask: Ask, resource: Resource, content: bytes) -> JSON:
        """The object, if it waits for finalizers; else a Status of success."""
        options = self._decode(content) if content else {}
        wanted = options.get("preconditions") or {}
        dry_run = ask.dry_run or "All" in (options.get("dryRun") or ())
        namespace = ask.namespace if resource.namespaced else ""
        body = self._cluster.delete(
            resource.key, ask.name, namespace, uid=wanted.get("uid", ""), version=wanted.get("resourceVersion", ""),
            dry_run=dry_run,
        )  # fmt: skip
        if body["metadata"].get("deletionTimestamp"):
            return body
        details = {"name": ask.name, "group": resource.group, "kind": resource.plural, "uid": body["metadata"]["uid"]}
        details = {name: value for name, value in details.items() if value}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _read(self, content: bytes, ask: Ask, resource: Resource) -> JSON:
        body = self._decode(content)
        if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
            raise refusals.bad_request("Object 'Kind' is missing in the body")
        if resource.custom and not body.get("kind"):  # of its own kinds the server knows which one it must be
            raise refusals.bad_request("Object 'Kind' is missing in the body")
        kind, api_version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version(ask.version))
        if kind != resource.kind or api_version != resource.api_version(ask.version):
            message = (
                f"{kind} in version {api_version!r} cannot be handled as a {resource.kind}: "
                f"the API version in the data ({api_version}) does not match the expected API version "
                f"({resource.api_version(ask.version)})"
            )
            raise refusals.bad_request(message)
        metadata = body.setdefault("metadata", {})
        if ask.name and metadata.setdefault("name", ask.name) != ask.name:
            message = f"the name of the object ({metadata['name']}) does not match the name on the URL ({ask.name})"
            raise refusals.bad_request(message)
        if resource.namespaced:
            if metadata.setdefault("namespace", ask.namespace) != ask.namespace:
                message = "the namespace of the provided object does not match the namespace sent on the request"
                raise refusals.bad_request(message)
        else:
            metadata.pop("namespace", None)
        return body

    def _decode(self, content: bytes, *, as_yaml: bool = False) -> Any:  # noqa: ANN401 - checked by the callers
        try:
            return yaml.safe_load(content) if as_yaml else msgspec.json.decode(content)
        except (msgspec.DecodeError, yaml.YAMLError) as error:
            raise refusals.bad_request(f"error decoding the body: {error}") from error
