"""Comparing with a backup: gone, made again, changed, and what cannot be compared."""

import copy
import pathlib
from typing import Any

from exporter.model import resources
from exporter.model.findings import Finding, State
from exporter.recording import backup
from exporter.recording.backup import Collected, Saved
from exporter.verify import comparing


def vm(name: str, **spec: object) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team", "uid": f"uid of {name}"}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": dict(spec)}


BEFORE = {(resources.VMS, "team", name): vm(name, runStrategy="Always") for name in ("a", "b")}


def saved(folder: pathlib.Path, **unread: str) -> Saved:
    backup.save(folder / "backup", Collected(BEFORE, unread), at=0.0, boot_data=False)
    return backup.load(folder / "backup")


def compared(saved: Saved, now: dict[backup.Key, Any], **unread: str) -> dict[str, Finding]:
    found = list(comparing.compare(saved, Collected(now, unread)))
    assert {finding.check for finding in found} == set(comparing.CHECKS)
    return {finding.check: finding for finding in reversed(found)}


def test_nothing_happened(tmp_path: pathlib.Path) -> None:
    found = compared(saved(tmp_path), BEFORE)
    assert {finding.state for finding in found.values()} == {State.PASS}


def test_new_objects_are_nobodys_business(tmp_path: pathlib.Path) -> None:
    found = compared(saved(tmp_path), BEFORE | {(resources.VMS, "team", "c"): vm("c")})
    assert {finding.state for finding in found.values()} == {State.PASS}


def test_an_object_is_gone(tmp_path: pathlib.Path) -> None:
    found = compared(saved(tmp_path), {key: thing for key, thing in BEFORE.items() if key[2] == "a"})
    assert found["backup-kept"].state is State.FAIL
    assert found["backup-kept"].details == (f"{resources.VMS} team/b",)


def test_an_object_was_made_again(tmp_path: pathlib.Path) -> None:
    now = copy.deepcopy(BEFORE)
    now[resources.VMS, "team", "b"]["metadata"]["uid"] = "another"
    found = compared(saved(tmp_path), now)
    assert found["backup-same-object"].state is State.WARN
    assert found["backup-kept"].state is State.PASS


def test_an_object_was_changed(tmp_path: pathlib.Path) -> None:
    found = compared(saved(tmp_path), BEFORE | {(resources.VMS, "team", "b"): vm("b", runStrategy="Halted")})
    finding = found["backup-unchanged"]
    assert (finding.state, finding.summary) == (State.WARN, f"{resources.VMS} team/b was changed")
    assert {"-  runStrategy: Always", "+  runStrategy: Halted"} <= set(finding.details)


def test_first_boot_data_of_today_is_not_shown_either(tmp_path: pathlib.Path) -> None:
    volumes = [{"name": "ci", "cloudInitNoCloud": {"userData": "password: s3cret"}}]
    now = vm("b", runStrategy="Always", template={"spec": {"volumes": volumes}})
    found = compared(saved(tmp_path), BEFORE | {(resources.VMS, "team", "b"): now})
    finding = found["backup-unchanged"]
    assert finding.state is State.WARN
    assert "cloudInitNoCloud" in str(finding.details)
    assert "s3cret" not in str(finding.details)


def test_of_many_changed_objects_some_are_shown(tmp_path: pathlib.Path) -> None:
    many = {(resources.VMS, "team", f"vm-{n}"): vm(f"vm-{n}") for n in range(25)}
    backup.save(tmp_path / "backup", Collected(many, {}), at=0.0, boot_data=False)
    now = {key: vm(key[2], running=True) for key in many}
    found = list(comparing.compare(backup.load(tmp_path / "backup"), Collected(now, {})))
    changed = [finding for finding in found if finding.check == "backup-unchanged"]
    assert len(changed) == comparing.NAMED + 1
    assert changed[-1].summary == "5 more objects were changed"


def test_what_cannot_be_read_now_is_not_gone(tmp_path: pathlib.Path) -> None:
    found = compared(saved(tmp_path), {}, **{resources.VMS: "HTTP 403"})
    assert found["backup-whole"].state is State.UNKNOWN
    assert found["backup-whole"].details == (f"{resources.VMS}: HTTP 403",)
    assert found["backup-kept"].state is State.PASS


def test_what_could_not_be_read_then_is_said_again(tmp_path: pathlib.Path) -> None:
    found = compared(saved(tmp_path, **{resources.KUBEVIRTS: "HTTP 403"}), BEFORE)
    assert found["backup-whole"].state is State.UNKNOWN


def test_a_damaged_backup_is_no_proof(tmp_path: pathlib.Path) -> None:
    saved(tmp_path)
    file = tmp_path / "backup" / resources.VMS / "team" / "a.yaml"
    file.write_text(file.read_text().replace("Always", "Halted"))
    found = compared(backup.load(tmp_path / "backup"), BEFORE)
    assert found["backup-whole"].state is State.UNKNOWN
    assert found["backup-unchanged"].state is State.PASS
