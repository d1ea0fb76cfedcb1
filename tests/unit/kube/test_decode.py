"""Pages of lists and watch events: what is read, and what one malformed object costs."""

import json
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from exporter import errors
from exporter.kube import decode
from exporter.kube.decode import DECODERS, Bookmarked, Ended, Malformed, Removed, Upserted

VMI = DECODERS["vmi"]


def vmi(name: str, **status: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": "41"}, "status": status}


def page(items: object, *, token: str | None = None) -> bytes:
    return json.dumps({"kind": "L", "metadata": {"resourceVersion": "42", "continue": token}, "items": items}).encode()


def event(kind: str, thing: object) -> decode.Event:
    return VMI.event(json.dumps({"type": kind, "object": thing}).encode())


# --- pages


def test_page_of_a_list() -> None:
    result = VMI.page(page([vmi("a"), vmi("b", phase="Running")], token="more"))
    assert [o.key for o in result.objects] == ["ns/a", "ns/b"]
    assert (result.malformed, result.token, result.version) == ([], "more", "42")


@pytest.mark.parametrize("items", [None, []])
def test_empty_list(items: object) -> None:
    result = VMI.page(page(items))
    assert (result.objects, result.malformed, result.token, result.version) == ([], [], "", "42")


@pytest.mark.parametrize(
    "bad",
    [
        vmi("bad", phase=7),
        vmi("bad", conditions={}),
        vmi("bad", conditions=[None]),
        vmi("bad", migrationState="x"),
        {**vmi("bad"), "status": []},
    ],
    ids=lambda bad: json.dumps(bad["status"]),
)
def test_malformed_object_in_a_list_costs_itself_only(bad: object) -> None:
    """It is named, the others are read, the version and the token are kept."""
    result = VMI.page(page([vmi("a"), bad, vmi("b")], token="t"))
    assert [o.key for o in result.objects] == ["ns/a", "ns/b"]
    assert [(m.key, m.version) for m in result.malformed] == [("ns/bad", "41")]
    assert "$.status" in result.malformed[0].error
    assert (result.token, result.version) == ("t", "42")


def test_text_that_is_no_utf8_is_malformed() -> None:
    body = page([vmi("a"), vmi("bad", phase="X"), vmi("b")]).replace(b'"X"', b'"\xff"')
    result = VMI.page(body)
    assert [o.key for o in result.objects] == ["ns/a", "ns/b"]
    assert [m.key for m in result.malformed] == ["ns/bad"]


@pytest.mark.parametrize("bad", [7, None, {}, {"metadata": {"name": 7}}], ids=str)
def test_object_that_cannot_be_named(bad: object) -> None:
    result = VMI.page(page([vmi("a"), bad]))
    assert [o.key for o in result.objects] == ["ns/a"]
    assert [(m.key, m.version) for m in result.malformed] == [("", "")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html>",
        b'{"metadata": {}, "items": []}',
        b'{"metadata": {"resourceVersion": "1"}}',
        b'{"items": [',
    ],
)
def test_what_is_no_list_is_not_an_empty_list(body: bytes) -> None:
    with pytest.raises(errors.UnreadableError, match="not a list"):
        VMI.page(body)


# --- events


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
def test_object_appears_or_changes(kind: str) -> None:
    result = event(kind, vmi("a", phase="Running"))
    assert isinstance(result, Upserted)
    assert (result.object.key, result.version) == ("ns/a", "41")


def test_type_may_stand_behind_the_object() -> None:
    assert isinstance(VMI.event(json.dumps({"object": vmi("a"), "type": "ADDED"}).encode()), Upserted)


def test_object_goes() -> None:
    assert event("DELETED", vmi("a")) == Removed("ns/a", "41")


def test_deletion_of_a_malformed_object_is_understood() -> None:
    assert event("DELETED", vmi("a", phase=7)) == Removed("ns/a", "41")


def test_bookmark_has_only_a_version() -> None:
    thing = {"kind": "X", "metadata": {"resourceVersion": "99", "creationTimestamp": None}, "spec": {"template": {}}}
    assert event("BOOKMARK", thing) == Bookmarked("99")


def test_error_ends_the_watch() -> None:
    """The Status has a string where objects have a struct."""
    status = {"kind": "Status", "status": "Failure", "message": "too old", "reason": "Expired", "code": 410}
    assert event("ERROR", status) == Ended(410, "too old", None)
    assert event("ERROR", {"code": 429, "details": {"retryAfterSeconds": 1}}) == Ended(429, "", 1.0)
    assert event("ERROR", None) == Ended(0, "", None)


