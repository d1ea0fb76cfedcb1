"""Who may read: every path but the health probes is covered, and what cannot be decided is refused."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from exporter import errors
from exporter.kube.reviews import User
from exporter.web import auth, server
from tests.unit.web.serving import PAGE, Content, Page

TOKEN = "token-of-prometheus"
PATHS = ["/metrics", "/", "/api/v1/upgrades", "/debug/probes", "/nothing", "/livez/", "/metrics/livez"]


class Cluster:
    """The API server's answers, set by hand, and what it was asked."""

    def __init__(self) -> None:
        self.users = {TOKEN: User(username="prometheus", groups=("scrapers",))}
        self.rights = {("prometheus", "/metrics")}
        self.away = False
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def user(self, token: str) -> User | None:
        self.asked.append("user")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.away:
            raise errors.Retry("connection refused", reason="connect")
        return self.users.get(token)

    async def may_get(self, user: User, path: str) -> bool:
        self.asked.append(path)
        return (user.username, path) in self.rights


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def client(cluster: Cluster, time: Time | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    gate = auth.Gate(cluster, monotonic=time or Time())
    async with (
        server.serving(Content(), page=Page(), address="127.0.0.1:0", gate=gate) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def status(http: aiohttp.ClientSession, path: str = "/metrics", token: str = "", method: str = "GET") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.request(method, path, headers=headers) as answer:
        return answer.status


async def test_who_has_the_right_reads() -> None:
    async with client(Cluster()) as http:
        async with http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200
            assert await answer.read() == PAGE
        assert await status(http, token=TOKEN, method="HEAD") == 200


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_is_covered(path: str) -> None:
    cluster = Cluster()
    async with client(cluster) as http:
        for method in ("GET", "HEAD", "POST"):
            assert await status(http, path, method=method) == 401
            assert await status(http, path, "somebody-else", method=method) == 401
        cluster.rights = set()
        assert await status(http, path, TOKEN) == 403


async def test_health_probes_are_open() -> None:
    async with client(Cluster()) as http:
        for path in auth.OPEN:
            assert await status(http, path) == 200


def test_what_the_server_serves_is_among_these_paths() -> None:
    served = set(re.findall(r"^\| `(/.*?)`", server.__doc__ or "", flags=re.MULTILINE))
    assert served > auth.OPEN
    assert served - auth.OPEN <= set(PATHS)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN])
async def test_without_a_bearer_token_the_answer_says_what_is_needed(header: str) -> None:
    cluster = Cluster()
    async with client(cluster) as http, http.get("/metrics", headers={"Authorization": header}) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert cluster.asked == []


async def test_a_decision_holds_for_its_path_and_a_while() -> None:
    cluster, time = Cluster(), Time()
    cluster.rights.add(("prometheus", "/"))
    async with client(cluster, time) as http:
        for _ in range(3):
            assert await status(http, token=TOKEN) == 200
        assert cluster.asked == ["user", "/metrics"]
        assert await status(http, "/", TOKEN) == 200
        assert cluster.asked == ["user", "/metrics", "user", "/"]
        cluster.rights.clear()
        time.now += auth.ALLOWED_SECONDS - 1
        assert await status(http, token=TOKEN) == 200
        time.now += 1
        assert await status(http, token=TOKEN) == 403


async def test_a_refusal_is_soon_forgotten() -> None:
    cluster, time = Cluster(), Time()
    async with client(cluster, time) as http:
        assert await status(http, token="new") == 401
        cluster.users["new"] = User(username="prometheus")
        assert await status(http, token="new") == 401
        time.now += auth.REFUSED_SECONDS
        assert await status(http, token="new") == 200


async def test_with_the_api_server_away_nobody_new_is_let_in(caplog: pytest.LogCaptureFixture) -> None:
    cluster, time = Cluster(), Time()
    cluster.users["other"] = User(username="prometheus")
    async with client(cluster, time) as http:
        assert await status(http, token=TOKEN) == 200
        cluster.away = True
        assert await status(http, token=TOKEN) == 200
        assert await status(http, token="other") == 503
        assert await status(http, token="other") == 503
        assert await status(http, "/livez") == 200
        time.now += auth.ALLOWED_SECONDS
        assert await status(http, token=TOKEN) == 503
        assert [record.message for record in caplog.records].count("readers_not_reviewed") == 1, "logged on change"
        cluster.away = False
        assert await status(http, token=TOKEN) == 200


async def test_strangers_are_no_burden_to_the_api_server() -> None:
    cluster = Cluster()
    async with client(cluster) as http:
        answers = await asyncio.gather(*(status(http, token=f"stranger-{n}") for n in range(40)))
        assert set(answers) == {401}
        assert cluster.most_at_once <= auth.AT_ONCE
        cluster.asked.clear()
        answers = await asyncio.gather(*(status(http, token=TOKEN) for _ in range(40)))
        assert set(answers) == {200}
        assert len(cluster.asked) <= 2 * auth.AT_ONCE, "who waits for a turn takes the decision that was made meanwhile"


async def test_memory_is_bounded() -> None:
    cluster = Cluster()
    async with client(cluster) as http:
        for n in range(auth.DECISIONS + 10):
            assert await status(http, token=f"stranger-{n}") == 401
        cluster.asked.clear()
        assert await status(http, token="stranger-0") == 401
        assert cluster.asked == ["user"], "forgotten"


async def test_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    cluster = Cluster()
    async with client(cluster) as http:
        await status(http, token=TOKEN)
        await status(http, "/", TOKEN)
        cluster.away = True
        await status(http, token="another-secret")
    assert "reader_refused" in caplog.text
    for token in (TOKEN, "another-secret"):
        assert token not in caplog.text
        assert hashlib.sha256(token.encode()).hexdigest() not in caplog.text
