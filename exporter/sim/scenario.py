"""A scenario: the cluster at its beginning, what happens when, and when it ends. Plain values; `loading` reads them.

A moment is `at` so many seconds after the beginning, or `after` a milestone of the world (`handler-started v1.4.0`),
`plus` seconds. All seconds are simulated, and shortened by the pace of a live run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.sim.faults import Fault
from exporter.sim.world.world import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Either `at`, or `after` a milestone and `plus` seconds."""

    at: float = 0.0
    after: str = ""
    plus: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """Bring KubeVirt to version `to` (upwards or back), by applying another `operator` or by `image-tag`."""

    to: str
    by: Literal["operator", "image-tag"] = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class StickHandler:
    """On `node`, virt-handler of `version` does not become ready (never-ready, image-pull), for ever or for a while."""

    node: str
    version: str
    reason: Literal["never-ready", "image-pull"] = "never-ready"
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptGuest:
    """A guest dies: `how` is oom or evicted."""

    guest: str
    how: Literal["oom", "evicted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutDownGuest:
    """A guest shuts itself down and is started again."""

    guest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartGuest:
    """The owner of a guest stops and starts it, `pause` seconds later: `how` is restart-request or run-strategy."""

    guest: str
    how: Literal["restart-request", "run-strategy"] = "restart-request"
    pause: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseNode:
    """A worker dies and is removed from the cluster `removed_after` seconds later."""

    node: str
    removed_after: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepLauncher:
    """After the next migration of a guest its old launcher runs on for `seconds`."""

    guest: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailMigrations:
    """Migrations of these guests fail, `times` times each, or always."""

    guests: tuple[str, ...]
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopApi:
    """`what` is kubevirt-api (every virt-api) or cluster-api (the API server itself), away for `seconds`."""

    what: Literal["kubevirt-api", "cluster-api"]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseLeader:
    """Nobody holds the Lease (virt-operator or virt-controller) for `seconds`."""

    lease: Literal["virt-operator", "virt-controller"]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDefinition:
    """A CustomResourceDefinition is deleted, and made again `recreate_after` seconds later."""

    name: str
    recreate_after: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inject:
    """A fault of the API server; see `faults.Fault`."""

    fault: Fault


Action = (
    Upgrade
    | StickHandler
    | InterruptGuest
    | ShutDownGuest
    | RestartGuest
    | LoseNode
    | KeepLauncher
    | FailMigrations
    | StopApi
    | LoseLeader
    | DeleteDefinition
    | Inject
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens. `place` is where the scenario says so, for messages."""

    when: When
    action: Action
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story for the simulator to act out."""

    name: str
    about: str
    cluster: ClusterSpec
    steps: tuple[Step, ...]
    ends: When
    longest: float = 7200.0  # seconds after which it ends in any case
