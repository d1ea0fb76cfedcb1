"""Each component's rollout in the session under way: its target, standing, turn, progress and pauses.

Which session that is, `exporter.tracker.lifecycle` decides.
"""

from collections.abc import Iterable

from exporter.model.objects import KubeVirt, Pod
from exporter.tracker import components as comps
from exporter.tracker.components import Component, Components, Standing
from exporter.tracker.sessions import Rollout, Session

_NO_TARGET = "\0"
"""No pod is made from this: while the target is not known, nothing is at it."""
_SAME_TIME = 5.0
"""Streams of different resources are not ordered against each other within this many seconds (design §1)."""


class Rollouts:
    """Rollouts by component, of `session`."""

    def __init__(self, components: Components, *, stalled_after: float) -> None:
        self._components = components
        self._stalled_after = stalled_after
        self.session: Session | None = None
        self.kubevirt: KubeVirt | None = None
        self.by_component: dict[str, Rollout] = {}

    @property
    def active(self) -> Session | None:
        """The session, while it is under way."""
        return self.session if self.session is not None and not self.session.over else None

    # Reading ---------------------------------------------------------------------------------------------------------

    def target(self, component: Component) -> str:
        """What the component's pods should be made from: in a session its target, else the CR's."""
        if component.name == comps.OPERATOR:
            return component.template
        if (session := self.active) is not None:
            return session.deployment_id or _NO_TARGET
        return self.kubevirt.target_id if self.kubevirt is not None else ""

    def standing(self, component: Component) -> Standing:
        """Where the component stands against its target."""
        return component.standing(self.target(component))

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

    def _last_progress(self, component: Component, session: Session) -> float:
        """Its own last progress, or what gave it its turn: the end of the one before it, or the target's arrival."""
        times = [session.started]
        if session.retargeted is not None:
            times.append(session.retargeted)
        times.extend(max(r.progressed or 0.0, r.completed or 0.0) for r in self.by_component.values())
        own = self.by_component.get(component.name)
        if own is not None and own.started is not None:
            times.append(own.started)
        return max(times)

    def stalled(self, now: float) -> tuple[str, ...]:
        """Names of stalled components (at most one can have its turn)."""
        component = self.turn()
        if component is None or self.pause(component, now) < self._stalled_after:
            return ()
        return (component.name,)

    def longest_pause(self, now: float) -> float:
        """Longest time without progress of a component that had its turn, so far."""
        longest = max((r.longest_pause for r in self.by_component.values()), default=0.0)
        component = self.turn()
        return longest if component is None else max(longest, self.pause(component, now))

    def progress(self) -> float:
        """Pods at the target and ready, of those desired; virt-operator counts where it takes part."""
        desired = ready = 0
        for component in self._components:
            if component.name == comps.OPERATOR and not self.of(component).took_part:
                continue
            standing = self.standing(component)
            if standing.desired is not None:
                desired += standing.desired
                ready += min(standing.ready, standing.desired)
        return ready / desired if desired else 0.0

    def out_of_order(self, session: Session) -> list[tuple[str, str]]:
        """Pairs (early, late): the rollout of `early` began although `late`, which comes before it, had not."""
        found: list[tuple[str, str]] = []
        ordered = [c for c in self._components.ordered(update=session.update_path) if c.name != comps.OPERATOR]
        for index, component in enumerate(ordered):
            mine = self.by_component.get(component.name)
            if mine is None or mine.started is None:
                continue
            for before in ordered[:index]:
                theirs = self.by_component.get(before.name)
                if theirs is None or not theirs.took_part or theirs.before_us:
                    continue
                if theirs.started is None or theirs.started > mine.started + _SAME_TIME:
                    found.append((component.name, before.name))
        return found

    # Folding ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A session begins: every component's rollout anew."""
        self.by_component = {}

    def of(self, component: Component) -> Rollout:
        """The component's rollout."""
        return self.by_component.setdefault(component.name, Rollout())

    def pod_changed(self, component: Component, old: Pod | None, new: Pod | None, at: float) -> None:
        """After the table took it in: note progress and restarts."""
        if self.active is None:
            return
        rollout = self.of(component)
        target = self.target(component)
        if new is not None and comps.origin_of_pod(new) == target:
            before = old if old is not None and old.uid == new.uid else None
            rollout.restarts += max(0, new.restarts - (before.restarts if before is not None else 0))
            started = before is None or (new.phase == "Running" and before.phase != "Running")
            if started or (new.ready and not (before is not None and before.ready)):
                self._progressed(component, rollout, at)
        went = old is not None and (new is None or new.uid != old.uid) and comps.origin_of_pod(old) != target
        if went:
            self._progressed(component, rollout, at, went=old)
        self.follow((component,), at)

    def _progressed(self, component: Component, rollout: Rollout, at: float, *, went: Pod | None = None) -> None:
        if self.turn() is component:
            rollout.longest_pause = max(rollout.longest_pause, self.pause(component, at, went=went))
        rollout.progressed = at

    def follow(self, components: Iterable[Component], at: float) -> None:
        """Start, completion and versions, after workloads or pods changed or everything was listed again."""
        if (session := self.active) is not None:
            for component in components:
                self._follow(component, session, at)

    def _follow(self, component: Component, session: Session, at: float) -> None:
        if component.workload is None:
            return
        rollout = self.of(component)
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
