"""What a Kubernetes API server makes of reads and writes: identity, versions, generations, custom resources.

The world (which simulates controllers) and the HTTP front (which serves clients) both write through here, so that both
obey the same rules: optimistic concurrency, one generation per spec, finalizers, `storedVersions` that a definition may
not drop. Errors are `Refusal`s. Nothing here simulates a controller, and nothing knows HTTP.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable, Iterator

import msgspec

from exporter.sim import catalogue, managed_fields, refusals, times
from exporter.sim.catalogue import CRDS, Generation, Resource
from exporter.sim.refusals import JSON, Refusal
from exporter.sim.store import Event, Key, Store

REINITIALIZING_SECONDS = 0.7  # how long a watch of a changed definition is answered with 429

ResourceListener = Callable[[str], None]
_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_STILL_STORED = (
    'Invalid value: "{version}": missing from spec.versions; {version} was previously a storage version, and must '
    "remain in spec.versions until a storage migration ensures no data remains persisted in {version} and removes "
    "{version} from status.storedVersions"
)
_OPTIONAL = ("labels", "annotations", "finalizers", "ownerReferences")  # left out where they are empty
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Cluster:
    """All objects of the simulated cluster. `now` is read from `clock`, in seconds since the epoch."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        seed: str = "",
        store: Store | None = None,
        with_managed_fields: bool = False,
    ) -> None:
        self.store = store or Store()
        self.clock = clock
        self._random = random.Random(f"{seed}/identities")
        self._managed_fields = with_managed_fields
        self._resources: dict[str, Resource] = {resource.key: resource for resource in catalogue.BUILTIN}
        self._reset_at: dict[str, float] = {}
        self._reset_listeners: list[ResourceListener] = []

    # -- resources ---------------------------------------------------------------------------------------------------

    @property
    def resources(self) -> dict[str, Resource]:
        return self._resources

    def resource(self, key: str) -> Resource:
        return self._resources[key]

    def on_reset(self, listener: ResourceListener) -> Callable[[], None]:
        """Call `listener` with the key of a resource whose definition changed or went: its watches end."""
        self._reset_listeners.append(listener)
        return lambda: self._reset_listeners.remove(listener)

    def reinitializing(self, key: str) -> bool:
        return self.clock() < self._reset_at.get(key, 0.0) + REINITIALIZING_SECONDS

    # -- reads -------------------------------------------------------------------------------------------------------

    def get(self, resource: str, name: str, namespace: str = "") -> JSON:
        raw = self.store.raw(resource, (namespace, name))
        if raw is None:
            known = self._resources[resource]
            raise refusals.not_found(known.plural, known.group, name)
        return decode(raw)

    def find(self, resource: str, name: str, namespace: str = "") -> JSON | None:
        raw = self.store.raw(resource, (namespace, name))
        return None if raw is None else decode(raw)

    def list(self, resource: str, namespace: str | None = None) -> Iterator[JSON]:
        for raw in self.store.raws(resource):
            body = decode(raw)
            if namespace is None or body["metadata"].get("namespace") == namespace:
                yield body

    def exists(self, resource: str, name: str, namespace: str = "") -> bool:
        return (namespace, name) in self.store.table(resource).entries

    # -- writes ------------------------------------------------------------------------------------------------------

    def new_uid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(_SUFFIX_LETTERS, k=length))

    def create(self, resource: str, body: JSON, *, dry_run: bool = False, stamp: str = "") -> JSON:
        """Create; `stamp` is a creation time in place of now. Fills in name, uid, creation time and generation."""
        known = self._resources[resource]
        metadata = body["metadata"]
        if not metadata.get("name"):
            metadata["name"] = f"{metadata['generateName']}{self.suffix()}"
        if metadata.get("resourceVersion"):
            raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
        key = self._key(known, metadata)
        if key in self.store.table(resource).entries:
            raise refusals.already_exists(known.plural, known.group, key[1])
        metadata["uid"] = metadata.get("uid") or self.new_uid()
        metadata["creationTimestamp"] = stamp or times.seconds(self.clock())
        if known.generation is not Generation.NONE:
            metadata["generation"] = 1
        if resource == CRDS:
            self._establish(body)
        body = _in_order(body, known)
        if dry_run:
            return body
        self._write(known, key, body)
        if resource == CRDS:
            self._define(body)
        return body

    @contextlib.contextmanager
    def edit(self, resource: str, name: str, namespace: str = "") -> Iterator[JSON]:
        """Change an object in place: `with cluster.edit("pods", name, namespace) as pod: …`. No change, no event."""
        body = self.get(resource, name, namespace)
        yield body
        self.replace(resource, body)

    def replace(
        self, resource: str, body: JSON, *, subresource: str = "", check_version: bool = False, dry_run: bool = False
    ) -> JSON:
        """Write `body` over the object of its name. `subresource` "status" takes the status alone from it.

        Where the resource has a status subresource and a client writes (`check_version`), its status is ignored.
        """
        known = self._resources[resource]
        key = self._key(known, body["metadata"])
        raw = self.store.raw(resource, key)
        if raw is None:
            raise refusals.not_found(known.plural, known.group, key[1])
        old = decode(raw)
        if check_version:
            self._check_precondition(known, old, body)
            body = _merge_by_subresource(old, body, known, subresource)
        _keep_identity(old, body)
        if known.generation is not Generation.NONE and _content(old, known) != _content(body, known):
            body["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if resource == CRDS:
            self._check_stored_versions(old, body)
        body["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        body = _in_order(body, known)
        if dry_run or msgspec.json.encode(body) == raw:
            return body
        if body["metadata"].get("deletionTimestamp") and not body["metadata"].get("finalizers") and resource != "pods":
            self._remove(known, key)
            return body
        self._write(known, key, body)
        if resource == CRDS and old["spec"] != body["spec"]:
            self._define(body)
        return body

    def delete(
        self, resource: str, name: str, namespace: str = "", *, uid: str = "", version: str = "", dry_run: bool = False
    ) -> JSON:
        """Delete; an object with finalizers is only marked. The answer is the object as it last was.

        `uid` and `version` are preconditions.
        """
        known = self._resources[resource]
        body = self.get(resource, name, namespace)
        if uid and uid != body["metadata"]["uid"]:
            why = (
                f"the UID in the precondition ({uid}) does not match the UID in record ({body['metadata']['uid']}). "
                "The object might have been deleted and then recreated"
            )
            raise refusals.conflict(known.kind, known.group, name, why)
        if version and version != body["metadata"]["resourceVersion"]:
            why = (
                f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
                f"({body['metadata']['resourceVersion']}). The object might have been modified"
            )
            raise refusals.conflict(known.kind, known.group, name, why)
        if dry_run:
            return body
        if resource == CRDS:
            return self._terminate(body)
        if body["metadata"].get("finalizers"):
            if not body["metadata"].get("deletionTimestamp"):
                body["metadata"]["deletionTimestamp"] = times.seconds(self.clock())
                body["metadata"]["deletionGracePeriodSeconds"] = 0
                if body["metadata"].get("generation"):
                    body["metadata"]["generation"] += 1  # to be deleted is something to be reconciled
                self._write(known, (namespace, name), body)
            return body
        self._remove(known, (namespace, name))
        return body

    def _terminate(self, definition: JSON) -> JSON:
        """A definition goes in two steps: it says that it is terminating; then it and its objects are gone."""
        known, name = self._resources[CRDS], definition["metadata"]["name"]
        now = times.seconds(self.clock())
        definition["metadata"] |= {"deletionTimestamp": now, "finalizers": [_CLEANUP]}
        terminating = _condition(
            "Terminating", now, "InstanceDeletionInProgress", "CustomResource deletion is in progress"
        )
        definition["status"]["conditions"].append(terminating)
        self._write(known, ("", name), definition)
        self._undefine(definition)
        self.store.remove(CRDS, ("", name), at=self.clock())
        return definition

    # -- custom resources --------------------------------------------------------------------------------------------

    def _establish(self, definition: JSON) -> None:
        """The status that the API server itself gives a new definition."""
        now = times.seconds(self.clock())
        spec = definition["spec"]
        spec.setdefault("conversion", {"strategy": "None"})
        names = spec["names"]
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
        storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
        definition["status"] = {
            "conditions": [
                _condition("NamesAccepted", now, "NoConflicts", "no conflicts found"),
                _condition("Established", now, "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "acceptedNames": dict(names),
            "storedVersions": (definition.get("status") or {}).get("storedVersions") or [storage],
        }

    def _check_stored_versions(self, old: JSON, new: JSON) -> None:
        """A version that objects may still be stored in cannot be dropped; a new storage version is noted."""
        stored = list(new.get("status", {}).get("storedVersions") or old["status"]["storedVersions"])
        names = [version["name"] for version in new["spec"]["versions"]]
        problems = [
            (f"status.storedVersions[{position}]", _STILL_STORED.format(version=version))
            for position, version in enumerate(stored)
            if version not in names
        ]
        if problems:
            name = new["metadata"]["name"]
            raise refusals.invalid("CustomResourceDefinition", "apiextensions.k8s.io", name, problems)
        storage = next(version["name"] for version in new["spec"]["versions"] if version.get("storage"))
        if storage not in stored:
            stored.append(storage)
        new["status"]["storedVersions"] = stored

    def _define(self, definition: JSON) -> None:
        resource = catalogue.from_definition(definition)
        if resource.key in self._resources:
            table = self.store.table(resource.key)
            self._resources[resource.key] = resource
            table.forget_before(self.store.version + 1)
            self._reset(resource.key)
        self._resources[resource.key] = resource

    def _undefine(self, definition: JSON) -> None:
        key = catalogue.from_definition(definition).key
        known = self._resources.pop(key)
        for namespace, name in list(self.store.table(key).entries):
            self.store.remove(key, (namespace, name), at=self.clock())
        self.store.drop(known.key)
        self._reset(key)

    def _reset(self, key: str) -> None:
        self._reset_at[key] = self.clock()
        for listener in tuple(self._reset_listeners):
            listener(key)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _key(self, known: Resource, metadata: JSON) -> Key:
        return (metadata.get("namespace", "") if known.namespaced else "", metadata["name"])

    def _check_precondition(self, known: Resource, old: JSON, new: JSON) -> None:
        asked = new["metadata"].get("resourceVersion")
        if not asked and not known.unconditional_update:
            problems = [("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")]
            raise refusals.invalid(known.plural, known.group, new["metadata"]["name"], problems)
        if asked and asked != old["metadata"]["resourceVersion"]:
            raise refusals.conflict(known.plural, known.group, new["metadata"]["name"])
        uid = new["metadata"].get("uid")
        if uid and uid != old["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
            raise refusals.conflict(known.plural, known.group, new["metadata"]["name"], why)

    def _write(self, known: Resource, key: Key, body: JSON) -> Event:
        if self._managed_fields:
            managed_fields.add(body, at=self.clock())
        return self.store.write(known.key, key, body, at=self.clock())

    def _remove(self, known: Resource, key: Key) -> None:
        self.store.remove(known.key, key, at=self.clock())


def decode(raw: bytes) -> JSON:
    """A stored object; the caller may change it."""
    body: JSON = msgspec.json.decode(raw)
    return body


def _in_order(body: JSON, known: Resource) -> JSON:
    """The object with its type first, as the store keeps it and lists rely on it."""
    rest = {name: value for name, value in body.items() if name not in {"apiVersion", "kind"}}
    for name in _OPTIONAL:
        if name in rest["metadata"] and not rest["metadata"][name]:
            del rest["metadata"][name]
    return {"apiVersion": known.api_version(known.storage), "kind": known.kind, **rest}


def _content(body: JSON, known: Resource) -> JSON:
    ignored = {"metadata", "apiVersion", "kind"}
    if known.generation is Generation.SPEC:
        ignored |= {"status"}
    return {name: value for name, value in body.items() if name not in ignored}


def _keep_identity(old: JSON, new: JSON) -> None:
    for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp"):
        if name in old["metadata"] and name not in new["metadata"]:
            new["metadata"][name] = old["metadata"][name]
    new["metadata"]["uid"] = old["metadata"]["uid"]
    new["metadata"]["creationTimestamp"] = old["metadata"]["creationTimestamp"]
    if "generation" in old["metadata"]:
        new["metadata"]["generation"] = old["metadata"]["generation"]


def _merge_by_subresource(old: JSON, new: JSON, known: Resource, subresource: str) -> JSON:
    if subresource == "status":
        return {**old, "status": new.get("status"), "metadata": {**old["metadata"]}}
    if known.status_subresource and "status" in old:
        return {**new, "status": old["status"]}
    if known.status_subresource:
        return {name: value for name, value in new.items() if name != "status"}
    return new


def _condition(kind: str, now: str, reason: str, message: str) -> JSON:
    return {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
