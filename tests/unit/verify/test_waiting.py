"""Waiting for the end of a session: against a server on which it goes on, with time that is injected."""

from aiohttp import web

from exporter.verify import waiting
from exporter.verify.prometheus import Prometheus, Source
from exporter.verify.sessions import Found
from tests.unit.verify.serving import Served, document

START = 1_800_000_000.0


class Upgrade:
    """A Prometheus that has seen one session begin at START, and end later, if ever."""

    def __init__(self, *, began: float = START, over: float | None = None) -> None:
        self.began = began
        self.over = over
        self.now = START
        self.away = False
        self.told: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            return web.Response(status=503, text="away")
        query = request.query["query"]
        over = self.over is not None and self.now >= self.over
        if "start_timestamp" in query:
            values = [[self.began, str(self.began)], [self.now, str(self.began)]] if self.now >= self.began else []
            result = [{"metric": {"job": "kue"}, "values": values}] if values else []
            return web.json_response(text=document(result, kind="matrix"))
        if "end_timestamp" in query:
            result = [{"metric": {}, "values": [[self.over, str(self.over)]]}] if over else []
            return web.json_response(text=document(result, kind="matrix"))
        metric = {"phase": "control_plane"} if "phase" in query else {"from_version": "v1", "to_version": "v2"}
        return web.json_response(text=document([{"metric": metric, "value": [self.now, "0.45"]}]))

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def wait(self, *, deadline: float) -> Found | None:
        with Served(self.answer) as server:
            async with Prometheus(Source(url=server.url)) as prometheus:
                return await waiting.wait(
                    prometheus,
                    deadline=START + deadline,
                    labels={},
                    now=lambda: self.now,
                    sleep=self.sleep,
                    tell=self.told.append,
                )


async def test_it_waits_for_the_end_and_tells_how_far_it_is() -> None:
    upgrade = Upgrade(began=START - 60, over=START + 100)
    session = await upgrade.wait(deadline=3600)
    assert session is not None
    assert (session.start, session.ended) == (START - 60, START + 100)
    assert upgrade.told == ["v1 to v2: control plane, control plane 45%"]


async def test_it_waits_for_one_to_begin() -> None:
    upgrade = Upgrade(began=START + 40, over=START + 100)
    assert await upgrade.wait(deadline=3600) is not None
    assert upgrade.told[0] == "no session is under way; waiting for one to begin"


async def test_one_that_was_over_before_is_another_one() -> None:
    upgrade = Upgrade(began=START - 500, over=START - 100)
    assert await upgrade.wait(deadline=60) is None
    assert upgrade.told == ["no session is under way; waiting for one to begin"]


async def test_it_gives_up_at_the_deadline() -> None:
    upgrade = Upgrade(began=START - 60)
    assert await upgrade.wait(deadline=100) is None
    assert upgrade.now <= START + 100


async def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    upgrade = Upgrade(began=START - 60, over=START + 100)
    upgrade.away = True
    plain = upgrade.sleep

    async def sleep(seconds: float) -> None:
        upgrade.away = False
        await plain(seconds)

    upgrade.sleep = sleep  # type: ignore[method-assign]
    assert await upgrade.wait(deadline=3600) is not None
    assert "HTTP 503" in upgrade.told[0]
