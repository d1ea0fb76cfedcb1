"""What an answer means: reasons of failures, fields that were dropped, verdicts on manifests."""

import json
from collections.abc import Mapping

import pytest

from exporter.kube.api import Response
from exporter.probes import manifests, result, writing
from exporter.probes.manifests import Manifest, Verdict

VM = writing.minimal_vm("v1")
SNAPSHOT = Manifest(
    name="snapshot",
    release="1.4",
    content={
        "apiVersion": "snapshot.kubevirt.io/v1beta1",
        "kind": "VirtualMachineSnapshot",
        "metadata": {"generateName": "x-"},
        "spec": {"source": {"name": "web"}, "deletionPolicy": "retain"},
    },
)


def answer(status: int, message: str = "") -> Response:
    return Response(status, {}, json.dumps({"kind": "Status", "message": message}).encode())


def created(body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return Response(201, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (429, "too many", "http_429"),
        (503, "unavailable", "http_5xx"),
        (403, "forbidden", "http_4xx"),
        (404, "not found", "http_4xx"),
        (302, "", "other"),
        (500, 'Internal error occurred: failed calling webhook "x": no endpoints', "webhook"),
        (403, 'admission webhook "x" denied the request: no', "webhook"),
        (422, "spec.x: Required value", "schema"),
        (400, "strict decoding error", "schema"),
    ],
)
def test_an_error_has_the_reason_that_its_status_and_message_say(status: int, message: str, reason: str) -> None:
    found = result.refused(answer(status, message))
    assert found is not None
    assert (found.reason, found.detail, found.ok) == (reason, message or '{"kind": "Status", "message": ""}', False)


def test_success_is_no_error() -> None:
    assert result.refused(answer(200)) is None


def test_what_a_server_says_is_one_line_of_bounded_length() -> None:
    found = result.refused(Response(500, {}, b"<html>\n" + b"x" * 10_000))
    assert found is not None
    assert found.detail.startswith("<html> xxx")
    assert len(found.detail) == result.DETAIL


@pytest.mark.parametrize(
    ("spec", "lost"),
    [
        (VM["spec"], []),
        ({"runStrategy": "x", "template": {"spec": {"domain": {"resources": {"requests": {"memory": "9M"}}}}}}, []),
        ({"runStrategy": "Halted"}, ["spec.template"]),
        ({"template": VM["spec"]["template"]}, ["spec.runStrategy"]),  # type: ignore[index]
    ],
    ids=["same", "defaulted", "part", "field"],
)  # fmt: skip
def test_fields_that_do_not_come_back_were_dropped(spec: object, lost: list[str]) -> None:
    """Values may be written otherwise; what is empty or false may be left out."""
    assert writing.dropped(VM, created({**VM, "metadata": {"name": "x"}, "spec": spec})) == lost


def test_members_of_lists_are_compared_in_their_places() -> None:
    asked = {"spec": {"disks": [{"name": "a", "bus": "virtio"}, {"name": "b"}], "flag": False}}
    assert writing.dropped(asked, created({"spec": {"disks": [{"name": "a"}, {"name": "b"}]}})) == ["spec.disks[0].bus"]
    assert writing.dropped(asked, created({"spec": {"disks": [{"name": "a"}]}})) == ["spec.disks"]


def test_an_answer_that_is_no_object_has_dropped_everything() -> None:
    assert writing.dropped(VM, Response(201, {}, b"<html>")) == ["everything"]


@pytest.mark.parametrize(
    ("response", "verdict", "detail"),
    [
        (created(SNAPSHOT.content), Verdict.ACCEPTED, ""),
        (
            created(SNAPSHOT.content, {"warning": '299 - "v1alpha1 is deprecated"'}),
            Verdict.WARNED,
            "v1alpha1 is deprecated",
        ),
        (
            created({**SNAPSHOT.content, "spec": {"source": {"name": "web"}}}),
            Verdict.PRUNED,
            "spec.deletionPolicy",
        ),
        (answer(400, 'strict decoding error: unknown field "spec.x"'), Verdict.PRUNED, None),
        (answer(422, "spec.source: Required value"), Verdict.REFUSED_SCHEMA, None),
        (answer(422, 'admission webhook "y" denied the request'), Verdict.REFUSED_WEBHOOK, None),
        (answer(500, 'failed calling webhook "y"'), Verdict.REFUSED_WEBHOOK, None),
        (answer(404, "the server could not find the requested resource"), Verdict.NOT_FOUND, None),
        (answer(403, "forbidden"), Verdict.NOT_PERMITTED, None),
        (answer(409, "exists"), Verdict.REFUSED_OTHER, None),
        (answer(503, "unavailable"), Verdict.NO_ANSWER, None),
    ],
)
def test_the_answer_to_a_manifest_is_its_verdict(response: Response, verdict: Verdict, detail: str | None) -> None:
    found = manifests.judge(SNAPSHOT, response)
    assert found.verdict is verdict
    assert detail is None or found.detail == detail
