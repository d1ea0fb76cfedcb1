"""A session: one transition of KubeVirt from one (version, deployment id) to another, as values.

`Rollout` is one component's part in it. Who begins, moves and ends them: `exporter.tracker.lifecycle`.
"""

from typing import Any

import msgspec

from exporter.model import versions
from exporter.model.report import Phase, SessionKind


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The current or last session. Times are Unix seconds of when a fact was learnt."""

    from_version: str
    to_version: str
    kind: SessionKind
    started: float
    deployment_id: str = ""
    """Empty until the KubeVirt CR names the target."""
    base_id: str = ""
    """The CR's target id when virt-operator alone began the session."""
    seen_start: bool = True
    """False where it was first seen under way: there is no baseline."""
    phase: Phase = Phase.PREPARING
    control_plane_at: float | None = None
    reported: float | None = None
    observed: float | None = None
    workloads: float | None = None
    workloads_began: float | None = None
    ended: float | None = None
    relapsed: bool = False
    progress: float = 0.0
    retargeted: float | None = None
    """When the CR's target was learnt."""
    handler_nodes: int = 0
    """The most nodes that virt-handler was wanted on; 0 where that is not known."""
    handler_grace: float = 0.0
    """Seconds that its pods may take to end."""

    @property
    def over(self) -> bool:
        """It has ended."""
        return self.ended is not None

    @property
    def update_path(self) -> bool:
        """KubeVirt takes the update path forwards and for versions it cannot read, else the create/rollback path."""
        old, new = versions.parse(self.from_version), versions.parse(self.to_version)
        return old is None or new is None or new > old


class Rollout(msgspec.Struct, kw_only=True):
    """One component's part in a session."""

    from_version: str = ""
    to_version: str = ""
    started: float | None = None
    """Its template moved to the target."""
    completed: float | None = None
    """First moment at which all its pods were at the target and ready and none was old."""
    progressed: float | None = None
    """Last time a pod at the target was created, started or became ready, or an old one went."""
    longest_pause: float = 0.0
    restarts: int = 0
    before_us: bool = False
    """Its template had moved before we first looked."""
    took_part: bool = False
    """Something of it was not at the target at some time."""


class Began(msgspec.Struct, frozen=True, tag=True):
    """A session began."""

    session: Session


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A session ended (its phase says how)."""

    session: Session


class Closed(msgspec.Struct, frozen=True, tag=True):
    """Another session is about to begin: this is the last moment to take this one's report."""

    session: Session


Transition = Began | Ended | Closed


def kind_of(from_version: str, to_version: str) -> SessionKind:
    """Upgrade, rollback or reconfigure; what cannot be read counts as an upgrade, as KubeVirt does."""
    if from_version == to_version:
        return SessionKind.RECONFIGURE
    old, new = versions.parse(from_version), versions.parse(to_version)
    if old is None or new is None or new > old:
        return SessionKind.UPGRADE
    return SessionKind.ROLLBACK


def to_state(session: Session | None, rollouts: dict[str, Rollout]) -> dict[str, Any]:
    """As JSON values."""
    return {
        "session": None if session is None else msgspec.to_builtins(session),
        "rollouts": msgspec.to_builtins(rollouts),
    }


def from_state(state: dict[str, Any]) -> tuple[Session | None, dict[str, Rollout]]:
    """Back again."""
    return (
        msgspec.convert(state["session"], Session | None),
        msgspec.convert(state["rollouts"], dict[str, Rollout]),
    )
