"""Kubernetes and KubeVirt objects, flat and frozen, with only the fields we use.

Built by `exporter.kube.decode` from API bytes; kept by stores; compared by value to see whether anything we
care about has changed. `gc=False` and interned strings keep 50,000 guests small. Times are Unix seconds.
An empty string means "the object does not say"; None means the same for numbers and times.
"""

import msgspec


class Object(msgspec.Struct, frozen=True, gc=False):
    """What all objects have. `key` is `namespace/name`, or `name` for cluster-scoped ones."""

    key: str
    uid: str
    created: float | None = None
    deleted: float | None = None
    """metadata.deletionTimestamp: for pods the moment at which their grace ends, not the moment of the request."""

    @property
    def namespace(self) -> str:
        """The namespace, empty for cluster-scoped objects."""
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The name without the namespace."""
        return self.key.rpartition("/")[2]


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One entry of status.conditions; `since` is None where KubeVirt leaves lastTransitionTime null."""

    type: str
    status: str
    reason: str = ""
    since: float | None = None


class KubeVirt(Object, frozen=True, gc=False, kw_only=True):
    """The KubeVirt CR: what the operator aims at and what it says it has reached."""

    generation: int = 0
    observed_generation: int | None = None
    phase: str = ""
    operator_version: str = ""
    target_version: str = ""
    target_id: str = ""
    observed_version: str = ""
    observed_id: str = ""
    outdated: int | None = None
    image_tag: str = ""
    update_methods: tuple[str, ...] = ()
    rollout_strategy: str = ""
    """spec.configuration.vmRolloutStrategy; empty for the release's default."""
    parallel_migrations: int | None = None
    """spec.configuration.migrations.parallelMigrationsPerCluster."""
    feature_gates: tuple[str, ...] = ()
    infra_placed: bool = False
    """spec.infra.nodePlacement says where the control plane may run."""
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, or None where it is absent (as Created is during an upgrade)."""
        return next((c for c in self.conditions if c.type == kind), None)


class Workload(Object, frozen=True, gc=False, kw_only=True):
    """A Deployment or DaemonSet of the install namespace."""

    kind: str
    """`Deployment` or `DaemonSet`."""
    label: str = ""
    """Label `kubevirt.io`."""
    managed: bool = False
    """Label app.kubernetes.io/managed-by is virt-operator or kubevirt-operator."""
    generation: int = 0
    observed_generation: int = 0
    version: str = ""
    """Version of the pod template: the stamp, or for virt-operator env KUBEVIRT_VERSION, else the image's tag."""
    identifier: str = ""
    """Deployment id stamped on the pod template; empty for virt-operator."""
    image: str = ""
    launcher_image: str = ""
    """Argument --launcher-image (virt-controller only)."""
    desired: int | None = None
    updated: int = 0
    ready: int = 0
    available: int = 0
    unavailable: int = 0
    max_unavailable: str = ""
    grace: float | None = None
    """terminationGracePeriodSeconds of the pods."""


class Pod(Object, frozen=True, gc=False, kw_only=True):
    """A pod of the install namespace or a virt-launcher pod."""

    label: str = ""
    """Label `kubevirt.io`: the component, or `virt-launcher`."""
    managed: bool = False
    owner: str = ""
    """Name of the controlling owner."""
    owner_kind: str = ""
    vmi_uid: str = ""
    """Label kubevirt.io/created-by (launchers only)."""
    migration_uid: str = ""
    """Label kubevirt.io/migrationJobUID (targets of a migration)."""
    version: str = ""
    identifier: str = ""
    image: str = ""
    """Image of the compute container, else of the first container."""
    image_id: str = ""
    node: str = ""
    phase: str = ""
    reason: str = ""
    """status.reason, such as Evicted."""
    ready: bool = False
    running: bool = False
    """The compute container (launchers) or the first container runs."""
    restarts: int = 0
    waiting: str = ""
    """First waiting reason of a container, such as ImagePullBackOff."""
    terminated: str = ""
    """Reason of the main container's termination, such as OOMKilled, Error or Completed."""
    disrupted: str = ""
    """Reason of condition DisruptionTarget, such as EvictionByEvictionAPI."""
    cpu: float = 0.0
    """Cores requested, all containers together."""
    memory: float = 0.0
    """Bytes requested, all containers together."""


class Vm(Object, frozen=True, gc=False, kw_only=True):
    """A VirtualMachine: what its owner wants."""

    generation: int = 0
    run_strategy: str = ""
    """spec.runStrategy, or Always/Halted made from the older spec.running."""
    stop_requests: tuple[str, ...] = ()
    """UIDs of VMIs named by a Stop in status.stateChangeRequests."""
    spec_manager: str = ""
    """Field manager that wrote last, status and other subresources apart."""
    written_as: tuple[str, ...] = ()
    """API versions, such as `kubevirt.io/v1alpha3`, in which its field managers wrote it."""


