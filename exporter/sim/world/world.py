"""The state of a simulated world, and the few things that all of its processes do with it.

What happens over time is in the processes beside this module (`rollouts`, `leaders`, `operator`, `migrations`, …); how
a world begins is in `beginning`.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from exporter.sim import times
from exporter.sim.api.aggregated import Replica
from exporter.sim.catalogue import Resource
from exporter.sim.cluster import Cluster
from exporter.sim.faults import FaultTable
from exporter.sim.refusals import JSON, internal
from exporter.sim.store import Store
from exporter.sim.truth import Truth
from exporter.sim.world.engine import Engine, Process, Signal, Task
from exporter.sim.world.objects import workloads
from exporter.sim.world.objects.guests import Guest
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Release

KUBEVIRT, VM, VMI, VMIM = (
    "kubevirts.kubevirt.io",
    "virtualmachines.kubevirt.io",
    "virtualmachineinstances.kubevirt.io",
    "virtualmachineinstancemigrations.kubevirt.io",
)
_LARGE = 2000  # guests from which on objects are kept deflated


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """What a world consists of at its beginning."""

    version: str = "v1.3.0"
    kubernetes: str = "v1.30.4"
    workers: int = 4
    control_planes: int = 1
    guests: int = 20
    namespaces: tuple[str, ...] = ("team-a", "team-b", "team-c")
    stranded: int = 1  # guests that cannot migrate, the last ones
    update_methods: tuple[str, ...] = ("LiveMigrate",)
    parallel_migrations: int = 5
    lease_seconds: int = 15  # of real time, however short everything else is (--leader-elect-lease-duration)
    handover: Literal["direct", "via-old"] = (
        "direct"  # direct: a leader's pod is the last of the old ones to go; via-old: the first
    )
    managed_fields: bool = False
    snapshots: int = 3  # objects of each snapshot kind, and exports, instancetypes, preferences
    stored_versions: dict[str, list[str]] = field(default_factory=dict)  # definition: status.storedVersions


def guest_names(spec: ClusterSpec) -> list[str]:
    """`namespace/name` of every guest, in the order of their numbers: the namespaces take turns."""
    turns = len(spec.namespaces)
    return [
        f"{spec.namespaces[number % turns]}/vm-{spec.namespaces[number % turns].rpartition('-')[2]}{number // turns}"
        for number in range(spec.guests if turns else 0)
    ]


@dataclass(slots=True, eq=False)
class ControlPod:
    """A pod of the control plane."""

    name: str
    component: str
    release: Release
    node: str
    started: bool = False
    ready: bool = False
    terminating: bool = False
    task: Task | None = None


@dataclass(slots=True)
class Stuck:
    """New virt-handler pods of a node do not become ready. `reason`: never-ready or image-pull."""

    reason: str
    release: str


class World:
    """Everything that is, at the present simulated time."""

    def __init__(self, spec: ClusterSpec, *, seed: str, start: float, pace: float = 1.0) -> None:
        self.spec = spec
        self.engine = Engine(start=start, pace=pace)
        self.random = random.Random(f"{seed}/world")
        self.faults = FaultTable(lambda: self.engine.now)
        self.truth = Truth()
        store = Store(deflate=spec.guests > _LARGE)
        self.cluster = Cluster(
            clock=lambda: self.engine.now, seed=seed, store=store, with_managed_fields=spec.managed_fields
        )
        release = Release(spec.version)
        self.operator = release  # what the operator's template says
        self.target = release  # what the operator works towards
        self.templates: dict[str, Release] = dict.fromkeys(
            (workloads.OPERATOR, workloads.API, workloads.CONTROLLER, workloads.HANDLER), release
        )
        self.pods: dict[str, ControlPod] = {}
        self.changed: dict[str, Signal] = defaultdict(Signal)  # by component: a pod or a template changed
        self.leader: dict[str, ControlPod | None] = {}
        self.leader_changed: dict[str, Signal] = defaultdict(Signal)
        self.leaderless_until: dict[str, float] = {}
        self.stuck: dict[str, Stuck] = {}  # by node
        self.lost_nodes: set[str] = set()
        self.images: set[tuple[str, str]] = set()  # node, image: pulled before
        self.guests: dict[str, Guest] = {}
        self.guest_changed = Signal()
        self.reconciliation: Task | None = None
        self.reported = Signal()
        self.failing: dict[str, int] = {}  # guest: how many migrations will still fail; -1 for all
        self.lingering: dict[str, float] = {}  # guest: seconds its old launcher outlives the next migration
        self.finished: dict[str, list[str]] = defaultdict(list)  # guest: its finished migrations that are kept
        self.mark_listeners: list[Callable[[str], None]] = []
        self.milestone_reached = Signal()

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.engine.now

    @property
    def stamp(self) -> str:
        return times.seconds(self.engine.now)

    def about(self, seconds: float, spread: float = 0.15) -> float:
        """`seconds`, give or take."""
        return seconds * self.random.uniform(1 - spread, 1 + spread)

    def spawn(self, process: Process, name: str) -> Task:
        return self.engine.spawn(process, name=name)

    def fire(self, signal: Signal) -> None:
        self.engine.fire(signal)

    def mark(self, text: str) -> None:
        """Something the operator of the cluster did."""
        for listener in self.mark_listeners:
            listener(text)

    def milestone(self, name: str, release: Release) -> None:
        """The first time something of an upgrade was reached."""
        key = f"{name} {release.version}"
        if key not in self.truth.milestones:
            self.truth.milestones[key] = self.engine.now
            self.engine.fire(self.milestone_reached)

    # -- nodes and pods ----------------------------------------------------------------------------------------------

    @property
    def workers(self) -> list[str]:
        """Nodes that run guests and still exist."""
        nodes = (f"worker-{number}" for number in range(1, self.spec.workers + 1))
        return [node for node in nodes if self.cluster.exists("nodes", node)]

    @property
    def control_planes(self) -> list[str]:
        return [f"cp-{number}" for number in range(self.spec.control_planes)]

    def of(self, component: str) -> list[ControlPod]:
        return [pod for pod in self.pods.values() if pod.component == component]

    def replicas(self, component: str) -> int:
        nodes = self.spec.workers + self.spec.control_planes
        return max(2, math.floor(nodes / 10)) if component == workloads.API else 2

    def available(self, image: str, node: str) -> bool:
        """Whether an image is on a node already; from now on it is."""
        known = (node, image) in self.images
        self.images.add((node, image))
        return known

    # -- guests ------------------------------------------------------------------------------------------------------

    @property
    def launcher_image(self) -> str:
        """The launcher that the leading virt-controller starts guests in."""
        leader = self.leader.get(workloads.CONTROLLER)
        release = leader.release if leader is not None else self.templates[workloads.CONTROLLER]
        return release.image("virt-launcher")

    def outdated(self, guest: Guest) -> bool:
        return guest.running and guest.image != self.launcher_image

    def roomiest(self, *, besides: str) -> str:
        """A node for a guest to go to."""
        choices = [node for node in self.workers if node != besides and node not in self.lost_nodes]
        return self.random.choice(choices or self.workers)

    # -- what the API server asks ------------------------------------------------------------------------------------

    def virt_api_replicas(self) -> Sequence[Replica]:
        return [
            Replica(name=pod.name, version=pod.release.version)
            for pod in self.of(workloads.API)
            if pod.ready and not pod.terminating
        ]

    def admit(self, resource: Resource, verb: str, body: JSON) -> None:
        """KubeVirt's webhooks: they fail closed, so a write that needs one needs a virt-api."""
        if resource.group != "kubevirt.io" and not resource.group.endswith(".kubevirt.io"):
            return
        if resource.plural == "kubevirts" or self.virt_api_replicas():
            return
        hook = f"{resource.plural}-mutator.kubevirt.io"
        raise internal(
            f'failed calling webhook "{hook}": failed to call webhook: Post '
            f'"https://virt-api.{NAMESPACE}.svc:443/{resource.plural}-mutate?timeout=10s": '
            'no endpoints available for service "virt-api"'
        )
