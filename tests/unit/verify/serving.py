"""A small server that answers like Prometheus, or like something else, over real HTTP in a thread of its own."""

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Served:
    """Use it as a context manager; `requests` are those that came, as (path, query, headers)."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server of a test")
        self._runner: web.ServerRunner | None = None
        self.url = ""
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.path, dict(request.query), dict(request.headers)))
        return await self._handler(request)  # type: ignore[arg-type]


def says(body: str, *, status: int = 200, kind: str = "application/json", **headers: str) -> Handler:
    """Always the same."""

    async def handler(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(text=body, status=status, content_type=kind, headers=named)

    return handler


def document(result: list[Any], *, kind: str = "vector", warnings: list[str] | None = None) -> str:
    """As Prometheus answers."""
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data} | ({"warnings": warnings} if warnings else {}))