class Vmi(Object, frozen=True, gc=False):
    """A VirtualMachineInstance: a guest that runs, or did."""

    owned: bool = False
    """Controlled by a VirtualMachine (always of the same name)."""
    phase: str = ""
    reason: str = ""
    """status.reason, such as NodeUnresponsive."""
    node: str = ""
    launcher_image: str = ""
    """status.launcherContainerImageVersion; empty for a moment when a migration hands over."""
    ready: bool = False
    paused: str = ""
    """Reason of condition Paused where it is True."""
    migratable: bool = True
    not_migratable: str = ""
    """Reason of condition LiveMigratable where it is False."""
    agent: bool = False
    migration_uid: str = ""
    migration_completed: bool = False
    migration_failed: bool = False
    evacuating: str = ""
    """status.evacuationNodeName."""
    machine: str = ""
    """status.machine.type, such as pc-q35-rhel9.4.0."""


class Migration(Object, frozen=True, gc=False, kw_only=True):
    """A VirtualMachineInstanceMigration."""

    vmi: str = ""
    """spec.vmiName."""
    trigger: str = "user"
    """`workload_update`, `evacuation` or `user` (reference §4.4)."""
    phase: str = ""
    source_node: str = ""
    target_node: str = ""
    started: float | None = None
    ended: float | None = None

    @property
    def vmi_key(self) -> str:
        """Key of the guest that migrates."""
        return f"{self.namespace}/{self.vmi}"

    @property
    def final(self) -> bool:
        """It will not change any more."""
        return self.phase in ("Succeeded", "Failed")


class Node(Object, frozen=True, gc=False, kw_only=True):
    """A node."""

    ready: bool | None = None
    """Condition Ready; None where it is Unknown or absent."""
    unschedulable: bool = False
    """spec.unschedulable: somebody cordoned it."""
    kubevirt_schedulable: bool | None = None
    """Label kubevirt.io/schedulable; None where there is no label (no virt-handler there)."""
    heartbeat: float | None = None
    """Annotation kubevirt.io/heartbeat."""
    control_plane: bool = False
    kubelet_version: str = ""
    cpu: float | None = None
    """Allocatable cores."""
    memory: float | None = None
    """Allocatable bytes."""


class Lease(Object, frozen=True, gc=False, kw_only=True):
    """A leader election lease."""

    holder: str = ""
    acquired: float | None = None
    """When the holder took it."""
    renewed: float | None = None
    duration: float = 15.0
    transitions: int = 0
    """How often it went to another holder, ever."""


class CrdVersion(msgspec.Struct, frozen=True, gc=False):
    """One entry of a CRD's spec.versions, without its schema."""

    name: str
    served: bool
    storage: bool
    deprecated: bool = False


class Crd(Object, frozen=True, gc=False, kw_only=True):
    """A CustomResourceDefinition without its schemas; key is `plural.group`."""

    group: str = ""
    plural: str = ""
    versions: tuple[CrdVersion, ...] = ()
    stored: tuple[str, ...] = ()


class ApiService(Object, frozen=True, gc=False, kw_only=True):
    """An APIService; `available` is None where it does not say."""

    group: str = ""
    version: str = ""
    aggregated: bool = False
    available: bool | None = None


class WebhookConfiguration(Object, frozen=True, gc=False, kw_only=True):
    """A Validating- or MutatingWebhookConfiguration."""

    managed: bool = False
    version: str = ""
    webhooks: int = 0


class Job(Object, frozen=True, gc=False, kw_only=True):
    """A Job of the install namespace."""

    install_strategy: bool = False
    version: str = ""
    active: int = 0
    succeeded: int = 0
    failed: bool = False
    """Condition Failed is True."""


class DisruptionBudget(Object, frozen=True, gc=False, kw_only=True):
    """A PodDisruptionBudget; numbers are None until its controller has looked at it."""

    allowed: int | None = None
    """Pods that may be evicted now."""
    healthy: int | None = None
    desired: int | None = None
    """Healthy pods that must remain."""
    expected: int | None = None
    """Pods it counts."""


class Metadata(Object, frozen=True, gc=False, kw_only=True):
    """An object of which only the metadata is read."""

    generation: int = 0
    managed: bool = False
    owned: bool = False
    """It has an owner: its going is explained by its owner's."""
    written_as: tuple[str, ...] = ()
    """API versions in which its field managers wrote it."""
