"""The last known objects of one resource, and the changes that lead from one state to the next.

Pure: the reflector and the replay of recordings both feed it. It drops what changes nothing we use.
"""

from collections.abc import Iterable

from exporter.model.changes import ListReplaced, ObjectChanged
from exporter.model.objects import Object


class Store:
    """Objects of one resource by key."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self._objects: dict[str, Object] = {}
        self._listed = False

    def __len__(self) -> int:
        return len(self._objects)

    def keys(self) -> frozenset[str]:
        """All keys."""
        return frozenset(self._objects)

    def upsert(self, obj: Object, *, at: float) -> ObjectChanged | None:
        """Take an ADDED or MODIFIED event; None where nothing we use is different."""
        old = self._objects.get(obj.key)
        if old == obj:
            return None
        self._objects[obj.key] = obj
        return ObjectChanged(at=at, resource=self.resource, old=old, new=obj)

    def delete(self, key: str, *, at: float) -> ObjectChanged | None:
        """Take a DELETED event; None where the object was not known."""
        old = self._objects.pop(key, None)
        if old is None:
            return None
        return ObjectChanged(at=at, resource=self.resource, old=old, new=None)

    def replace(self, objects: Iterable[Object], *, at: float, keep: frozenset[str] = frozenset()) -> ListReplaced:
        """Take a complete list. `keep`: keys that were in it but could not be decoded; their last state stays."""
        before = self._objects
        after: dict[str, Object] = {}
        added: list[Object] = []
        changed: list[tuple[Object, Object]] = []
        for obj in objects:
            old = before.get(obj.key)
            if old == obj:
                after[obj.key] = old
                continue
            after[obj.key] = obj
            if old is None:
                added.append(obj)
            else:
                changed.append((old, obj))
        removed: list[Object] = []
        for key, old in before.items():
            if key in after:
                continue
            if key in keep:
                after[key] = old
            else:
                removed.append(old)
        self._objects = after
        initial, self._listed = not self._listed, True
        return ListReplaced(
            at=at,
            resource=self.resource,
            added=tuple(added),
            changed=tuple(changed),
            removed=tuple(removed),
            initial=initial,
        )
