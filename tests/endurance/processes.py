"""Daemons that can be killed, one after the other, and what each of them answers."""

import asyncio
import contextlib
import json
import math
import os
import pathlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.conftest import REPOSITORY

PATIENCE = 30.0


class Process:
    """A daemon. A pid names it until it is dead; a descriptor, for ever."""

    def __init__(self, pid: int, log: pathlib.Path, begins: int) -> None:
        """`begins`: where its part of the log begins."""
        self.born = time.time()
        self.died = math.inf
        self._descriptor = os.pidfd_open(pid)
        self._dead = asyncio.Event()
        self._log = log
        self._begins = begins
        self._ends: int | None = None
        asyncio.get_running_loop().add_reader(self._descriptor, self._died)

    def _died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.died = time.time()
        self._ends = self._log.stat().st_size
        self._dead.set()

    @property
    def alive(self) -> bool:
        return not self._dead.is_set()

    async def end(self, number: signal.Signals) -> None:
        """Send it a signal, and wait until it is gone."""
        if self.alive:
            signal.pidfd_send_signal(self._descriptor, number)
        async with asyncio.timeout(PATIENCE):
            await self._dead.wait()

    @property
    def events(self) -> dict[str, dict[str, Any]]:
        """What it has logged, the last of each."""
        text = self._log.read_bytes()[self._begins : self._ends]
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith(b"}\n")]
        return {line["event"]: line for line in lines}

    async def get(self, path: str) -> str:
        """Of its web server, with status 200."""
        port = self.events["listening"]["port"]
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
            assert answer.status == 200
            return await answer.text()


class Nursery:
    """Where processes come from; the log of all is one file."""

    def __init__(self, nursery: asyncio.subprocess.Process, log: pathlib.Path) -> None:
        log.touch()
        self._nursery = nursery
        self._log = log
        self._born: list[Process] = []

    async def bear(self, config: pathlib.Path, *flags: str) -> Process:
        """Start a daemon."""
        begins = self._log.stat().st_size
        arguments = ["run", "--kubeconfig", str(config), "--listen", "127.0.0.1:0", "--log-format", "json"]
        arguments += flags
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps({"arguments": arguments, "log": str(self._log)}).encode() + b"\n")
        process = Process(int(await self._nursery.stdout.readline()), self._log, begins)
        self._born.append(process)
        return process

    async def end(self) -> None:
        for process in self._born:
            if process.alive:
                await process.end(signal.SIGKILL)


@contextlib.asynccontextmanager
async def nursery(log: pathlib.Path) -> AsyncIterator[Nursery]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.endurance.nursery",
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Nursery(process, log)
    try:
        yield made
    finally:
        await made.end()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
