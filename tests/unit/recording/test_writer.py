"""What is written can be read again, is whole up to the last flush, keeps to its size, and holds no secrets."""

import json
import pathlib
from typing import Any

import msgspec
import pytest

from exporter import errors
from exporter.model import resources
from exporter.model.changes import ListReplaced, ObjectChanged, ProbeFinished, Sync, SyncChanged
from exporter.recording import trimming
from exporter.recording.lines import Lines
from exporter.recording.reader import Recording
from exporter.recording.recorder import WATCHED, Recorder
from exporter.recording.writer import Line, Writer, moment

START = 1_800_000_000.25
BY_NAME = {spec.name: spec for spec in WATCHED}
KUBEVIRTS, PODS, NODES = BY_NAME[resources.KUBEVIRTS], BY_NAME[resources.PODS], BY_NAME[resources.NODES]


def listed(*things: dict[str, Any]) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "7"}, "items": things}).encode()


def event(kind: str, thing: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": thing}).encode()


def named(name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"metadata": {"name": name, "uid": name} | ({"namespace": namespace} if namespace else {}), **rest}


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    with Lines(path) as file:
        return [{"type": line.type, "resource": line.resource, "text": line.text} for _, line in file]


def test_what_reflectors_read_is_what_replay_learns(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it"
    with Writer(path, started=START) as writer:
        recorder = Recorder(writer)
        recorder.listing(KUBEVIRTS, at=START)
        recorder.page(KUBEVIRTS, listed(named("kubevirt", "kubevirt")), at=START)
        recorder.listed(KUBEVIRTS, "7", at=START + 1)
        recorder.became(NODES, Sync.FORBIDDEN, "", at=START + 1.5)
        recorder.listing(PODS, at=START + 2)
        handler = named("virt-handler-x", "kubevirt", spec={"nodeName": "a"})
        handler["metadata"]["labels"] = {"kubevirt.io": "virt-handler"}
        launcher = named("virt-launcher-x", "team")
        launcher["metadata"]["labels"] = {"kubevirt.io": "virt-launcher"}
        recorder.page(PODS, listed(handler), at=START + 2)
        recorder.page(PODS, listed(launcher), at=START + 2)
        recorder.listed(PODS, "7", at=START + 3)
        recorder.became(PODS, Sync.INTERRUPTED, "7", at=START + 4)
        recorder.became(PODS, Sync.SYNCED, "7", at=START + 5)
        recorder.events(PODS, event("DELETED", launcher), at=START + 6)
        bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        recorder.events(PODS, b"\n".join([bookmark, b"not JSON", b""]), at=START + 7)
        recorder.probed(ProbeFinished(START + 9.5, "vm-list-v1", "new", START + 9, 0.5, "timeout"))
        recorder.mark("the end", at=START + 10)
    with Recording(path) as recording:
        changes = list(recording.changes())
        assert recording.ended == START + 10
    assert recording.notes == []
    told: list[tuple[float, str, object]] = []
    for change in changes:
        match change:
            case ListReplaced(at=at, resource=resource, added=added):
                told.append((at - START, resource, [thing.key for thing in added]))
            case SyncChanged(at=at, resource=resource, state=state):
                told.append((at - START, resource, state))
            case ObjectChanged(at=at, resource=resource, old=old, new=None):
                told.append((at - START, resource, old and old.key))
            case ProbeFinished(at=at, probe=probe, reason=reason):
                told.append((at - START, probe, reason))
            case _:
                pytest.fail(f"{change}")
    assert told == [
        (1.0, resources.KUBEVIRTS, ["kubevirt/kubevirt"]),
        (1.5, resources.NODES, Sync.FORBIDDEN),
        (3.0, resources.PODS, ["kubevirt/virt-handler-x"]),
        (3.0, resources.LAUNCHERS, ["team/virt-launcher-x"]),
        (4.0, resources.PODS, Sync.INTERRUPTED),
        (4.0, resources.LAUNCHERS, Sync.INTERRUPTED),
        (5.0, resources.PODS, Sync.SYNCED),
        (5.0, resources.LAUNCHERS, Sync.SYNCED),
        (6.0, resources.LAUNCHERS, "team/virt-launcher-x"),
        (9.5, "vm-list-v1", "timeout"),
    ]


def test_a_file_that_nobody_closed_is_whole_up_to_the_last_flush(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it"
    writer = Writer(path, started=START)
    for number in range(1000):
        writer.write(Line(at=moment(START), type="MARK", text=f"{number}"))
    writer.flush()
    writer.write(Line(at=moment(START), type="MARK", text="lost"))
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    assert [line["text"] for line in lines(copy)] == [str(number) for number in range(1000)]
    with Recording(copy) as recording:
        assert list(recording.changes()) == []
    assert "the compressed data ends after line 1001" in recording.notes[0]
    writer.__exit__(None, None, None)
    assert len(lines(path)) == 1001


def test_even_an_empty_recording_is_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it"
    writer = Writer(path, started=START)
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    assert lines(copy) == []
    writer.__exit__(None, None, None)


def test_a_full_file_takes_marks_only(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it"
    with Writer(path, started=START, limit=2000) as writer:
        for number in range(10_000):
            writer.write(Line(at=moment(START + number), type="LISTING", resource=f"resource-{number * 7919}"))
            if number % 100 == 0:
                writer.flush()
        assert writer.full
        writer.write(Line(at=moment(START), type="MARK", text="full"))
    assert path.stat().st_size < 4000
    found = lines(path)
    assert found[-1]["text"] == "full"
    assert len(found) == writer.lines < 10_000


def test_a_file_that_is_there_is_not_written_over(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it"
    path.write_text("precious")
    with pytest.raises(errors.UsageError, match="File exists"):
        Writer(path, started=START)
    assert path.read_text() == "precious"
    with pytest.raises(errors.UsageError, match="No such file or directory"):
        Writer(tmp_path / "none" / "it", started=START)


# --- what is left out


def raw(thing: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(thing).encode())


def test_first_boot_data_and_copies_of_manifests_are_left_out() -> None:
    vm = named(
        "vm",
        "team",
        spec={
            "template": {
                "spec": {
                    "volumes": [
                        {"name": "a", "cloudInitNoCloud": {"userData": "password: s3cret", "networkData": "s3cret"}},
                        {"name": "b", "cloudInitConfigDrive": {"userDataBase64": "czNjcmV0"}},
                        {"name": "c", "cloudInitNoCloud": {"userDataSecretRef": {"name": "mine"}}},
                    ]
                }
            }
        },
    )
    vm["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "password: s3cret", "a": "b"}
    vm["metadata"]["annotations"]["kubevirt.io/ignitiondata"] = '{"passwordHash": "s3cret"}'
    text = bytes(trimming.trimmed(resources.VMS, raw(vm)))
    assert b"s3cret" not in text
    assert b"czNjcmV0" not in text
    volumes = json.loads(text)["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["cloudInitNoCloud"]["userData"] == trimming.LEFT_OUT
    assert volumes[2]["cloudInitNoCloud"] == {"userDataSecretRef": {"name": "mine"}}
    annotations = {"a": "b", "kubevirt.io/ignitiondata": trimming.LEFT_OUT}
    assert json.loads(text)["metadata"]["annotations"] == annotations


def test_definitions_go_without_schemas() -> None:
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {}}, "subresources": {}}]
    crd = named("a.b", spec={"group": "b", "versions": versions}, status={"storedVersions": ["v1"]})
    kept = json.loads(bytes(trimming.trimmed(resources.CRDS, raw(crd))))
    assert kept["spec"]["versions"] == [{"name": "v1", "served": True, "storage": True}]
    assert kept["status"] == {"storedVersions": ["v1"]}


def test_what_needs_no_change_is_not_touched() -> None:
    thing = msgspec.Raw(b'{"b": 1,  "a": [2]}')
    assert trimming.trimmed(resources.NODES, thing) is thing


def test_an_object_on_many_lines_is_put_on_one() -> None:
    assert bytes(trimming.trimmed(resources.NODES, msgspec.Raw(b'{\n "a":\n 1}'))) == b'{"a":1}'


def test_nothing_that_holds_secrets_is_watched() -> None:
    plurals = {spec.plural for spec in WATCHED}
    assert not plurals & {"secrets", "configmaps"}
    assert len({spec.recorded_as for spec in WATCHED}) == len(WATCHED)
    assert {spec.recorded_as for spec in WATCHED} == {spec.recorded_as for spec in resources.RESOURCES}
