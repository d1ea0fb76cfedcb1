"""Begins, moves and ends sessions.

Everything is judged from levels (what is), not from edges, so that the order in which streams of different resources
arrive does not matter. The one edge is a new version in virt-operator's pod template: it comes 45 s before the KubeVirt
CR says anything (recordings). Rules: design §3.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from exporter.model.objects import KubeVirt
from exporter.model.report import Phase
from exporter.settings import Thresholds
from exporter.tracker import components as comps, sessions
from exporter.tracker.components import Components
from exporter.tracker.guests import Guests, Outdated
from exporter.tracker.rollouts import Rollouts
from exporter.tracker.sessions import Began, Closed, Ended, Session, Transition


class Lifecycle:
    """The current (or last) session."""

    def __init__(self, thresholds: Thresholds, components: Components, guests: Guests) -> None:
        self._t = thresholds
        self._components = components
        self._guests = guests
        self.rollouts = Rollouts(components, stalled_after=thresholds.stalled_after)
        self.leaders: dict[str, str] = {}
        """Lease name to holder."""
        self._operator_template: tuple[str, str] | None = None
        """Version and image of virt-operator's template when it last counted."""
        self._judged = False
        self._hold_until = float("-inf")

    @property
    def session(self) -> Session | None:
        """The session under way, or the last one."""
        return self.rollouts.session

    @property
    def active(self) -> Session | None:
        """The session, while it is under way."""
        return self.rollouts.active

    @property
    def kubevirt(self) -> KubeVirt | None:
        """The KubeVirt CR."""
        return self.rollouts.kubevirt

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
            yield Began(begun)
        elif self.active is not None and not self.active.deployment_id:
            self._adopt(self.active, kubevirt, at)
        elif self.active is not None and self.active.deployment_id != kubevirt.target_id:
            yield from self._end(Phase.SUPERSEDED, at)  # taken back before anything had moved
        if self.active is not None:
            yield from self._move(self.active, kubevirt, at)

    def close(self, at: float) -> Iterator[Transition]:
        """A person ends the session under way. Nothing begins again before there is another target."""
        if self.active is not None:
            yield from self._end(Phase.CLOSED, at)

    def deadline(self) -> float | None:
        """When something happens by itself."""
        session = self.active
        if session is None:
            return None
        if session.phase is Phase.WORKLOADS and session.workloads_began is not None:
            return session.workloads_began + self._t.workloads_limit
        end = self._settled_at(session) if session.phase is Phase.SETTLING else self._drop_at(session)
        return max(end, self._hold_until) if end is not None else None

    def resumed(self, at: float) -> None:
        """We watch again: a session whose end fell into the blind time waits until that has been judged."""
        self._hold_until = at + self._t.judgement_delay

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
                known = self._closed(kubevirt)
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
            return self._new(operator[0], kubevirt, differing, old_operator, at=at, first=first, deployment_id="")
        if first and current is None and self._operator_rolls():
            component = self._components.get(comps.OPERATOR)
            version = component.differs(component.template) if component is not None else None
            if operator is not None and version is not None and version != operator[0]:
                return self._new(operator[0], kubevirt, version, None, at=at, first=True, deployment_id="")
        return None

    def _closed(self, kubevirt: KubeVirt) -> bool:
        """A person has closed the session with this target."""
        last = self.session
        if last is None or last.phase is not Phase.CLOSED:
            return False
        return kubevirt.target_id == last.deployment_id or (
            not last.deployment_id and kubevirt.target_version == last.to_version
        )

    def _operator_rolls(self) -> bool:
        component = self._components.get(comps.OPERATOR)
        return component is not None and not self.rollouts.standing(component).complete

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
        if first and self.active is None:
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
        self.rollouts.session = session
        self.rollouts.begin()
        self._guests.session_began()
        self.rollouts.follow(self._components, at)

    def _adopt(self, session: Session, kubevirt: KubeVirt, at: float) -> None:
        """The CR now names the target that virt-operator's new template announced."""
        if kubevirt.target_id == session.base_id or kubevirt.target_version != session.to_version:
            return
        self.rollouts.session = msgspec.structs.replace(session, deployment_id=kubevirt.target_id, retargeted=at)
        self.rollouts.follow(self._components, at)

    # Moving -----------------------------------------------------------------------------------------------------------

    def _move(self, session: Session, kubevirt: KubeVirt, at: float) -> Iterator[Transition]:
        changes: dict[str, Any] = {}
        managed = [c for c in self._components if c.name != comps.OPERATOR]
        complete = bool(managed) and all(self.rollouts.standing(c).complete for c in self._components)
        if session.deployment_id:
            reached = kubevirt.observed_id == session.deployment_id and kubevirt.observed_version == session.to_version
            if session.reported is None and reached:
                changes["reported"] = at
            if session.observed is None and complete and self._led_by_target():
                changes["observed"] = at
            if (
                session.observed is not None
                and not session.relapsed
                and any(self.rollouts.standing(c).old for c in managed)
            ):
                changes["relapsed"] = True
            if session.control_plane_at is None and any(self.rollouts.standing(c).template for c in managed):
                changes["control_plane_at"] = at
        changes |= self._size(session)
        progress = max(session.progress, self.rollouts.progress())
        if progress != session.progress:
            changes["progress"] = progress
        if changes:
            session = msgspec.structs.replace(session, **changes)
        session = self._phase(session, at)
        self.rollouts.session = session
        if at < self._hold_until:
            return
        if session.phase is Phase.SETTLING and at >= self._settled_at(session):
            yield from self._end(Phase.COMPLETED, self._settled_at(session))
        elif (drop := self._drop_at(session)) is not None and at >= drop:
            yield from self._end(Phase.DROPPED, drop)

    def _size(self, session: Session) -> dict[str, Any]:
        """How large the rollout of virt-handler is, where that was not known yet: its time is measured by it."""
        handler = self._components.get(comps.HANDLER)
        if handler is None or handler.workload is None:
            return {}
        nodes = max(session.handler_nodes, handler.workload.desired or 0)
        grace = max(session.handler_grace, handler.workload.grace or 0.0)
        if (nodes, grace) == (session.handler_nodes, session.handler_grace):
            return {}
        return {"handler_nodes": nodes, "handler_grace": grace}

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
        return self._guests.outdated(self._components.launcher_image(), methods)

    def _led_by_target(self) -> bool:
        """Each lease we know is held by a pod at the target."""
        for name, holder in self.leaders.items():
            component = self._components.get(name)
            if component is None or component.workload is None:
                continue
            # KubeVirt's identities are pod names; controllers made with controller-runtime append `_` and a UUID.
            pod = component.pods.get(f"{component.workload.namespace}/{holder.partition('_')[0]}")
            if pod is None or comps.origin_of_pod(pod) != self.rollouts.target(component):
                return False
        return True

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
        rollout = self.rollouts.by_component.get(comps.OPERATOR)
        if rollout is None or rollout.completed is None:
            return None
        return rollout.completed + self._t.operator_only_after

    def _end(self, phase: Phase, at: float) -> Iterator[Transition]:
        if self.session is not None:
            self.rollouts.session = ended = msgspec.structs.replace(self.session, phase=phase, ended=at)
            yield Ended(ended)

    # Restarts --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Session, rollouts and the operator's template; bounded by the number of components."""
        return sessions.to_state(self.session, self.rollouts.by_component) | {
            "operator": self._operator_template,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Before any change. What begins before we first look again has begun unseen."""
        self.rollouts.session, self.rollouts.by_component = sessions.from_state(state)
        self._operator_template = msgspec.convert(state["operator"], tuple[str, str] | None)
