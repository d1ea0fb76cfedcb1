"""Backups: what is saved is what was there, nobody else reads it, and whatever was touched since is noticed."""

import json
import pathlib
import resource
import stat
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from exporter import errors
from exporter.model import resources
from exporter.recording import backup
from exporter.recording.backup import Collected

CR = {
    "apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
    "spec": {}, "status": {"observedKubeVirtVersion": "v1.3.0"},
}  # fmt: skip
VM: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
    "metadata": {"name": "vm", "namespace": "team", "uid": "u"},
    "spec": {"template": {"spec": {"volumes": [{"name": "ci", "cloudInitNoCloud": {"userData": "s3cret"}}]}}},
}  # fmt: skip
POLICY = {"apiVersion": "migrations.kubevirt.io/v1alpha1", "kind": "MigrationPolicy", "metadata": {"name": "fast"}}
POLICIES = "migrationpolicies.migrations.kubevirt.io"
OBJECTS = {
    (resources.KUBEVIRTS, "kubevirt", "kubevirt"): CR,
    (resources.VMS, "team", "vm"): VM,
    (POLICIES, "", "fast"): POLICY,
}


def saved(folder: pathlib.Path, *, boot_data: bool = False, unread: dict[str, str] | None = None) -> backup.Saved:
    assert backup.save(folder, Collected(OBJECTS, unread or {}), at=0.0, boot_data=boot_data) == 3
    return backup.load(folder)


def test_what_is_saved_is_what_was_there(tmp_path: pathlib.Path) -> None:
    loaded = saved(tmp_path / "new" / "backup", boot_data=True)
    assert loaded.damaged == ()
    assert (loaded.header.kubevirt_version, loaded.header.at) == ("v1.3.0", "1970-01-01T00:00:00.000000Z")
    assert {entry.key for entry in loaded.entries} == set(OBJECTS)
    assert loaded.manifests[POLICIES, "", "fast"] == POLICY
    assert loaded.manifests[resources.VMS, "team", "vm"]["spec"] == VM["spec"]
    assert [entry.uid for entry in loaded.entries if entry.name == "vm"] == ["u"]


def test_first_boot_data_is_left_out_unless_it_is_asked_for(tmp_path: pathlib.Path) -> None:
    loaded = saved(tmp_path / "without")
    text = (tmp_path / "without" / resources.VMS / "team" / "vm.yaml").read_text()
    assert "s3cret" not in text
    assert text.startswith("# Left out, because it may hold secrets: spec.template.spec.volumes[ci]")
    assert [entry.left_out for entry in loaded.entries if entry.name == "vm"] != [[]]
    saved(tmp_path / "with", boot_data=True)
    assert "s3cret" in (tmp_path / "with" / resources.VMS / "team" / "vm.yaml").read_text()


def test_nobody_else_may_read_it(tmp_path: pathlib.Path) -> None:
    saved(tmp_path / "backup")
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    files = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_every_file_that_kubectl_would_take_is_a_manifest(tmp_path: pathlib.Path) -> None:
    saved(tmp_path / "backup")
    files = [path for path in (tmp_path / "backup").rglob("*") if path.suffix in (".yaml", ".yml", ".json")]
    assert len(files) == 3
    assert all({"apiVersion", "kind", "metadata"} <= set(yaml.safe_load(path.read_text())) for path in files)


def test_a_folder_with_something_in_it_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(errors.UsageError, match="is not empty"):
        backup.save(tmp_path, Collected(OBJECTS, {}), at=0.0, boot_data=False)
    with pytest.raises(errors.UsageError, match=r"Not a directory|File exists"):
        backup.save(tmp_path / "mine", Collected(OBJECTS, {}), at=0.0, boot_data=False)


@pytest.mark.parametrize("name", ["../../outside", "a/b", "..", "n" * 253, "\0"])
def test_whatever_an_object_is_called_its_file_is_in_the_folder(name: str, tmp_path: pathlib.Path) -> None:
    key = (resources.VMS, "../team", name)
    thing = VM | {"metadata": {"name": name, "namespace": "../team"}}
    backup.save(tmp_path / "a" / "backup", Collected({key: thing}, {}), at=0.0, boot_data=False)
    assert [path.name for path in tmp_path.rglob("*")][:2] == ["a", "backup"]
    assert set(tmp_path.rglob("*.yaml")) == set((tmp_path / "a" / "backup" / resources.VMS).rglob("*.yaml"))
    loaded = backup.load(tmp_path / "a" / "backup")
    assert loaded.damaged == ()
    assert list(loaded.manifests) == [key]


@pytest.mark.usefixtures("smallest_files")
def test_what_cannot_be_written_whole_is_no_backup(tmp_path: pathlib.Path) -> None:
    """A full disk, for example: there is no index then, so that nobody takes it for one."""
    with pytest.raises(errors.ExporterError, match=r"File too large; what is there is no backup: remove it"):
        backup.save(tmp_path / "backup", Collected(OBJECTS, {}), at=0.0, boot_data=False)
    with pytest.raises(errors.UnreadableError, match="this is no backup of ours"):
        backup.load(tmp_path / "backup")


@pytest.fixture(params=[10, 400], ids=["a manifest", "the index"])
def smallest_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """No file may become longer than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (request.param, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_whatever_was_touched_since_is_noticed(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "backup"
    saved(folder)
    (folder / resources.VMS / "team" / "vm.yaml").write_text("kind: Other\n")
    (folder / POLICIES / "fast.yaml").unlink()
    loaded = backup.load(folder)
    assert loaded.damaged == (
        f"{POLICIES}/fast.yaml: No such file or directory",
        f"{resources.VMS}/team/vm.yaml: was changed since the backup was made",
    )
    assert set(loaded.manifests) == {(resources.KUBEVIRTS, "kubevirt", "kubevirt")}


@pytest.mark.parametrize("place", ["../secret.yaml", "/etc/hostname"])
def test_an_index_does_not_lead_out_of_the_backup(place: str, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "backup"
    saved(folder)
    index = folder / backup.INDEX
    header, first, *_ = index.read_text().splitlines()
    index.write_text("\n".join([header, json.dumps(json.loads(first) | {"file": place})]))
    assert backup.load(folder).damaged == (f"{place}: lies outside the backup",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory: this is no backup of ours"),
        ("", "not the index of a backup"),
        ("hello\n", "not the index of a backup"),
        ('{"backup": 2, "at": "", "exporterVersion": "", "kubevirtVersion": "", "unread": {}}\n', "backup format 2"),
    ],
    ids=["none", "empty", "text", "later format"],
)
def test_what_is_no_backup_is_refused(content: str | None, said: str, tmp_path: pathlib.Path) -> None:
    if content is not None:
        (tmp_path / backup.INDEX).write_text(content)
    with pytest.raises(errors.UnreadableError) as refusal:
        backup.load(tmp_path)
    assert said in str(refusal.value)
