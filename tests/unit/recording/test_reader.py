"""Recordings as changes: what each line becomes, in which order and at which time, and what a broken file costs."""

import datetime as dt
import gzip
import itertools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from exporter import errors
from exporter.model import resources
from exporter.model.changes import Change, ListReplaced, ObjectChanged, ProbeFinished, Sync, SyncChanged
from exporter.recording.reader import Mark, Recording

START = 1_787_130_000.0
VM, NODE, POD, KV = resources.VMS, resources.NODES, "pods", resources.KUBEVIRTS

Write = Callable[..., pathlib.Path]


def time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(START + seconds, tz=dt.UTC).isoformat()


def header(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"recording": 1, "started": time(0), "ended": time(1000), **fields}


def line(at: float, kind: str, resource: str = "", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"at": time(at), "type": kind, "resource": resource, **fields}


def thing(name: str, *, namespace: str = "ns", uid: str = "u", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    labels = fields.pop("labels", None)
    return {"metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": labels}, **fields}


def listing(at: float, resource: str, *objects: object) -> list[dict[str, Any]]:
    items = [line(at, "ITEM", resource, object=o) for o in objects]
    return [line(at, "LISTING", resource), *items, line(at, "LISTED", resource, resourceVersion="1")]


def probe(sent: float, seconds: float, status: int = 200, error: str | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = {"probe": "p", "connection": "new", "status": status, "seconds": seconds, "error": error}
    return line(sent, "PROBE", **fields)


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    """Writes a recording of these lines, below a header."""

    def write(*lines: object, head: object = None, packed: bool = False) -> pathlib.Path:
        path = tmp_path / "recording"
        text = "".join(json.dumps(part) + "\n" for part in (head or header(), *lines)).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
        return path

    return write


def read(path: pathlib.Path, **options: str) -> list[Change]:
    with Recording(path, **options) as recording:
        return list(recording.changes())


def keys(change: Change) -> list[str]:
    assert isinstance(change, ListReplaced)
    return [o.key for o in change.added]


# --- lists and events


def test_list_is_one_change_at_its_end(write: Write) -> None:
    lines = listing(5, VM, thing("a"), thing("b"))
    lines[-1]["at"] = time(7)
    (change,) = read(write(*lines))
    assert isinstance(change, ListReplaced)
    assert (change.at, change.resource, change.initial, keys(change)) == (START + 7, VM, True, ["ns/a", "ns/b"])


def test_second_list_is_a_difference(write: Write) -> None:
    second = listing(9, VM, thing("b"), thing("c", uid="new"), thing("d"))
    _, change = read(write(*listing(5, VM, thing("a"), thing("b"), thing("c")), *second))
    assert isinstance(change, ListReplaced)
    assert [o.key for o in change.removed] == ["ns/a"]
    assert [(old.uid, new.uid) for old, new in change.changed] == [("u", "new")]
    assert keys(change) == ["ns/d"]
    assert not change.initial


def test_events_are_changes_of_objects(write: Write) -> None:
    events = [
        line(1, "ADDED", VM, object=thing("a")),
        line(2, "MODIFIED", VM, object=thing("a", spec={"running": True})),
        line(3, "MODIFIED", VM, object=thing("a", spec={"running": True}, status={"of": "no use to us"})),
        line(4, "DELETED", VM, object=thing("a")),
        line(5, "DELETED", VM, object=thing("a")),
    ]
    result = read(write(*listing(0, VM), *events))[1:]
    assert all(isinstance(change, ObjectChanged) for change in result)
    shown = [(c.at - START, c.old and c.old.key, c.new and c.new.key) for c in result if isinstance(c, ObjectChanged)]
    assert shown == [(1, None, "ns/a"), (2, "ns/a", "ns/a"), (4, "ns/a", None)]


def test_list_that_did_not_finish_says_nothing(write: Write) -> None:
    lines = [
        line(1, "LISTING", VM),
        line(1, "ITEM", VM, object=thing("half")),
        *listing(2, VM, thing("a")),
        line(3, "LISTED", VM),
    ]
    (change,) = read(write(*lines))
    assert keys(change) == ["ns/a"]


def test_unknown_types_and_resources_are_ignored(write: Write) -> None:
    lines = [
        line(1, "NEWS", VM, object={}),
        line(1, "ADDED", "events", object=7),
        {"at": time(1), "type": "X", "y": 1},
        *listing(2, "namespaces", thing("a")),
    ]
    assert read(write(*lines)) == []


# --- sync


def test_broken_stream_is_told_once_and_ends_with_the_next_event(write: Write) -> None:
    lines = [
        *listing(0, VM),
        line(1, "DISCONNECTED", VM),
        line(2, "ERROR", VM, object={"kind": "Status", "status": "Failure", "code": 410}),
        line(3, "DISCONNECTED", VM),
        line(4, "ADDED", VM, object=thing("a")),
        line(5, "DISCONNECTED", VM),
        line(6, "BOOKMARK", VM, resourceVersion="9"),
    ]
    _, *result = read(write(*lines))
    assert [(c.at - START, c.state) for c in result if isinstance(c, SyncChanged)] == [
        (1, Sync.INTERRUPTED),
        (4, Sync.SYNCED),
        (5, Sync.INTERRUPTED),
        (6, Sync.SYNCED),
    ]
    assert [type(c) for c in result[:3]] == [SyncChanged, SyncChanged, ObjectChanged]


def test_list_ends_a_gap_by_itself(write: Write) -> None:
    lines = [*listing(0, VM), line(1, "DISCONNECTED", VM), *listing(2, VM), line(3, "BOOKMARK", VM)]
    assert [type(c) for c in read(write(*lines))] == [ListReplaced, SyncChanged, ListReplaced]


def test_stream_that_breaks_before_the_first_list_was_never_in_sync(write: Write) -> None:
    assert read(write(line(1, "DISCONNECTED", VM), line(2, "BOOKMARK", VM))) == []


# --- pods are two resources of ours


def pod(name: str, label: str | None, namespace: str = "kubevirt", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return thing(name, namespace=namespace, labels=None if label is None else {"kubevirt.io": label}, **fields)


def test_pods_are_split_by_label_and_namespace(write: Write) -> None:
    pods = [
        pod("handler", "virt-handler"),
        pod("other", None),
        pod("launcher", "virt-launcher", namespace="team"),
        pod("disk", "hotplug-disk", namespace="team"),
    ]
    result = read(write(*listing(0, POD, *pods), *listing(1, KV, thing("kv", namespace="kubevirt"))))
    assert {c.resource: keys(c) for c in result if isinstance(c, ListReplaced)} == {
        resources.PODS: ["kubevirt/handler"],
        resources.LAUNCHERS: ["team/launcher"],
        KV: ["kubevirt/kv"],
    }


def test_namespace_can_be_given(write: Write) -> None:
    path = write(*listing(0, POD, pod("a", "x", namespace="one"), pod("b", "x", namespace="two")))
    both, one = read(path), read(path, namespace="one")
    assert [keys(c) for c in both if c.resource == resources.PODS] == [["one/a", "two/b"]]  # type: ignore[union-attr]
    assert [keys(c) for c in one if c.resource == resources.PODS] == [["one/a"]]  # type: ignore[union-attr]


def test_pod_that_loses_its_label_is_gone(write: Write) -> None:
    """As with a watch under a selector."""
    lines = [
        *listing(0, POD, pod("a", "virt-launcher")),
        line(1, "MODIFIED", POD, object=pod("a", None)),
        line(2, "MODIFIED", POD, object=pod("a", None)),
    ]
    result = [c for c in read(write(*lines)) if isinstance(c, ObjectChanged)]
    assert [(c.at - START, c.resource, c.new) for c in result] == [(1, resources.LAUNCHERS, None)]


def test_broken_pod_stream_breaks_both(write: Write) -> None:
    result = read(write(*listing(0, POD), line(1, "DISCONNECTED", POD)))
    told = {c.resource for c in result if isinstance(c, SyncChanged)}
    assert told == {resources.PODS, resources.LAUNCHERS}


# --- probes and marks


def test_probe_is_learnt_when_it_ends(write: Write) -> None:
    """A slow one is learnt after what happened meanwhile; times never go back."""
    lines = [
        probe(1, 5.0, status=0, error="timed out"),
        line(2, "ADDED", VM, object=thing("a")),
        probe(3, 0.5),
        line(4, "ADDED", VM, object=thing("b")),
        line(9, "ADDED", VM, object=thing("c")),
    ]
    result = read(write(*lines))
    assert [round(c.at - START, 3) for c in result] == [2, 3.5, 4, 6, 9]
    probes = [c for c in result if isinstance(c, ProbeFinished)]
    assert [(c.sent - START, c.seconds, c.reason) for c in probes] == [(3, 0.5, ""), (1, 5.0, "timeout")]
    assert (probes[0].probe, probes[0].connection) == ("p", "new")


def test_probe_that_was_written_late_is_learnt_where_it_stands(write: Write) -> None:
    change, late = read(write(line(8, "ADDED", VM, object=thing("a")), probe(1, 0.5)))
    assert isinstance(late, ProbeFinished)
    assert (change.at, late.at, late.sent) == (START + 8, START + 8, START + 1)


def test_probes_open_at_the_end_are_learnt_at_the_end(write: Write) -> None:
    (change,) = read(write(probe(9, 30.0), head=header(ended=time(10))))
    assert change.at == START + 10


def test_clock_that_went_back_stands_still(write: Write) -> None:
    events = [line(at, "ADDED", VM, object=thing(name)) for at, name in ((5, "a"), (3, "b"), (6, "c"))]
    assert [c.at - START for c in read(write(*events))] == [5, 5, 6]


def test_marks_are_kept(write: Write) -> None:
    with Recording(write(line(3, "MARK", text="go"))) as recording:
        assert list(recording.changes()) == []
        assert recording.marks == [Mark(START + 3, "go")]


def test_end_is_the_headers_or_that_of_the_last_line(write: Write) -> None:
    for head, end in ((header(), 1000), (header(ended=None), 3)):
        with Recording(write(line(3, "MARK", text="go"), head=head)) as recording:
            list(recording.changes())
            assert (recording.started, recording.ended) == (START, START + end)


# --- malformed objects


def test_malformed_object_costs_itself_only(write: Write) -> None:
    """It is counted each time and named once; in a list its last state stays."""
    bad = thing("bad", spec=7)
    lines = [
        *listing(0, VM, thing("a"), thing("bad")),
        line(1, "MODIFIED", VM, object=bad),
        *listing(2, VM, thing("a"), bad),
        line(3, "DELETED", VM, object=bad),
    ]
    path = write(*lines)
    with Recording(path) as recording:
        _, relist, deleted = recording.changes()
    assert isinstance(relist, ListReplaced)
    assert (relist.added, relist.changed, relist.removed) == ((), (), ())
    assert isinstance(deleted, ObjectChanged)
    assert deleted.new is None
    assert recording.malformed == {VM: 2}
    (note,) = recording.notes
    assert note.startswith(f"{path}: line 6: malformed: {VM} ns/bad: ")


def test_list_with_an_object_without_a_name_removes_nothing(write: Write) -> None:
    """Nobody knows which of the missing ones it was."""
    lines = [*listing(0, VM, thing("a"), thing("b")), *listing(1, VM, {"metadata": {}}, thing("a"))]
    _, relist = read(write(*lines))
    assert isinstance(relist, ListReplaced)
    assert relist.removed == ()


# --- files


def test_gzip_is_read_as_well(write: Write) -> None:
    lines = listing(0, VM, thing("a"))
    assert read(write(*lines, packed=True)) == read(write(*lines))


def test_gzip_that_was_cut_is_read_up_to_there(write: Write, tmp_path: pathlib.Path) -> None:
    whole = write(*listing(0, VM, *(thing(f"vm-{n}", uid=str(n) * 9) for n in range(2000))), packed=True)
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[:-40])
    with Recording(cut) as recording:
        assert list(recording.changes()) == []
    (note,) = recording.notes
    assert 1900 < int(note.removeprefix(f"{cut}: the compressed data ends after line ")) < 2003


def test_last_line_that_was_cut_is_left_out(write: Write) -> None:
    path = write(*listing(0, VM), line(1, "ADDED", VM, object=thing("a")), line(2, "ADDED", VM, object=thing("b")))
    path.write_bytes(path.read_bytes()[:-20])
    with Recording(path) as recording:
        assert [type(c) for c in recording.changes()] == [ListReplaced, ObjectChanged]
    assert recording.notes == [f"{path}: line 5 is cut off"]


def test_last_line_needs_no_line_end(write: Write) -> None:
    path = write(*listing(0, VM))
    path.write_bytes(path.read_bytes().rstrip())
    with Recording(path) as recording:
        assert len(list(recording.changes())) == 1
    assert recording.notes == []


def unreadable(path: pathlib.Path) -> str:
    with pytest.raises(errors.UnreadableError) as caught, Recording(path) as recording:
        list(recording.changes())
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def test_missing_file(tmp_path: pathlib.Path) -> None:
    assert unreadable(tmp_path / "none") == "No such file or directory"
    assert unreadable(tmp_path) == "Is a directory"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"hello\n", b'{"recording": "x"}\n', b"\x1f\x8bxx", b"\x1f\x8b"]
)
def test_file_that_is_no_recording(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert unreadable(path).startswith("line 1: ")


def test_recording_of_a_later_format_is_refused(write: Write) -> None:
    assert unreadable(write(head=header(recording=2))) == "line 1: recording format 2, known is 1"


@pytest.mark.parametrize("bad", [b"x\n", b"{}\n", b"\n", b'{"at": "yesterday", "type": "MARK"}\n', b'{"at": null}\n'])
def test_broken_line_is_named(write: Write, bad: bytes) -> None:
    path = write(line(1, "MARK", text="a"), line(2, "MARK", text="b"))
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second + bad + third)
    assert unreadable(path).startswith("line 3: not readable: ")


