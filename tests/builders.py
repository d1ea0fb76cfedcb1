"""Objects of a small cluster with KubeVirt, by keyword; whatever a test does not name is plausible and healthy.

A version is given once, and stamps, images and deployment ids follow from it. Nothing here knows a resource or a time:
changes are made from these objects by the tests' own streams.
"""

from typing import TypeVar

import msgspec

from exporter.model import objects

NAMESPACE = "kubevirt"
OLD, NEW = "v1.3.0", "v1.4.0"
OPERATOR, API, CONTROLLER, HANDLER = "virt-operator", "virt-api", "virt-controller", "virt-handler"


T = TypeVar("T", bound=objects.Object)


def _with(obj: T, fields: dict[str, object]) -> T:
    return msgspec.structs.replace(obj, **fields)


def id_of(version: str) -> str:
    """The deployment id of a version."""
    return f"id-{version}" if version else ""


def image_of(component: str, version: str) -> str:
    """The image of a component at a version."""
    return f"registry.example/kubevirt/{component}:{version}"


def digest_of(component: str, version: str) -> str:
    """What the runtime says it runs."""
    return f"registry.example/kubevirt/{component}@sha256:{component}-{version}"


def kubevirt(target: str = OLD, observed: str | None = None, **fields: object) -> objects.KubeVirt:
    """The CR; `observed` is the target where it is not given."""
    observed = target if observed is None else observed
    return _with(
        objects.KubeVirt(
            key=f"{NAMESPACE}/kubevirt",
            uid="kubevirt",
            phase="Deployed",
            operator_version=target,
            target_version=target,
            target_id=id_of(target),
            observed_version=observed,
            observed_id=id_of(observed),
            update_methods=("LiveMigrate",),
        ),
        fields,
    )


def workload(component: str, version: str = OLD, **fields: object) -> objects.Workload:
    """A component's Deployment, or virt-handler's DaemonSet."""
    operator = component == OPERATOR
    return _with(
        objects.Workload(
            key=f"{NAMESPACE}/{component}",
            uid=component,
            kind="DaemonSet" if component == HANDLER else "Deployment",
            label=component,
            managed=not operator,
            version=version,
            identifier="" if operator else id_of(version),
            image=image_of(component, version),
            launcher_image=image_of("virt-launcher", version) if component == CONTROLLER else "",
            desired=2,
            max_unavailable="1",
        ),
        fields,
    )


def pod(component: str, name: str = "a", version: str = OLD, **fields: object) -> objects.Pod:
    """A running and ready pod of a component; `name` is the part that tells it from its siblings."""
    operator = component == OPERATOR
    full = f"{component}-{name}"
    return _with(
        objects.Pod(
            key=f"{NAMESPACE}/{full}",
            uid=full,
            label=component,
            managed=not operator,
            owner=component,
            owner_kind="DaemonSet" if component == HANDLER else "ReplicaSet",
            version=version,
            identifier="" if operator else id_of(version),
            image=image_of(component, version),
            image_id=digest_of(component, version),
            node=f"node-{name}",
            phase="Running",
            ready=True,
            running=True,
        ),
        fields,
    )


def launcher(vmi_uid: str, name: str = "a", version: str = OLD, **fields: object) -> objects.Pod:
    """A running virt-launcher pod of a guest."""
    full = f"virt-launcher-{vmi_uid}-{name}"
    return _with(
        objects.Pod(
            key=f"guests/{full}",
            uid=full,
            label="virt-launcher",
            owner=vmi_uid,
            owner_kind="VirtualMachineInstance",
            vmi_uid=vmi_uid,
            image=image_of("virt-launcher", version),
            node="node-a",
            phase="Running",
            ready=True,
            running=True,
        ),
        fields,
    )


def vm(name: str = "one", **fields: object) -> objects.Vm:
    """A VM that should run."""
    return _with(objects.Vm(key=f"guests/{name}", uid=f"vm-{name}", run_strategy="Always"), fields)


def vmi(name: str = "one", version: str = OLD, **fields: object) -> objects.Vmi:
    """A running guest of a VM."""
    return _with(
        objects.Vmi(
            key=f"guests/{name}",
            uid=f"vmi-{name}",
            owned=True,
            phase="Running",
            node="node-a",
            launcher_image=image_of("virt-launcher", version),
            ready=True,
        ),
        fields,
    )


def migration(name: str = "first", vmi: str = "one", **fields: object) -> objects.Migration:
    """A migration under way that KubeVirt started to renew a launcher."""
    return _with(
        objects.Migration(
            key=f"guests/{name}",
            uid=f"migration-{name}",
            vmi=vmi,
            trigger="workload_update",
            phase="Running",
            source_node="node-a",
            target_node="node-b",
        ),
        fields,
    )


def node(name: str = "node-a", **fields: object) -> objects.Node:
    """A ready node with a virt-handler."""
    return _with(
        objects.Node(
            key=name,
            uid=name,
            ready=True,
            kubevirt_schedulable=True,
            kubelet_version="v1.31.4",
        ),
        fields,
    )


def lease(component: str, holder: str = "a", renewed: float | None = 0.0, **fields: object) -> objects.Lease:
    """A component's lease; `holder` is the part of the pod's name that tells it from its siblings."""
    return _with(
        objects.Lease(
            key=f"{NAMESPACE}/{component}",
            uid=f"lease-{component}",
            holder=f"{component}-{holder}" if holder else "",
            renewed=renewed,
        ),
        fields,
    )


def webhooks(name: str = "virt-api-validator", **fields: object) -> objects.WebhookConfiguration:
    """A webhook configuration of KubeVirt."""
    return _with(objects.WebhookConfiguration(key=name, uid=name, managed=True, webhooks=1), fields)


def job(name: str = "install", **fields: object) -> objects.Job:
    """An install-strategy job under way."""
    return _with(objects.Job(key=f"{NAMESPACE}/{name}", uid=name, install_strategy=True, version=NEW, active=1), fields)


def crd(name: str, *versions: str, stored: tuple[str, ...] = (), **fields: object) -> objects.Crd:
    """A CRD `plural.group` that serves these versions and stores in the last one."""
    plural, _, group = name.partition(".")
    return _with(
        objects.Crd(
            key=name,
            uid=f"crd-{name}",
            group=group,
            plural=plural,
            versions=tuple(objects.CrdVersion(v, served=True, storage=v == versions[-1]) for v in versions),
            stored=stored or versions[-1:],
        ),
        fields,
    )


def api_service(version: str, group: str = "subresources.kubevirt.io", **fields: object) -> objects.ApiService:
    """An aggregated API that is available."""
    name = f"{version}.{group}"
    return _with(
        objects.ApiService(key=name, uid=name, group=group, version=version, aggregated=True, available=True), fields
    )


def metadata(name: str, **fields: object) -> objects.Metadata:
    """An object of which only the metadata is read."""
    return _with(objects.Metadata(key=f"guests/{name}", uid=f"uid-{name}", generation=1), fields)
