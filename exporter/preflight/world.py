"""The cluster as checks see it: read-only, typed, and aloud about what it does not know.

Whatever a check asks for is there, or the question raises `CannotTell`, which the runner makes a finding: no check can
take missing data for an empty cluster.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from exporter.model import changes, releases, resources, versions
from exporter.model.changes import Sync
from exporter.model.objects import Crd, DisruptionBudget, KubeVirt, Migration, Node, Pod, Vm, Vmi
from exporter.preflight import plan
from exporter.preflight.plan import Hop
from exporter.preflight.tables import Tables
from exporter.tracker.components import Components
from exporter.tracker.guests import Outdated
from exporter.tracker.sessions import Session
from exporter.tracker.tracker import View

_WHY: Final = {
    Sync.UNKNOWN: "not listed",
    Sync.FORBIDDEN: "we may not list them",
    Sync.ABSENT: "this cluster does not have them",
}


class CannotTell(Exception):
    """What a check needs is not known; the message says what and why."""


class Amount(NamedTuple):
    """Of what pods request and nodes offer."""

    cpu: float
    """Cores."""
    memory: float
    """Bytes."""


class Question(NamedTuple):
    """What the person asks."""

    target: str
    """A version such as `v1.4.0`, or a minor line such as `1.4`."""
    now: float
    """Unix seconds."""
    rollback_required: bool = False
    """The person's plan relies on a way back."""


class World:
    """Everything a check may know."""

    def __init__(
        self,
        question: Question,
        view: View,
        tables: Tables,
        *,
        others: Mapping[str, Amount] | str,
        server: str = "",
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        """Of what view and tables hold.

        `others`: what pods that are neither guests' nor KubeVirt's request, by node, or why that is not known.
        `server`: the API server's version, empty where that is not known.
        `reasons`: by resource, why it could not be read.
        """
        self.target = question.target
        self.now = question.now
        self.rollback_required = question.rollback_required
        self.settings = view.settings
        self.server = server
        self._view = view
        self._tables = tables
        self._others = others
        self._reasons = reasons or {}

    def _need(self, *names: str) -> None:
        for name in names:
            if not self._view.sync.known(name):
                why = self._reasons.get(name) or _WHY.get(self._view.sync.state(name), "not known")
                raise CannotTell(f"{name}: {why}")

    # --- releases

    @property
    def kubevirt(self) -> KubeVirt:
        """The KubeVirt resource."""
        self._need(resources.KUBEVIRTS)
        if self._view.kubevirt is None:
            raise CannotTell("there is no KubeVirt resource: KubeVirt is not installed")
        return self._view.kubevirt

    @property
    def current(self) -> str:
        """The version that runs."""
        observed = self.kubevirt.observed_version
        if versions.parse(observed) is None:
            raise CannotTell(f"the version that runs is not readable: {observed or 'the KubeVirt resource has none'}")
        return observed

    @property
    def line(self) -> str:
        """The minor line of the target."""
        line = releases.line_of(self.target)
        if line is None:
            raise CannotTell(f"the target is not a version: {self.target or 'none'}")
        return line

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The minor steps to the target; none within a minor or backwards."""
        found = plan.hops(self.current, self.target)
        if found is None:
            raise CannotTell(f"no way is known from {self.current} to {self.target or 'an unknown version'}")
        return found

    @property
    def lines(self) -> tuple[str, ...]:
        """The minor lines on the way, the target's last; all of them in our tables."""
        lines = tuple(hop.to for hop in self.hops) or (self.line,)
        for line in lines:
            if line not in releases.LINES:
                raise CannotTell(f"KubeVirt {line} is not in our tables, which end with {releases.LINES[-1]}")
        return lines

    # --- objects

    @property
    def components(self) -> Components:
        """Workloads and pods of the control plane."""
        self._need(resources.DEPLOYMENTS, resources.DAEMONSETS, resources.PODS)
        return self._view.components

    @property
    def guests(self) -> Collection[Vmi]:
        """All VMIs, whatever their phase."""
        self._need(resources.VMIS)
        return self._view.guests.vmis.values()

    @property
    def vms(self) -> Collection[Vm]:
        """All VMs."""
        self._need(resources.VMS)
        return self._view.guests.vms.values()

    @property
    def migrations(self) -> Collection[Migration]:
        """Live migrations that have not finished."""
        self._need(resources.MIGRATIONS)
        return self._view.migrations.unfinished.values()

    @property
    def nodes(self) -> Collection[Node]:
        """All nodes."""
        self._need(resources.NODES)
        return self._view.nodes.values()

    @property
    def launchers(self) -> Collection[Pod]:
        """virt-launcher pods that run."""
        self._need(resources.LAUNCHERS)
        return tuple(self._view.launchers.pods())

    @property
    def crds(self) -> Collection[Crd]:
        """The definitions of KubeVirt's own groups, sorted."""
        self._need(resources.CRDS)
        ours = (crd for crd in self._tables.crds.values() if crd.group in releases.GROUPS)
        return sorted(ours, key=lambda crd: crd.key)

    @property
    def budgets(self) -> Collection[DisruptionBudget]:
        """The PodDisruptionBudgets of the install namespace, sorted."""
        self._need(resources.BUDGETS)
        return sorted(self._tables.budgets.values(), key=lambda budget: budget.key)

    def written(self, resource: str) -> Mapping[str, int] | None:
        """Objects by the API versions in which they were written; None for a resource that we do not read."""
        if resource == resources.VMS:
            counts: dict[str, int] = {}
            for vm in self.vms:
                for version in vm.written_as:
                    counts[version] = counts.get(version, 0) + 1
            return counts
        spec = resources.BY_NAME.get(resource)
        if spec is None or not spec.metadata_only or self._view.sync.state(resource) is changes.Sync.ABSENT:
            return None
        self._need(resource)
        return self._tables.written(resource)

    @property
    def outdated(self) -> Outdated:
        """Running guests with an old launcher."""
        self._need(resources.VMIS, resources.DEPLOYMENTS)
        found = self._view.outdated()
        if found is None:
            raise CannotTell("virt-controller does not say which launcher it starts")
        return found

    def launcher_image(self, vmi: Vmi) -> str:
        """The image of a guest's launcher; empty where it was never known."""
        return self._view.guests.image(vmi)

    @property
    def newest_launcher(self) -> str:
        """The image of the launcher that virt-controller starts now; empty where it does not say."""
        self._need(resources.DEPLOYMENTS)
        return self._view.components.launcher_image()

    @property
    def session(self) -> Session | None:
        """The session under way, if one is."""
        if not self._view.sync.ready:
            missing = sorted(name for name in resources.DECIDING if self._view.sync.state(name) is Sync.UNKNOWN)
            raise CannotTell(f"not everything was listed that shows a session: {', '.join(missing)}")
        self._need(resources.KUBEVIRTS, resources.DEPLOYMENTS, resources.DAEMONSETS)
        return self._view.session if self._view.active else None

    @property
    def others(self) -> Mapping[str, Amount]:
        """What pods that are neither guests' nor KubeVirt's request, by node."""
        if isinstance(self._others, str):
            raise CannotTell(self._others)
        return self._others