def test_corrupt_gzip_is_refused(write: Write) -> None:
    path = write(*listing(0, VM, *(thing(f"vm-{n}") for n in range(500))), packed=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "not readable" in unreadable(path)


# --- real recordings


def test_real_recordings_are_read_without_loss(recordings: pathlib.Path) -> None:
    """Every object decodes, times never go back, and each upgrade's 19 migrations succeed."""
    paths = sorted(recordings.glob("*.jsonl.gz"))
    assert paths
    for path in paths:
        with Recording(path) as recording:
            result = list(recording.changes())
        assert (recording.malformed, recording.notes) == ({}, [])
        assert all(a.at <= b.at for a, b in itertools.pairwise(result))
        assert result[-1].at <= recording.ended
        listed = {c.resource for c in result if isinstance(c, ListReplaced)}
        assert listed >= resources.DECIDING
        assert recording.marks[-1].text == "recording stopped"


def test_migrations_of_the_clean_upgrade(recordings: pathlib.Path) -> None:
    path = recordings / "upgrade-1.3.0-1.4.0.jsonl.gz"
    succeeded = {
        c.new.key
        for c in read(path)
        if isinstance(c, ObjectChanged) and c.resource == resources.MIGRATIONS and c.new is not None
        if c.new.phase == "Succeeded"  # type: ignore[attr-defined]
    }
    assert len(succeeded) == 19
