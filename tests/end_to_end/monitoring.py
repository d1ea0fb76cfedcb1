"""Real Prometheus and Alertmanager on free ports of loopback, with data of their own, and a receiver of pages.

Whoever needs a program that is not installed is skipped, and says so.
"""

import asyncio
import contextlib
import json
import pathlib
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web

PATIENCE = 30.0
"""Seconds until a program counts as not coming up; nothing here takes so long."""


def program(*names: str) -> str:
    """The path of the first of these that is installed."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"{names[0]} is not installed")
    return path


def free_port() -> int:
    """One that nobody uses right now: these programs do not tell which one they took."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def ran(*command: str | pathlib.Path) -> str:
    """What a command printed.

    Raises RuntimeError: it failed, with what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} exits {process.returncode}: {said.decode()}")
    return said.decode()


class Server:
    """A program that answers over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http = http
        self.address = address
        """HOST:PORT."""

    async def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        """What it answers, which must be JSON and no error."""
        async with self._http.get(path, params=parameters) as answer:
            document = await answer.json(content_type=None)
            assert answer.status == 200, document
            return document

    async def post(self, path: str, document: object) -> None:
        """Send JSON, which must be taken."""
        async with self._http.post(path, json=document) as answer:
            assert answer.status == 200, await answer.text()


@contextlib.asynccontextmanager
async def serving(command: Sequence[str | pathlib.Path], *, log: pathlib.Path) -> AsyncIterator[Server]:
    """Start a program of the Prometheus project, wait until it is ready, and end it. Its log is shown if it fails."""
    address = f"127.0.0.1:{free_port()}"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, f"--web.listen-address={address}", stdout=output, stderr=output
        )
    try:
        async with aiohttp.ClientSession(f"http://{address}") as http:
            await _ready(process, http, log)
            yield Server(http, address)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, http: aiohttp.ClientSession, log: pathlib.Path) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get("/-/ready") as answer:
                    if answer.status == 200:
                        return
            if process.returncode is not None:
                pytest.fail(f"ended with {process.returncode}:\n{_text(log)}", pytrace=False)
            await asyncio.sleep(0.05)


def _text(log: pathlib.Path) -> str:
    return log.read_text()


def prometheus(
    folder: pathlib.Path, configuration: Mapping[str, Any], *flags: str
) -> contextlib.AbstractAsyncContextManager[Server]:
    """A Prometheus with its data in the folder."""
    file = folder / "prometheus.yaml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    return serving(
        [
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=10y",
            *flags,
        ],
        log=folder / "prometheus.log",
    )


def alertmanager(
    folder: pathlib.Path, configuration: Mapping[str, Any]
) -> contextlib.AbstractAsyncContextManager[Server]:
    """An Alertmanager with its data in the folder."""
    file = folder / "alertmanager.yaml"
    file.write_text(json.dumps(configuration))
    return serving(
        [
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={file}",
            f"--storage.path={folder / 'alertmanager'}",
            "--cluster.listen-address=",
        ],
        log=folder / "alertmanager.log",
    )


class Pager:
    """Receives what Alertmanager sends: notifications as it sends them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.notifications: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def receive(self, request: web.Request) -> web.Response:
        """Take a notification."""
        self.notifications.append(await request.json())
        self._news.set()
        return web.Response()

    async def news(self) -> None:
        """Wait for another notification."""
        self._news.clear()
        await self._news.wait()

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert of every notification, in the order of their coming."""
        return [alert for notification in self.notifications for alert in notification["alerts"]]


@contextlib.asynccontextmanager
async def paging() -> AsyncIterator[Pager]:
    """A receiver on a free port."""
    port = free_port()
    pager = Pager(f"http://127.0.0.1:{port}/")
    application = web.Application()
    application.router.add_post("/", pager.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield pager
    finally:
        await runner.cleanup()
