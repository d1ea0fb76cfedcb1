"""`metadata.managedFields` of realistic size, for those who want objects as heavy as real ones.

Two managers share every object: one wrote all but the status, one the status. Which controller really wrote which field
is not simulated.
"""

from __future__ import annotations

from exporter.sim import times
from exporter.sim.refusals import JSON

_STATUS_MANAGERS = {"Pod": "kubelet", "Node": "kubelet", "VirtualMachineInstance": "virt-handler"}
_MANAGERS = {
    "Pod": "kube-controller-manager",
    "VirtualMachineInstance": "virt-controller",
    "VirtualMachineInstanceMigration": "virt-controller",
    "Node": "kubelet",
    "Lease": "virt-controller",
}


def add(body: JSON, *, at: float) -> None:
    """Replace the object's managed fields by ones that name every field it has."""
    metadata = body["metadata"]
    metadata.pop("managedFields", None)
    kind = body.get("kind", "")
    described = {
        name: value for name, value in metadata.items() if name in {"annotations", "labels", "ownerReferences"}
    }
    main = {name: value for name, value in body.items() if name not in {"apiVersion", "kind", "metadata", "status"}}
    manager = _MANAGERS.get(kind, "virt-operator")
    entries = [_entry(body, manager, {"metadata": described, **main}, at)]
    if body.get("status"):
        entry = _entry(body, _STATUS_MANAGERS.get(kind, manager), {"status": body["status"]}, at)
        entries.append({**entry, "subresource": "status"})
    metadata["managedFields"] = entries


def _entry(body: JSON, manager: str, content: JSON, at: float) -> JSON:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": body.get("apiVersion", "v1"),
        "time": times.seconds(at),
        "fieldsType": "FieldsV1",
        "fieldsV1": _fields(content),
    }


def _fields(value: object) -> JSON:
    match value:
        case dict():
            return {f"f:{name}": _fields(inner) for name, inner in value.items()}
        case list() if value and isinstance(value[0], dict):
            return {f'k:{{"name":"{item.get("name") or item.get("type") or position}"}}': {".": {}, **_fields(item)}
                    for position, item in enumerate(value)}  # fmt: skip
        case _:
            return {}
