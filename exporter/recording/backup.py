"""A backup of configuration: a folder of manifests, one file each, and an index with hashes.

    DIR/index.jsonl                                      a header, then a line for each file
    DIR/virtualmachines.kubevirt.io/team-a/vm-1.yaml     `kubectl apply -R -f DIR` takes them all

What virt-operator makes itself (the common instancetypes) is left out; Secrets are never read. Not here: what is done
with a difference (`exporter.verify`).
"""

import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import yaml

import exporter
from exporter import errors
from exporter.kube import listing
from exporter.kube.api import Api
from exporter.kube.kinds.metadata import MANAGERS
from exporter.model import resources
from exporter.recording import manifests
from exporter.recording.manifests import Manifest
from exporter.recording.writer import moment

FORMAT: Final = 1
INDEX: Final = "index.jsonl"
KINDS: Final = {
    resources.KUBEVIRTS: "KubeVirt",
    resources.VMS: "VirtualMachine",
    "virtualmachineinstancetypes.instancetype.kubevirt.io": "VirtualMachineInstancetype",
    "virtualmachineclusterinstancetypes.instancetype.kubevirt.io": "VirtualMachineClusterInstancetype",
    "virtualmachinepreferences.instancetype.kubevirt.io": "VirtualMachinePreference",
    "virtualmachineclusterpreferences.instancetype.kubevirt.io": "VirtualMachineClusterPreference",
    "migrationpolicies.migrations.kubevirt.io": "MigrationPolicy",
}
"""What is backed up, by our name of the resource."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,199}")

Key = tuple[str, str, str]
"""Resource, namespace (empty for cluster-scoped objects), name."""


class Collected(msgspec.Struct, frozen=True):
    """The objects of a cluster as they are, and what could not be read, with the reason."""

    objects: Mapping[Key, Manifest]
    unread: Mapping[str, str]


class Header(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The first line of the index."""

    backup: int
    at: str
    exporter_version: str
    kubevirt_version: str
    unread: dict[str, str]


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Any other line."""

    file: str
    resource: str
    namespace: str
    name: str
    uid: str
    sha256: str
    left_out: list[str]
    """Where first-boot data was left out."""

    @property
    def key(self) -> Key:
        """Which object it is."""
        return self.resource, self.namespace, self.name


class Saved(msgspec.Struct, frozen=True):
    """A backup that was read."""

    header: Header
    entries: tuple[Entry, ...]
    manifests: Mapping[Key, Manifest]
    damaged: tuple[str, ...]
    """Files that are missing, or are not what the index says."""


async def collect(api: Api) -> Collected:
    """Read all objects that are backed up; what cannot be read is noted."""
    objects: dict[Key, Manifest] = {}
    unread: dict[str, str] = {}
    for name, kind in KINDS.items():
        found: dict[Key, Manifest] = {}
        spec = resources.BY_NAME[name]
        try:
            async for raw in listing.raw(api, spec):
                thing: Manifest = msgspec.json.decode(raw)
                metadata = thing["metadata"]
                if (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by") in MANAGERS:
                    continue
                thing.setdefault("apiVersion", f"{spec.group}/{spec.versions[0]}")
                thing.setdefault("kind", kind)
                found[name, metadata.get("namespace", ""), metadata["name"]] = thing
        except errors.Absent:
            continue  # no such kind: nothing to back up
        except (errors.ApiError, errors.UnreadableError, ValueError, KeyError, TypeError) as error:
            unread[name] = str(error)
        else:
            objects |= found
    return Collected(objects, unread)


def prepare(folder: pathlib.Path) -> None:
    """Make the folder. Raises UsageError: there is something in it, or it cannot be made."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise errors.UsageError(f"{folder}: is not empty; a backup wants a folder of its own")
    except OSError as error:
        raise errors.UsageError(f"{error.filename or folder}: {error.strerror}") from error


