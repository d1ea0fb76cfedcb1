"""Pods, of the control plane and of guests, and what pods and pod templates have in common."""

from typing import Final

import msgspec

from exporter.kube.kinds import quantity
from exporter.kube.kinds.metadata import (
    NO_ANNOTATIONS,
    NO_LABELS,
    Annotations,
    Condition,
    FullMetadata,
    Wire,
    controller,
    intern,
    key,
    managed,
    seconds,
)
from exporter.model import objects, versions

OPERATOR: Final = "virt-operator"
"""Label `kubevirt.io` of the only component that carries no stamp (reference §2.4)."""


class EnvVar(Wire):
    """One environment variable; without a literal value where it comes from elsewhere."""

    name: str
    value: str | None = None


class Amounts(Wire):
    """Of resources that are requested, as far as we count them."""

    cpu: str | None = None
    memory: str | None = None


class Requirements(Wire):
    """A container's resources."""

    requests: Amounts | None = None


class Container(Wire):
    """A container of a pod or pod template."""

    name: str
    image: str | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    resources: Requirements | None = None


class Reason(Wire):
    """Why a container waits, or ended."""

    reason: str | None = None


class Running(Wire):
    """That it is there says it all."""


class ContainerState(Wire):
    """At most one of the three is set."""

    running: Running | None = None
    waiting: Reason | None = None
    terminated: Reason | None = None


class ContainerStatus(Wire):
    """One of status.containerStatuses."""

    name: str
    image_id: str | None = msgspec.field(default=None, name="imageID")
    restart_count: int | None = None
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodSpec(Wire):
    """A pod's spec."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    overhead: Amounts | None = None
    node_name: str | None = None


class PodStatus(Wire):
    """A pod's status."""

    phase: str | None = None
    reason: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class Pod(Wire):
    """A pod."""

    metadata: FullMetadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


_STARTING: Final = frozenset({"PodInitializing", "ContainerCreating"})
_NO_STATE: Final = ContainerState()


def pod(wire: Pod) -> objects.Pod:
    """Flatten. The main container is `compute` (launchers) or the first one."""
    metadata, spec, status = wire.metadata, wire.spec or PodSpec(), wire.status or PodStatus()
    labels = metadata.labels or NO_LABELS
    owner = controller(metadata)
    containers = spec.containers or []
    container = next((c for c in containers if c.name == "compute"), containers[0] if containers else None)
    statuses = status.container_statuses or []
    name = container.name if container is not None else ""
    main = next((s for s in statuses if s.name == name), None)
    state = (main.state if main is not None else None) or _NO_STATE
    ended = state.terminated
    if ended is None and state.running is None and main is not None and main.last_state is not None:
        ended = main.last_state.terminated  # it waits for its next start: why it ended is what one wants to know
    version, identifier = version_of(labels.kubevirt, metadata.annotations or NO_ANNOTATIONS, containers)
    cpu, memory = _requested(spec)
    ready, disrupted = False, ""
    for condition in status.conditions or ():
        if condition.status == "True":
            if condition.type == "Ready":
                ready = True
            elif condition.type == "DisruptionTarget":
                disrupted = condition.reason or condition.type
    return objects.Pod(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        label=intern(labels.kubevirt),
        managed=managed(labels),
        owner=intern(owner.name) if owner is not None else "",
        owner_kind=intern(owner.kind) if owner is not None else "",
        vmi_uid=labels.created_by or "",
        migration_uid=labels.migration_uid or "",
        version=version,
        identifier=identifier,
        image=intern(container.image) if container is not None else "",
        image_id=intern(main.image_id) if main is not None else "",
        node=intern(spec.node_name),
        phase=intern(status.phase),
        reason=intern(status.reason),
        ready=ready,
        running=state.running is not None,
        restarts=sum(s.restart_count or 0 for s in statuses),
        waiting=intern(_waiting([*(status.init_container_statuses or ()), *statuses])),
        terminated=intern(ended.reason) if ended is not None else "",
        disrupted=intern(disrupted),
        cpu=cpu,
        memory=memory,
    )


def _waiting(statuses: list[ContainerStatus]) -> str:
    """The first waiting reason; one that means trouble goes before those of every start."""
    reasons = [s.state.waiting.reason or "" for s in statuses if s.state is not None and s.state.waiting is not None]
    return next((reason for reason in reasons if reason not in _STARTING), reasons[0] if reasons else "")


def _requested(spec: PodSpec) -> tuple[float, float]:
    """Cores and bytes that the scheduler sets aside: of init containers, which run one by one, the most."""
    cpu = memory = 0.0
    for container in spec.containers or ():
        more_cpu, more_memory = _amounts(container.resources)
        cpu, memory = cpu + more_cpu, memory + more_memory
    for container in spec.init_containers or ():
        least_cpu, least_memory = _amounts(container.resources)
        cpu, memory = max(cpu, least_cpu), max(memory, least_memory)
    if spec.overhead is not None:
        cpu += quantity.read(spec.overhead.cpu or "") or 0.0
        memory += quantity.read(spec.overhead.memory or "") or 0.0
    return cpu, memory


def _amounts(resources: Requirements | None) -> tuple[float, float]:
    if resources is None or (requests := resources.requests) is None:
        return 0.0, 0.0
    return quantity.read(requests.cpu or "") or 0.0, quantity.read(requests.memory or "") or 0.0


def version_of(label: str | None, annotations: Annotations, containers: list[Container]) -> tuple[str, str]:
    """Version and deployment id by the stamp; virt-operator's version by its environment, else its image's tag."""
    version = annotations.version
    if not version and label == OPERATOR and containers:
        environment = {variable.name: variable.value for variable in containers[0].env or ()}
        version = environment.get("KUBEVIRT_VERSION") or versions.image_tag(containers[0].image or "")
    return intern(version), intern(annotations.identifier)
