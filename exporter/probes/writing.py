"""Creations that leave nothing: `dryRun=All` runs schema, defaults and all admission webhooks, and stores nothing.

`fieldValidation=Strict` makes unknown fields an error from Kubernetes 1.25 on. Before, they are dropped without a word:
so an answer is compared with what was asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from exporter.kube.api import Response
from exporter.probes import result
from exporter.probes.asking import Ask
from exporter.probes.result import ProbeResult

PARAMETERS: Final = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "kubevirt-upgrade-exporter"}

NAME: Final = "upgrade-exporter-probe-"
"""Beginning of the names that the API server would give."""

Json = Mapping[str, object]


class Place(NamedTuple):
    """Where objects of a kind are created."""

    plural: str
    namespaced: bool = True


PLACES: Final[Mapping[tuple[str, str], Place]] = {
    ("kubevirt.io", "VirtualMachine"): Place("virtualmachines"),
    ("instancetype.kubevirt.io", "VirtualMachineInstancetype"): Place("virtualmachineinstancetypes"),
    ("instancetype.kubevirt.io", "VirtualMachinePreference"): Place("virtualmachinepreferences"),
    ("snapshot.kubevirt.io", "VirtualMachineSnapshot"): Place("virtualmachinesnapshots"),
    ("clone.kubevirt.io", "VirtualMachineClone"): Place("virtualmachineclones"),
    ("migrations.kubevirt.io", "MigrationPolicy"): Place("migrationpolicies", namespaced=False),
}
"""By group and kind: all that is ever created as a dry run. The optional Role follows from it."""


def minimal_vm(version: str) -> Json:
    """The least a VM must have; it would not be started."""
    return {
        "apiVersion": f"kubevirt.io/{version}",
        "kind": "VirtualMachine",
        "metadata": {"generateName": NAME},
        "spec": {
            "runStrategy": "Halted",
            "template": {
                "spec": {"domain": {"devices": {}, "resources": {"requests": {"memory": "64Mi"}}}},
            },
        },
    }


async def create(ask: Ask, manifest: Json, *, namespace: str) -> Response:
    """Any answer to the creation. Raises ApiError where there is none; KeyError for a kind that has no place."""
    api_version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
    place = PLACES[api_version.partition("/")[0], kind]
    within = f"namespaces/{namespace}/" if place.namespaced else ""
    return await ask.post(f"/apis/{api_version}/{within}{place.plural}", PARAMETERS, msgspec.json.encode(manifest))


class Creating:
    """The probe: a minimal VM at one API version."""

    def __init__(self, version: str, *, namespace: str) -> None:
        self._manifest = minimal_vm(version)
        self._namespace = namespace

    async def __call__(self, ask: Ask) -> ProbeResult:
        """Schema, mutating and validating webhooks take it."""
        response = await create(ask, self._manifest, namespace=self._namespace)
        if (refused := result.refused(response)) is not None:
            return refused
        lost = dropped(self._manifest, response)
        return result.malformed(response, f"dropped: {', '.join(lost)}") if lost else result.succeeded(response)


def dropped(manifest: Json, response: Response) -> list[str]:
    """Paths of fields that were asked for and are not in the answer. All of them where the answer is no object."""
    try:
        answer = msgspec.json.decode(response.body)
    except (ValueError, RecursionError):
        answer = None
    wanted = {key: value for key, value in manifest.items() if key != "metadata"}
    return list(_missing(wanted, answer, path=""))


def _missing(wanted: object, got: object, *, path: str) -> Iterator[str]:
    match wanted:
        case dict():
            if not isinstance(got, dict):
                # What is empty may be left out: it says nothing.
                if wanted:
                    yield path or "everything"
                return
            for key, value in wanted.items():
                yield from _missing(value, got.get(key), path=f"{path}.{key}" if path else str(key))
        case list():
            if not isinstance(got, list) or len(got) < len(wanted):
                if wanted:
                    yield path
                return
            for index, value in enumerate(wanted):
                yield from _missing(value, got[index], path=f"{path}[{index}]")
        case _:
            if wanted and got is None:  # KubeVirt's mutating webhooks leave out what is false, zero or empty
                yield path
