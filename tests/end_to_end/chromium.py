"""A headless Chromium and one page in it, driven through the DevTools protocol.

`async with chromium.page() as page` starts a browser of its own in a folder of its own and ends it. Skips, saying so,
where there is no Chromium.
"""

import asyncio
import contextlib
import json
import pathlib
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)
DEADLINE = 30.0
"""Seconds, against hanging."""


class Page:
    """What a person at the browser can do and see."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._sent = 0
        self.complaints: list[str] = []
        """Whatever the browser's console said: errors of scripts, refused contents."""

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol, answered."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": parameters})
        async with asyncio.timeout(DEADLINE):
            while True:
                message = json.loads(await self._socket.receive_str())
                self._note(message)
                if message.get("id") == self._sent:
                    assert "error" not in message, message
                    result: dict[str, Any] = message["result"]
                    return result

    def _note(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"method": "Log.entryAdded", "params": {"entry": {"text": text}}}:
                self.complaints.append(text)
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.complaints.append(str(details))
            case _:
                pass

    async def look(self, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Through a window of this size, with a system that is light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def ask(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """The value of an expression (or of its promise) in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true."""
        look = f"const look = () => ({script}) ? done() : setTimeout(look, 20)"
        await self.ask(f"new Promise((done) => {{ {look}; look(); }})")


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """An empty page."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            program,
            *FLAGS,
            f"--user-data-dir={folder}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _port(pathlib.Path(folder, "DevToolsActivePort"), process)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                async with session.get("/json/list") as answer:
                    [target] = [t for t in await answer.json(content_type=None) if t["type"] == "page"]
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    opened = Page(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await opened.call(f"{domain}.enable")
                    yield opened
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def _port(file: pathlib.Path, process: asyncio.subprocess.Process) -> int:
    """Chromium writes it there as soon as it listens."""
    async with asyncio.timeout(DEADLINE):
        while not (lines := _lines(file)):
            assert process.returncode is None, "the browser ended"
            await asyncio.sleep(0.02)
        return int(lines[0])


def _lines(file: pathlib.Path) -> list[str]:
    """Of a file that is complete; none before."""
    text = file.read_text() if file.exists() else ""
    return text.splitlines() if "\n" in text else []
