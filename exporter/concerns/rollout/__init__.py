"""Rollout: how far, how fast, stuck where.

Progress of a component is judged from its workload and pods, never from the KubeVirt CR alone (design §2). Families
named `session_...` keep the last session's values until the next begins; the others are of now, session or not.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.concerns.rollout import leftovers, nodes
from exporter.concerns.rollout.leftovers import Leftovers
from exporter.concerns.rollout.nodes import Nodes
from exporter.model import resources
from exporter.model.changes import OF_OBJECTS, Change, ListReplaced, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Pod
from exporter.model.report import ComponentReport
from exporter.tracker import components
from exporter.tracker.components import Component, Standing
from exporter.tracker.sessions import Began, Rollout as TrackedRollout, Transition
from exporter.tracker.tracker import View

_STATES = ("pending", "rolling", "done", "stalled")
_STAGES = ("pending", "canary", "bulk", "done")
_REASONS = (
    "ContainerCreating", "PodInitializing", "ImagePullBackOff", "ErrImagePull", "CrashLoopBackOff",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "other",
)  # fmt: skip
_HANDLER = "virt-handler"
_MOVING = frozenset({resources.KUBEVIRTS, resources.DEPLOYMENTS, resources.DAEMONSETS, resources.PODS})

REPLICAS = Family(
    name="component_replicas", kind=Kind.GAUGE, labels=("component", "state"),
    help="Pods of each component: desired, updated (at the target), ready (at the target and ready), old (not at the"
    " target).",
)  # fmt: skip
WAITING = Family(
    name="component_waiting_pods", kind=Kind.GAUGE, labels=("component", "reason"),
    help="Pods at the target that have a container waiting, by reason.",
)  # fmt: skip
PROGRESS = Family(
    name="session_progress_ratio", kind=Kind.GAUGE,
    help="Pods at the target and ready by pods desired, over all components; it never goes back in a session.",
)  # fmt: skip
COMPONENT_PROGRESS = Family(
    name="session_component_progress_ratio", kind=Kind.GAUGE, labels=("component",),
    help="The same for each component.",
)  # fmt: skip
STATE = Family(
    name="session_component_state", kind=Kind.STATESET, labels=("component", "state"), states=_STATES,
    help="Part of each component in the session: waiting for its turn, rolling, done, or stalled (it is its turn, and"
    " nothing has moved for too long).",
)  # fmt: skip
STALLED = Family(
    name="session_component_stalled", kind=Kind.GAUGE, labels=("component",), help="1 while the component is stalled."
)
MOVED = Family(
    name="session_component_last_progress_timestamp_seconds", kind=Kind.GAUGE, labels=("component",),
    help="When a pod at the target was last created, started or became ready, or an old one went.",
)  # fmt: skip
STAGE = Family(
    name="session_handler_stage", kind=Kind.STATESET, labels=("stage",), states=_STAGES,
    help="Where virt-handler's rollout is: not begun, on its first node (canary), on the others (bulk), or done.",
)  # fmt: skip
RESTARTS = Family(
    name="session_component_restarts", kind=Kind.GAUGE, labels=("component",),
    help="Container restarts of pods at the target in the session.",
)  # fmt: skip
OUT_OF_ORDER = Family(
    name="session_rollouts_out_of_order", kind=Kind.GAUGE,
    help="Pairs of components of which the later one was rolled out first, against KubeVirt's order.",
)  # fmt: skip

FAMILIES = (
    REPLICAS, WAITING, PROGRESS, COMPONENT_PROGRESS, STATE, STALLED, MOVED, STAGE, RESTARTS, OUT_OF_ORDER,
    *leftovers.FAMILIES, *nodes.FAMILIES,
)  # fmt: skip


class _Row(msgspec.Struct, frozen=True):
    """A component in the session, as it last was there. None where it is not known."""

    desired: int | None
    updated: int | None
    ready: int | None
    old: int | None
    begun: bool
    """Its template or a pod of it is at the target."""
    complete: bool
    progress: float | None
    """The best so far."""


class Rollout:
    """The concern."""

    name = "rollout"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._stage: str | None = None
        self._waiting: dict[str, Counter[tuple[str, str]]] = {}
        """Waiting pods of each component by what they were made from and by reason."""
        self._leftovers = Leftovers()
        self._nodes = Nodes()

    def session(self, transition: Transition, view: View) -> None:
        """Rows begin anew; when a session ends they are as the last change within it left them."""
        if isinstance(transition, Began):
            self._rows, self._stage = {}, None
            self._update(view)

    # Taking in -------------------------------------------------------------------------------------------------------

    def observe(self, change: Change, view: View) -> None:
        """Count; while a session lasts, see where the components stand."""
        if not isinstance(change, OF_OBJECTS):
            return
        self._nodes.observe(change, view)
        self._leftovers.observe(change)
        if change.resource == resources.PODS:
            for delta in deltas(change):
                self._count_waiting(delta.old, -1)
                self._count_waiting(delta.new, +1)
        if change.resource in _MOVING or isinstance(change, ListReplaced):
            self._update(view)

    def _count_waiting(self, pod: object, step: int) -> None:
        if not isinstance(pod, Pod) or not pod.waiting or pod.deleted is not None:
            return
        name = components.component_of(pod)
        if name is None:
            return
        counts = self._waiting.setdefault(name, Counter())
        key = components.origin_of_pod(pod), pod.waiting if pod.waiting in _REASONS else "other"
        counts[key] += step
        if not counts[key]:
            del counts[key]

    def _update(self, view: View) -> None:
        """Only while a session is under way and all that decides is listed; a part of the lists would mislead."""
        if not view.active or not view.sync.ready:
            return
        known = view.sync.known(resources.PODS)
        rows: dict[str, _Row] = {}
        for component in view.components:
            standing = view.rollouts.standing(component)
            before = self._rows.get(component.name)
            progress = _progress(standing) if known else None
            if before is not None and before.progress is not None:
                progress = max(before.progress, progress or 0.0)
            rows[component.name] = _Row(
                desired=standing.desired,
                updated=standing.updated if known else None,
                ready=standing.ready if known else None,
                old=standing.old if known else None,
                begun=standing.template or standing.updated > 0,
                complete=standing.complete,
                progress=progress,
            )
            if component.name == _HANDLER and known:
                stage = _stage(component, standing)
                self._stage = max(self._stage or stage, stage, key=_STAGES.index)
        self._rows = rows

    # Showing ---------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """None: stalls and old heartbeats are judged when read."""
        return None

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`."""
        for component in sorted(view.components, key=lambda c: c.name):
            yield from self._component(component, view)
        yield from self._session(now, view)
        yield from self._leftovers.samples(view)
        yield from self._nodes.samples(now, view)

    def _component(self, component: Component, view: View) -> Iterator[Sample]:
        if component.workload is not None and component.workload.desired is not None:
            yield REPLICAS(component.workload.desired, component=component.name, state="desired")
        target = view.rollouts.target(component)
        if not target or not view.sync.known(resources.PODS):
            return
        standing = component.standing(target)
        yield REPLICAS(standing.updated, component=component.name, state="updated")
        yield REPLICAS(standing.ready, component=component.name, state="ready")
        yield REPLICAS(standing.old, component=component.name, state="old")
        waiting: Counter[str] = Counter()
        for (origin, reason), count in self._waiting.get(component.name, Counter()).items():
            if origin == target:
                waiting[reason] += count
        yield from WAITING.counts(waiting, initial=_REASONS, component=component.name)

    def _session(self, now: float, view: View) -> Iterator[Sample]:
        session = view.session
        if session is None:
            return
        yield PROGRESS(session.progress)
        if view.sync.ready:
            yield OUT_OF_ORDER(len(view.rollouts.out_of_order(session)))
        yield from STAGE.state(self._stage)
        stalled = view.rollouts.stalled(now) if view.sync.ready else ()
        for name, row in sorted(self._rows.items()):
            rollout = view.rollouts.by_component.get(name) or TrackedRollout()
            if row.progress is not None:
                yield COMPONENT_PROGRESS(row.progress, component=name)
            yield from STATE.state(_state(row, rollout, stalled=name in stalled), component=name)
            if view.sync.ready:
                yield STALLED(name in stalled, component=name)
            yield RESTARTS(rollout.restarts, component=name)
            if rollout.progressed is not None:
                yield MOVED(rollout.progressed, component=name)

    def report(self, now: float, view: View) -> tuple[ComponentReport, ...]:
        """Every component of the session, in the order in which KubeVirt rolls them out."""
        session = view.session
        if session is None:
            return ()
        ordered = sorted(self._rows, key=lambda name: (components.rank(name, update=session.update_path), name))
        parts = []
        for name in ordered:
            row, rollout = self._rows[name], view.rollouts.by_component.get(name) or TrackedRollout()
            part = ComponentReport(
                name=name,
                from_version=rollout.from_version or None,
                to_version=rollout.to_version or None,
                started_at=rollout.started,
                completed_at=rollout.completed,
                desired=row.desired,
                updated=row.updated,
                ready=row.ready,
                restarts=rollout.restarts,
            )
            parts.append(part)
        return tuple(parts)

    # Restarts --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The session's rows, and since when nodes are without a virt-handler; the lists tell the rest again."""
        return {"rows": msgspec.to_builtins(self._rows), "stage": self._stage, "nodes": self._nodes.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change."""
        self._rows = msgspec.convert(state["rows"], dict[str, _Row])
        self._stage = msgspec.convert(state["stage"], str | None)
        self._nodes.restore(state["nodes"])


def _progress(standing: Standing) -> float | None:
    if standing.desired is None:
        return None
    return min(standing.ready, standing.desired) / standing.desired if standing.desired else float(standing.complete)


def _stage(handler: Component, standing: Standing) -> str:
    """KubeVirt raises maxUnavailable for the bulk; pods decide, since it also does so without any rollout."""
    if standing.complete:
        return "done"
    if not standing.template and not standing.updated:
        return "pending"
    limit = handler.workload.max_unavailable if handler.workload is not None else ""
    canary = standing.ready == 0 or (standing.ready == 1 and limit in ("", "1"))
    return "canary" if canary else "bulk"


def _state(row: _Row, rollout: TrackedRollout, *, stalled: bool) -> str:
    if row.complete or rollout.completed is not None:
        return "done"
    if stalled:
        return "stalled"
    return "rolling" if row.begun else "pending"