def test_malformed_event_is_named_and_keeps_its_version() -> None:
    result = event("MODIFIED", vmi("bad", phase=7))
    assert isinstance(result, Malformed)
    assert (result.key, result.version) == ("ns/bad", "41")


@pytest.mark.parametrize(
    "line", [b"", b"x", b"{}", b'{"type": "ADDED"}', b'{"type": "NEW", "object": {}}', b"[" * 9999]
)
def test_line_that_is_no_event(line: bytes) -> None:
    result = VMI.event(line)
    assert isinstance(result, Malformed)
    assert result.key == ""


@pytest.mark.parametrize(
    "wrong", [b"x", b'{"type": "ADDED"}', b'{"type": "NEW", "object": {}}', b'{"type": "ADDED"', b'"']
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_line_that_is_no_event_costs_only_itself(wrong: bytes, end: bytes) -> None:
    lines = [json.dumps({"type": "MODIFIED", "object": vmi(name)}).encode() for name in "ab"]
    block = b"\n".join([lines[0], wrong, b"", lines[1]]) + end
    first, middle, last = VMI.events(memoryview(block))
    assert (first, last) == (event("MODIFIED", vmi("a")), event("MODIFIED", vmi("b")))
    assert isinstance(middle, Malformed)


def test_malformed_object_among_others_is_named() -> None:
    things = [vmi("a"), vmi("bad", phase=7), vmi("b")]
    block = b"".join(json.dumps({"type": "ADDED", "object": thing}).encode() + b"\n" for thing in things)
    assert VMI.events(block) == [event("ADDED", thing) for thing in things]


def test_values_of_an_object_do_not_reach_messages() -> None:
    result = event("MODIFIED", vmi("bad", phase=["secret"]))
    assert isinstance(result, Malformed)
    assert "secret" not in result.error


# --- Status


def test_status_of_a_refusal() -> None:
    body = b'{"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "metadata": {"continue": "x"}}'
    assert (decode.status(body).code, decode.status(body).reason) == (410, "Expired")


@pytest.mark.parametrize("body", [b"", b"Too many requests", b"[]", b'{"code": "x"}'])
def test_what_is_no_status_says_nothing(body: bytes) -> None:
    assert decode.status(body).code is None


# --- anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def mutate(data: st.DataObject, value: Any) -> Any:  # noqa: ANN401
    """The value with some parts replaced by anything."""
    if data.draw(st.integers(0, 9)) == 0:
        return data.draw(json_values)
    if isinstance(value, dict):
        return {name: mutate(data, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [mutate(data, inner) for inner in value]
    return value


SEEDS: dict[str, Any] = {
    "vmi": vmi("a", phase="Running", conditions=[{"type": "Ready", "status": "True"}], migrationState={"failed": True}),
    "vm": {
        "metadata": {"name": "a", "managedFields": [{"manager": "m", "time": "2026-08-19T09:00:00Z"}]},
        "spec": {"running": True},
        "status": {"stateChangeRequests": [{"action": "Stop", "uid": "u"}]},
    },
    "pod": {
        "metadata": {
            "name": "a",
            "labels": {"kubevirt.io": "virt-operator"},
            "ownerReferences": [{"controller": True}],
        },
        "spec": {"containers": [{"name": "c", "image": "i:1", "env": [{"name": "KUBEVIRT_VERSION", "value": "v1"}]}]},
        "status": {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "r"}}, "lastState": {}}]},
    },
    "migration": {
        "metadata": {"name": "a"},
        "spec": {"vmiName": "v"},
        "status": {"phase": "Failed", "phaseTransitionTimestamps": [{"phase": "Failed"}], "migrationState": {}},
    },
}


@pytest.mark.parametrize("kind", SEEDS)
@hypothesis.given(data=st.data())
def test_no_object_breaks_the_decoder(kind: str, data: st.DataObject) -> None:
    """Whatever a field holds, the object is read or called malformed; in a list the neighbours are read."""
    decoder = DECODERS[kind]
    thing = mutate(data, SEEDS[kind])
    body = msgspec.json.encode(thing)
    alone = decoder.item(body)
    result = decoder.page(page([{"metadata": {"name": "before"}}, thing, {"metadata": {"name": "after"}}]))
    assert [o.key for o in result.objects if o != alone] == ["before", "after"]
    assert len(result.objects) + len(result.malformed) == 3
    assert isinstance(alone, Malformed) == bool(result.malformed)
    assert isinstance(decoder.event(b'{"type":"ADDED","object":' + body + b"}"), Malformed) == bool(result.malformed)