def save(folder: pathlib.Path, collected: Collected, *, at: float, boot_data: bool) -> int:
    """Write a backup, and return the number of objects; only its owner may read it.

    Raises UsageError as `prepare` does, and ExporterError: it cannot be written whole.
    """
    prepare(folder)
    try:
        entries = [_save(folder, key, thing, boot_data=boot_data) for key, thing in sorted(collected.objects.items())]
        header = Header(
            backup=FORMAT,
            at=moment(at),
            exporter_version=exporter.__version__,
            kubevirt_version=_version(collected.objects),
            unread=dict(collected.unread),
        )
        # Last, and at once: a folder without an index is no backup.
        unfinished = folder / f"{INDEX}.unfinished"
        _write(unfinished, b"".join(msgspec.json.encode(line) + b"\n" for line in (header, *entries)))
        unfinished.rename(folder / INDEX)
    except OSError as error:
        raise errors.ExporterError(f"{folder}: {error.strerror}; what is there is no backup: remove it") from error
    return len(entries)


def _save(folder: pathlib.Path, key: Key, thing: Manifest, *, boot_data: bool) -> Entry:
    resource, namespace, name = key
    manifest = manifests.clean(thing)
    left_out = [] if boot_data else manifests.without_boot_data(manifest)
    notes = "".join(f"# Left out, because it may hold secrets: {place}\n" for place in left_out)
    text = (notes + manifests.as_yaml(manifest)).encode()
    file = pathlib.PurePosixPath(resource, *map(_file_name, filter(None, [namespace])), f"{_file_name(name)}.yaml")
    _write(folder / file, text)
    return Entry(
        file=str(file), resource=resource, namespace=namespace, name=name, uid=thing["metadata"].get("uid", ""),
        sha256=hashlib.sha256(text).hexdigest(), left_out=left_out,
    )  # fmt: skip


def _file_name(name: str) -> str:
    """The name, or a stand-in for one that is too long for a file or leads elsewhere; the index has it in full."""
    return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()


def _write(path: pathlib.Path, text: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
        file.write(text)


def _version(objects: Mapping[Key, Manifest]) -> str:
    versions = (
        str((thing.get("status") or {}).get("observedKubeVirtVersion", ""))
        for (resource, _, _), thing in objects.items()
        if resource == resources.KUBEVIRTS
    )
    return next(versions, "")


def load(folder: pathlib.Path) -> Saved:
    """Read a backup. Raises UnreadableError: there is none."""
    path = folder / INDEX
    try:
        first, *rest = path.read_bytes().splitlines()
        header = msgspec.json.decode(first, type=Header)
        entries = tuple(msgspec.json.decode(line, type=Entry) for line in rest)
    except OSError as error:
        raise errors.UnreadableError(f"{path}: {error.strerror}: this is no backup of ours") from error
    except ValueError as error:
        raise errors.UnreadableError(f"{path}: not the index of a backup: {error}") from error
    if header.backup != FORMAT:
        raise errors.UnreadableError(f"{path}: backup format {header.backup}, known is {FORMAT}")
    found: dict[Key, Manifest] = {}
    damaged: list[str] = []
    for entry in entries:
        manifest = _read(folder, entry)
        if isinstance(manifest, str):
            damaged.append(f"{entry.file}: {manifest}")
        else:
            found[entry.key] = manifest
    return Saved(header, entries, found, tuple(damaged))


def _read(folder: pathlib.Path, entry: Entry) -> Manifest | str:
    """The manifest, or what is wrong with its file."""
    path = folder / entry.file
    if ".." in pathlib.PurePosixPath(entry.file).parts or not path.is_relative_to(folder):
        return "lies outside the backup"
    try:
        text = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    if hashlib.sha256(text).hexdigest() != entry.sha256:
        return "was changed since the backup was made"
    manifest: Any = yaml.safe_load(text)
    return manifest if isinstance(manifest, dict) else "is no manifest"


def names(keys: Iterable[Key]) -> list[str]:
    """`resource namespace/name`, sorted."""
    return sorted(f"{resource} {namespace}/{name}" if namespace else f"{resource} {name}"
                  for resource, namespace, name in keys)  # fmt: skip
