"""Begins, moves and ends sessions, and follows each component's rollout in them.

Everything is judged from levels (what is), not from edges, so that the order in which streams of different resources
arrive does not matter. The one edge is a new version in virt-operator's pod template: it comes 45 s before the KubeVirt
CR says anything (recordings). Rules: design §3.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from exporter.model.objects import KubeVirt, Pod
from exporter.model.report import Phase
from exporter.settings import Thresholds
from exporter.tracker import components as comps, sessions
from exporter.tracker.components import Component, Components, Standing
from exporter.tracker.guests import Guests, Outdated
from exporter.tracker.sessions import Began, Closed, Ended, Rollout, Session, Transition


class Lifecycle:
    """The current (or last) session and its rollouts."""

    def __init__(self, thresholds: Thresholds, components: Components, guests: Guests) -> None:
        self._t = thresholds
        self._components = components
        self._guests = guests
        self.session: Session | None = None
        self.rollouts: dict[str, Rollout] = {}
        self.kubevirt: KubeVirt | None = None
        self.leaders: dict[str, str] = {}
        """Lease name to holder."""
        self._operator_template: tuple[str, str] | None = None
        """Version and image of virt-operator's template when it last counted."""
        self._judged = False

    # Reading ---------------------------------------------------------------------------------------------------------

    @property
    def active(self) -> Session | None:
        """The session that is under way."""
        return self.session if self.session is not None and not self.session.over else None

    def target(self, component: Component) -> str:
        """What the component's pods should be made from: in a session its target, else the CR's."""
        if component.name == comps.OPERATOR:
            return component.template
        if self.session is not None and self.active is not None:
            return self.session.deployment_id or "\0unknown"
        return self.kubevirt.target_id if self.kubevirt is not None else ""

    def standing(self, component: Component) -> Standing:
        """Where the component stands against its target."""
        return component.standing(self.target(component))

    def launcher_image(self) -> str:
        """What virt-controller would start now; empty where it is not known."""
        controller = self._components.get("virt-controller")
        return controller.workload.launcher_image if controller is not None and controller.workload is not None else ""

    def turn(self) -> Component | None:
        """The component whose turn it is: the first in order that is not complete."""
        session = self.active
        if session is None or session.observed is not None:
            return None
        for component in self._components.ordered(update=session.update_path):
            if not self.standing(component).complete:
                return component if self._follows(component, session) else None
        return None

    def _follows(self, component: Component, session: Session) -> bool:
        """With spec.imageTag set, a new virt-operator alone obliges nobody to follow."""
        pinned = self.kubevirt is not None and bool(self.kubevirt.image_tag)
        return component.name == comps.OPERATOR or bool(session.deployment_id) or not pinned

    def pause(self, component: Component, now: float, *, went: Pod | None = None) -> float:
        """Seconds since the component whose turn it is made progress; an old pod within its own grace stops the clock.

        `went` is a pod that has just gone and is not in the table any more.
        """
        session = self.active
        if session is None:
            return 0.0
        since = self._last_progress(component, session)
        if went is not None and went.deleted is not None:
            since = max(since, min(now, went.deleted))
        target = self.target(component)
        for key, until in component.terminating.items():
            if comps.origin_of_pod(component.pods[key]) != target:
                since = max(since, min(now, until))
        return max(0.0, now - since)

    def stalled(self, now: float) -> tuple[str, ...]:
        """Names of stalled components (at most one can have its turn)."""
        component = self.turn()
        if component is None or self.pause(component, now) < self._t.stalled_after:
            return ()
        return (component.name,)

    def longest_pause(self, now: float) -> float:
        """Longest time without progress of a component that had its turn, so far."""
        longest = max((r.longest_pause for r in self.rollouts.values()), default=0.0)
        component = self.turn()
        return longest if component is None else max(longest, self.pause(component, now))

    def _last_progress(self, component: Component, session: Session) -> float:
        """Its own last progress, or what gave it its turn: the end of the one before it, or the target's arrival."""
        times = [session.started]
        if session.retargeted is not None:
            times.append(session.retargeted)
        times.extend(max(r.progressed or 0.0, r.completed or 0.0) for r in self.rollouts.values())
        own = self.rollouts.get(component.name)
        if own is not None and own.started is not None:
            times.append(own.started)
        return max(times)

    def out_of_order(self, session: Session) -> list[tuple[str, str]]:
        """Pairs (early, late): the rollout of `early` began although `late`, which comes before it, had not."""
        found: list[tuple[str, str]] = []
        ordered = [c for c in self._components.ordered(update=session.update_path) if c.name != comps.OPERATOR]
        for index, component in enumerate(ordered):
            mine = self.rollouts.get(component.name)
            if mine is None or mine.started is None:
                continue
            for before in ordered[:index]:
                theirs = self.rollouts.get(before.name)
                if theirs is None or not theirs.took_part or theirs.before_us:
                    continue
                if theirs.started is None or theirs.started > mine.started + _SAME_TIME:
                    found.append((component.name, before.name))
        return found

    # Folding ---------------------------------------------------------------------------------------------------------

    def follow(self, components: Iterable[Component], at: float) -> None:
        """After their workloads changed, or everything was listed again."""
        for component in components:
            self._follow(component, at)

    def pod_changed(self, component: Component, old: Pod | None, new: Pod | None, at: float) -> None:
        """After the table took it in: note progress and restarts."""
        if self.active is None:
            return
        rollout = self._rollout(component)
        target = self.target(component)
        if new is not None and comps.origin_of_pod(new) == target:
            before = old if old is not None and old.uid == new.uid else None
            rollout.restarts += max(0, new.restarts - (before.restarts if before is not None else 0))
            started = before is None or (new.phase == "Running" and before.phase != "Running")
            if started or (new.ready and not (before is not None and before.ready)):
                self._progress(component, rollout, at)
        went = old is not None and (new is None or new.uid != old.uid) and comps.origin_of_pod(old) != target
        if went:
            self._progress(component, rollout, at, went=old)
        self._follow(component, at)

    def judge(self, at: float) -> Iterator[Transition]:
        """After any change that may matter, once every deciding resource is known: begin, move, end."""
        kubevirt = self.kubevirt
        first, self._judged = not self._judged, True
        old_operator, operator = self._operator_template, self._operator_now()
        if operator is not None:
            self._operator_template = operator
        if kubevirt is None or not kubevirt.observed_id:
            return
        begun = self._begin(kubevirt, old_operator, operator, at=at, first=first)
        if begun is not None:
            if self.active is not None:
                yield from self._end(Phase.SUPERSEDED, at)
            if self.session is not None:
                yield Closed(self.session)
            self._start(begun, at)
            assert self.session is not None  # noqa: S101 - tells the type checker what _start has just done
            yield Began(self.session)
        elif self.active is not None and not self.active.deployment_id:
            self._adopt(self.active, kubevirt, at)
        elif self.active is not None and self.active.deployment_id != kubevirt.target_id:
            yield from self._end(Phase.SUPERSEDED, at)  # taken back before anything had moved
        if self.active is not None:
            yield from self._move(self.active, kubevirt, at)

    def deadline(self) -> float | None:
        """When something happens by itself."""
        session = self.active
        if session is None:
            return None
        if session.phase is Phase.SETTLING:
            return self._settled_at(session)
        if session.phase is Phase.WORKLOADS and session.workloads_began is not None:
            return session.workloads_began + self._t.workloads_limit
        return self._drop_at(session)

    # Beginning -------------------------------------------------------------------------------------------------------

    def _operator_now(self) -> tuple[str, str] | None:
        component = self._components.get(comps.OPERATOR)
        if component is None or component.workload is None:
            return None
        version = component.workload.version
        if not version and self.kubevirt is not None:
            version = self.kubevirt.operator_version
        return version, component.workload.image

    def _begin(
        self,
        kubevirt: KubeVirt,
        old_operator: tuple[str, str] | None,
        operator: tuple[str, str] | None,
        *,
        at: float,
        first: bool,
    ) -> Session | None:
        """A new session, or None where nothing new is under way."""
        current = self.active
        differing = self._differing(kubevirt.target_id)
        under_way = kubevirt.target_id != kubevirt.observed_id or differing is not None
        if under_way:
            if current is None:
                known = False
            elif current.deployment_id:
                known = current.deployment_id == kubevirt.target_id
            else:
                known = kubevirt.target_id == current.base_id or kubevirt.target_version == current.to_version
            if not known:
                return self._new(
                    kubevirt.target_version, kubevirt, differing, old_operator, at=at, first=first,
                    deployment_id=kubevirt.target_id,
                )  # fmt: skip
        moved = operator is not None and old_operator is not None and operator[0] != old_operator[0]
        if moved and operator is not None and not (current is not None and current.to_version == operator[0]):
            return self._new(operator[0], kubevirt, differing, old_operator, at=at, first=False, deployment_id="")
        if first and current is None and self._operator_rolls():
            component = self._components.get(comps.OPERATOR)
            version = component.differs(component.template) if component is not None else None
            if operator is not None and version is not None and version != operator[0]:
                return self._new(operator[0], kubevirt, version, None, at=at, first=True, deployment_id="")
        return None

    def _operator_rolls(self) -> bool:
        component = self._components.get(comps.OPERATOR)
        return component is not None and not self.standing(component).complete

    def _differing(self, target: str) -> str | None:
        """A version seen on a managed component that is not at the target."""
        for component in self._components.ordered(update=True):
            if component.name != comps.OPERATOR and (version := component.differs(target)) is not None:
                return version
        return None

    def _new(
        self,
        to_version: str,
        kubevirt: KubeVirt,
        differing: str | None,
        old_operator: tuple[str, str] | None,
        *,
        at: float,
        first: bool,
        deployment_id: str,
    ) -> Session:
        candidates = [kubevirt.observed_version, differing or "", old_operator[0] if old_operator is not None else ""]
        if self.active is not None:
            candidates.append(self.active.to_version)
        from_version = next((v for v in candidates if v and v != to_version), to_version)
        started = at
        if first:
            progressing = kubevirt.condition("Progressing")
            if progressing is not None and progressing.status == "True" and progressing.since is not None:
                started = min(at, progressing.since)
        return Session(
            from_version=from_version,
            to_version=to_version,
            kind=sessions.kind_of(from_version, to_version),
            started=started,
            deployment_id=deployment_id,
            base_id=kubevirt.target_id,
            seen_start=not first,
            retargeted=at if deployment_id else None,
        )

    def _start(self, session: Session, at: float) -> None:
        self.session = session
        self.rollouts = {}
        self._guests.session_began()
        for component in self._components:
            self._follow(component, at)

    def _adopt(self, session: Session, kubevirt: KubeVirt, at: float) -> None:
        """The CR now names the target that virt-operator's new template announced."""
        if kubevirt.target_id == session.base_id or kubevirt.target_version != session.to_version:
            return
        self.session = msgspec.structs.replace(session, deployment_id=kubevirt.target_id, retargeted=at)
        for component in self._components:
            self._follow(component, at)

    # Moving ----------------------------------------------------------------------------------------------------------

    def _rollout(self, component: Component) -> Rollout:
        return self.rollouts.setdefault(component.name, Rollout())

    def _progress(self, component: Component, rollout: Rollout, at: float, *, went: Pod | None = None) -> None:
        if self.turn() is component:
            rollout.longest_pause = max(rollout.longest_pause, self.pause(component, at, went=went))
        rollout.progressed = at

    def _follow(self, component: Component, at: float) -> None:
        """Start, completion and versions of a component's rollout."""
        session = self.active
        if session is None or component.workload is None:
            return
        rollout = self._rollout(component)
        standing = self.standing(component)
        if not rollout.from_version:
            before = component.workload.version if session.seen_start else session.from_version
            rollout.from_version = component.differs(self.target(component)) or before
            rollout.before_us = standing.template and not session.seen_start
        to_version = component.workload.version if component.name == comps.OPERATOR else session.to_version
        if not rollout.to_version or to_version == session.to_version:  # else it moves on, into the next session
            rollout.to_version = to_version
        if not standing.complete:
            rollout.took_part = True
        if not rollout.took_part:
            return
        if rollout.started is None and standing.template and not rollout.before_us:
            rollout.started = at
        if rollout.completed is None and standing.complete:
            rollout.completed = at

    def _move(self, session: Session, kubevirt: KubeVirt, at: float) -> Iterator[Transition]:
        changes: dict[str, Any] = {}
        managed = [c for c in self._components if c.name != comps.OPERATOR]
        complete = bool(managed) and all(self.standing(c).complete for c in self._components)
        if session.deployment_id:
            reached = kubevirt.observed_id == session.deployment_id and kubevirt.observed_version == session.to_version
            if session.reported is None and reached:
                changes["reported"] = at
            if session.observed is None and complete and self._led_by_target():
                changes["observed"] = at
            if session.observed is not None and not session.relapsed and any(self.standing(c).old for c in managed):
                changes["relapsed"] = True
            if session.control_plane_at is None and any(self.standing(c).template for c in managed):
                changes["control_plane_at"] = at
        progress = max(session.progress, self._progress_now())
        if progress != session.progress:
            changes["progress"] = progress
        if changes:
            session = msgspec.structs.replace(session, **changes)
        session = self._phase(session, at)
        self.session = session
        if session.phase is Phase.SETTLING and at >= self._settled_at(session):
            yield from self._end(Phase.COMPLETED, self._settled_at(session))
        elif (drop := self._drop_at(session)) is not None and at >= drop:
            yield from self._end(Phase.DROPPED, drop)

    def _phase(self, session: Session, at: float) -> Session:
        replace = msgspec.structs.replace
        if session.phase is Phase.PREPARING and session.control_plane_at is not None:
            session = replace(session, phase=Phase.CONTROL_PLANE)
        finished = session.observed is not None and session.reported is not None
        if session.phase is Phase.CONTROL_PLANE and finished:
            session = replace(session, phase=Phase.WORKLOADS, workloads_began=at)
        if session.phase is Phase.WORKLOADS:
            outdated = self._outdated()
            if outdated is not None and outdated.waiting == 0:
                session = replace(session, phase=Phase.SETTLING, workloads=at)
            elif at >= (session.workloads_began or at) + self._t.workloads_limit:
                session = replace(session, phase=Phase.SETTLING)
        return session

    def _outdated(self) -> Outdated | None:
        methods = self.kubevirt.update_methods if self.kubevirt is not None else ()
        return self._guests.outdated(self.launcher_image(), methods)

    def _led_by_target(self) -> bool:
        """Each lease we know is held by a pod at the target."""
        for name, holder in self.leaders.items():
            component = self._components.get(name)
            if component is None or component.workload is None:
                continue
            pod = component.pods.get(f"{component.workload.namespace}/{holder}")
            if pod is None or comps.origin_of_pod(pod) != self.target(component):
                return False
        return True

    def _progress_now(self) -> float:
        desired = ready = 0
        for component in self._components:
            if component.name == comps.OPERATOR and not self._rollout(component).took_part:
                continue
            standing = self.standing(component)
            if standing.desired is None:
                continue
            desired += standing.desired
            ready += min(standing.ready, standing.desired)
        return ready / desired if desired else 0.0

    def _settled_at(self, session: Session) -> float:
        if session.workloads is not None:
            return session.workloads + self._t.settling
        return (session.workloads_began or session.started) + self._t.workloads_limit + self._t.settling

    def _drop_at(self, session: Session) -> float | None:
        """When a session that only virt-operator took part in is dropped; None where it is not that."""
        kubevirt = self.kubevirt
        if session.deployment_id or kubevirt is None or kubevirt.target_id != kubevirt.observed_id:
            return None
        if self._differing(kubevirt.target_id) is not None:
            return None
        rollout = self.rollouts.get(comps.OPERATOR)
        if rollout is None or rollout.completed is None:
            return None
        return rollout.completed + self._t.operator_only_after

    def _end(self, phase: Phase, at: float) -> Iterator[Transition]:
        if self.session is None:
            return
        self.session = msgspec.structs.replace(self.session, phase=phase, ended=at)
        yield Ended(self.session)

    # Restarts --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Session, rollouts and the operator's template; bounded by the number of components."""
        return sessions.to_state(self.session, self.rollouts) | {
            "operator": self._operator_template,
            "judged": self._judged,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change."""
        self.session, self.rollouts = sessions.from_state(state)
        self._operator_template = tuple(state["operator"]) if state["operator"] is not None else None
        self._judged = bool(state["judged"])


_SAME_TIME = 5.0
"""Streams of different resources are not ordered against each other within this many seconds (design §1)."""
