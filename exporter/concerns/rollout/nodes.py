"""Nodes with guests whose virt-handler is away: since when, and how old its heartbeat is.

KubeVirt fails guests without a living launcher on a node whose heartbeat is older than 5 min (reference §4.5). There is
a series for a node only while something is wrong there.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from exporter.model import resources
from exporter.model.changes import OF_OBJECTS, Change, ObjectChanged, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Object, Pod, Vmi
from exporter.tracker import components
from exporter.tracker.tracker import View

_HANDLER = "virt-handler"
_HEARTBEAT_OLD = 180.0
"""Seconds: virt-handler sends one every 60 to 132 s."""
_NODES_SHOWN = 100

UNREADY = Family(
    name="nodes_handler_unready", kind=Kind.GAUGE, help="Nodes with guests and without a ready virt-handler."
)
UNREADY_SINCE = Family(
    name="node_handler_unready_since_timestamp_seconds", kind=Kind.GAUGE, labels=("node",),
    help="Since when this node with guests has had no ready virt-handler; only while it has none. The first"
    f" {_NODES_SHOWN} of them.",
)  # fmt: skip
OLD = Family(
    name="nodes_handler_heartbeat_old", kind=Kind.GAUGE,
    help=f"Nodes with guests whose virt-handler's last heartbeat is older than {_HEARTBEAT_OLD:g} s.",
)  # fmt: skip
HEARTBEAT = Family(
    name="node_handler_heartbeat_timestamp_seconds", kind=Kind.GAUGE, labels=("node",),
    help="The last heartbeat of virt-handler on this node with guests; only while it is older than"
    f" {_HEARTBEAT_OLD:g} s or the virt-handler is not ready. The {_NODES_SHOWN} oldest of them.",
)  # fmt: skip

FAMILIES = (UNREADY, UNREADY_SINCE, OLD, HEARTBEAT)


class Nodes:
    """Guests and ready virt-handlers by node."""

    def __init__(self) -> None:
        self._guests: Counter[str] = Counter()
        self._ready: Counter[str] = Counter()
        self._unready: dict[str, float] = {}
        """Nodes with guests and without a ready virt-handler, and since when."""

    def observe(self, change: Change, view: View) -> None:
        """Follow guests and virt-handlers."""
        if not isinstance(change, OF_OBJECTS):
            return
        if change.resource == resources.VMIS:
            counted, node_of = self._guests, _node_of_guest
        elif change.resource == resources.PODS:
            counted, node_of = self._ready, _node_of_handler
        else:
            return
        touched: list[str] = []
        for delta in deltas(change):
            before, after = node_of(delta.old), node_of(delta.new)
            if before != after:
                touched += _move(counted, before, after)
        if not isinstance(change, ObjectChanged):
            touched = [*self._guests, *self._unready]
        if touched and view.sync.known(resources.VMIS) and view.sync.known(resources.PODS):
            self._review(touched, change.at)

    def _review(self, names: Iterable[str], at: float) -> None:
        for node in names:
            if self._guests[node] and not self._ready[node]:
                self._unready.setdefault(node, at)
            else:
                self._unready.pop(node, None)

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`."""
        if not (view.sync.known(resources.VMIS) and view.sync.known(resources.PODS)):
            return
        yield UNREADY(len(self._unready))
        for since, name in heapq.nsmallest(_NODES_SHOWN, ((since, name) for name, since in self._unready.items())):
            yield UNREADY_SINCE(since, node=name)
        if not view.sync.known(resources.NODES):
            return
        too_old = now - _HEARTBEAT_OLD
        wrong = [
            (node.heartbeat, name)
            for name, node in view.nodes.items()
            if node.heartbeat is not None and (node.heartbeat < too_old or name in self._unready) and self._guests[name]
        ]
        yield OLD(sum(1 for heartbeat, _ in wrong if heartbeat < too_old))
        for heartbeat, name in heapq.nsmallest(_NODES_SHOWN, wrong):
            yield HEARTBEAT(heartbeat, node=name)

    def snapshot(self) -> dict[str, float]:
        """Since when; the lists tell the rest again."""
        oldest = heapq.nsmallest(_NODES_SHOWN, ((since, name) for name, since in self._unready.items()))
        return {name: since for since, name in oldest}

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change."""
        self._unready = {str(name): float(since) for name, since in state.items()}


def _move(counted: Counter[str], before: str, after: str) -> list[str]:
    """Count one less and one more, on different nodes; the nodes whose count is another now."""
    if before:
        counted[before] -= 1
        if not counted[before]:
            del counted[before]
    if after:
        counted[after] += 1
    return [node for node in (before, after) if node]


def _node_of_guest(obj: Object | None) -> str:
    """Where a guest is that has not ended."""
    return obj.node if isinstance(obj, Vmi) and obj.phase not in ("Succeeded", "Failed") else ""


def _node_of_handler(obj: Object | None) -> str:
    """Where a virt-handler is that is ready and stays."""
    if not isinstance(obj, Pod) or not obj.ready or obj.deleted is not None:
        return ""
    return obj.node if components.component_of(obj) == _HANDLER else ""
