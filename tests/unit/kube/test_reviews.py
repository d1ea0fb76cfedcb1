"""Reviews: what is asked, what the answers mean, and that a token appears in nothing that is said.

How a real API server answers is in tests/contract/test_reviews.py.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from exporter import errors
from exporter.kube.api import Response
from exporter.kube.reviews import Reviewer, User

TOKEN = "a-secret-token"


class Server:
    """Gives one answer, and keeps what it was asked."""

    def __init__(self, status: int, answer: Any) -> None:  # noqa: ANN401 - any JSON
        self.answer = Response(status, {}, answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        self.path = ""
        self.asked: Any = None

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> Response:
        assert method == "POST"
        assert headers["Content-Type"] == "application/json"
        self.path, self.asked = path, json.loads(body)
        return self.answer


async def test_a_token_is_somebodys() -> None:
    known = {"username": "ann", "uid": "1", "groups": ["a", "b"], "extra": {"scopes": ["x"]}}
    server = Server(201, {"status": {"authenticated": True, "user": known}})
    user = await Reviewer(server).user(TOKEN)
    assert user == User(username="ann", uid="1", groups=("a", "b"), extra={"scopes": ("x",)})
    assert server.path == "/apis/authentication.k8s.io/v1/tokenreviews"
    assert server.asked["spec"] == {"token": TOKEN}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"authenticated": False, "user": {"username": "ann"}},
        {"authenticated": True},
        {"authenticated": True, "user": {"username": ""}},
        {"error": "expired"},
    ],
)
async def test_anything_less_than_a_name_is_nobody(status: dict[str, Any]) -> None:
    assert await Reviewer(Server(201, {"status": status})).user(TOKEN) is None


async def test_the_right_is_asked_for_the_path_and_whole_user() -> None:
    server = Server(201, {"status": {"allowed": True}})
    user = User(username="ann", uid="1", groups=("a",), extra={"scopes": ("x",)})
    assert await Reviewer(server).may_get(user, "/metrics")
    assert server.path == "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert server.asked["spec"] == {
        "user": "ann",
        "uid": "1",
        "groups": ["a"],
        "extra": {"scopes": ["x"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


@pytest.mark.parametrize("status", [{}, {"allowed": False}, {"allowed": True, "denied": True}])
async def test_only_a_plain_yes_lets_in(status: dict[str, Any]) -> None:
    assert not await Reviewer(Server(201, {"status": status})).may_get(User(username="ann"), "/metrics")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (403, {"message": f"refused with {TOKEN}"}),
        (500, f"broke on {TOKEN}".encode()),
        (201, b"<html>"),
        (201, {}),
        (201, {"status": {"authenticated": "yes", "allowed": TOKEN}}),
    ],
)
async def test_what_is_no_answer_is_an_error_that_tells_no_token(status: int, answer: Any) -> None:  # noqa: ANN401
    reviewer = Reviewer(Server(status, answer))
    for review in (reviewer.user(TOKEN), reviewer.may_get(User(username="ann"), "/metrics")):
        with pytest.raises(errors.ApiError) as caught:
            await review
        assert TOKEN not in str(caught.value)
