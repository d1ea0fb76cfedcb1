"""From an object of the API to a manifest that can be applied; what two differ in, but for what KubeVirt writes.

A manifest has no identity, no status, nothing that the server or KubeVirt fills in. First-boot data of guests may hold
passwords, and is left out unless it is asked for.
"""

import base64
import copy
import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

Manifest = dict[str, Any]

LEFT_OUT: Final = "#cloud-config\n# Left out of the backup, because it may hold secrets. Put it back before applying.\n"
"""In place of first-boot data. KubeVirt would take it, and start a guest without its own."""

_KEPT_METADATA: Final = ("name", "namespace", "labels", "annotations")
_ANNOTATIONS: Final = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubevirt.io/latest-observed-api-version",
    "kubevirt.io/storage-observed-api-version",
})  # fmt: skip
"""Written by kubectl and by KubeVirt (reference of KubeVirt's own rewrites)."""
_BOOT_DATA: Final = {"userData": False, "networkData": False, "userDataBase64": True, "networkDataBase64": True}
"""Fields of cloud-init volumes, and whether they are base64."""
IGNITION: Final = "kubevirt.io/ignitiondata"
"""The annotation of guests that are set up by Ignition: what cloud-init volumes are to others."""
_TEMPLATE: Final = ("spec", "template")
_FILLED_IN: Final[tuple[tuple[str, ...], ...]] = (
    (*_TEMPLATE, "spec", "domain", "firmware", "uuid"),  # from 1.6
    (*_TEMPLATE, "metadata", "annotations", "kubevirt.io/pci-topology-version"),  # 1.6.4, 1.7.2, 1.8
    (*_TEMPLATE, "metadata", "annotations", "kubevirt.io/pci-interface-slot-count"),
    (*_TEMPLATE, "spec", "architecture"),  # by virt-api, whenever a VirtualMachine is written
    (*_TEMPLATE, "spec", "domain", "machine", "type"),
)
"""What KubeVirt writes into a VirtualMachine that has nothing there."""
_MOVED: Final[tuple[tuple[str, ...], ...]] = (
    ("spec", "instancetype", "revisionName"),
    ("spec", "preference", "revisionName"),
)
"""From 1.5 in the status; revisions get other names from 1.3 on."""
_PLAIN: Final = re.compile(r"[A-Za-z/]")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def clean(thing: Manifest) -> Manifest:
    """What its owner wrote, or would have to write."""
    metadata = thing.get("metadata") or {}
    kept = {name: copy.deepcopy(metadata[name]) for name in _KEPT_METADATA if metadata.get(name)}
    annotations = {name: text for name, text in kept.pop("annotations", {}).items() if name not in _ANNOTATIONS}
    if annotations:
        kept["annotations"] = annotations
    rest = {name: part for name, part in thing.items() if name not in ("apiVersion", "kind", "metadata", "status")}
    manifest = {
        "apiVersion": thing.get("apiVersion"),
        "kind": thing.get("kind"),
        "metadata": kept,
        **copy.deepcopy(rest),
    }
    template = _at(manifest, (*_TEMPLATE, "metadata"))
    if isinstance(template, dict) and template.get("creationTimestamp", "") is None:
        del template["creationTimestamp"]
    return manifest


def without_boot_data(manifest: Manifest) -> list[str]:
    """Replace first-boot data in place, or take it out where an annotation holds it; where it was."""
    found: list[str] = []
    annotation = (*_TEMPLATE, "metadata", "annotations", IGNITION)
    if _at(manifest, annotation) is not None:
        _remove(manifest, annotation)
        found.append(f"spec.template.metadata.annotations[{IGNITION}]")
    volumes = _at(manifest, (*_TEMPLATE, "spec", "volumes"))
    for volume in volumes if isinstance(volumes, list) else ():
        for kind in ("cloudInitNoCloud", "cloudInitConfigDrive"):
            source = volume.get(kind) if isinstance(volume, dict) else None
            if not isinstance(source, dict):
                continue
            for name in sorted(set(source) & set(_BOOT_DATA)):
                text = LEFT_OUT.encode()
                source[name] = base64.b64encode(text).decode() if _BOOT_DATA[name] else LEFT_OUT
                found.append(f"spec.template.spec.volumes[{volume.get('name')}].{kind}.{name}")
    return found


def boot_data(manifest: Manifest) -> list[str]:
    """Where first-boot data is, or stood before it was left out."""
    return without_boot_data(copy.deepcopy(manifest))


def difference(before: Manifest, after: Manifest) -> list[str]:
    """A unified diff of the two as YAML, without what KubeVirt itself rewrites; empty where nothing is left."""
    old, new = copy.deepcopy(before), copy.deepcopy(after)
    for manifest in (old, new):
        manifest.pop("apiVersion", None)  # the same object in another version
        for moved in _MOVED:
            _remove(manifest, moved)
        for name in _ANNOTATIONS:
            _remove(manifest, ("metadata", "annotations", name))
    for path in _FILLED_IN:
        if _at(old, path) is None:
            _remove(new, path)
    lines = difflib.unified_diff(_sorted(old), _sorted(new), "before", "now", lineterm="", n=2)
    return list(lines)[2:]


def as_yaml(manifest: Manifest) -> str:
    """As people write it. Every text that another reader of YAML might take for a number or a truth is quoted."""
    return str(yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000))


def _sorted(manifest: Manifest) -> list[str]:
    return str(yaml.dump(manifest, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=10_000)).splitlines()


class _Dumper(yaml.SafeDumper):
    """Block texts for what has lines; no aliases; lists indented as kubectl does not care."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 - any value
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if not text.replace("\n", "").isprintable():
        style = '"'  # some of these are line ends to some readers
    elif "\n" in text:
        style = "|"
    elif not _PLAIN.match(text) or text.lower() in _WORDS:
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _at(thing: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    for name in path:
        if not isinstance(thing, dict):
            return None
        thing = thing.get(name)
    return thing


def _remove(thing: Any, path: tuple[str, ...]) -> None:  # noqa: ANN401 - JSON
    """Take a value out, and what is empty without it."""
    parents = list(_parents(thing, path))
    if len(parents) < len(path) or path[-1] not in parents[-1]:
        return
    del parents[-1][path[-1]]
    for parent, name in zip(reversed(parents[:-1]), reversed(path[:-1]), strict=True):
        if not parent[name]:
            del parent[name]


def _parents(thing: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    for name in path:
        if not isinstance(thing, dict):
            return
        yield thing
        thing = thing.get(name)
