"""The exporter as the demo runs it: the command `run` in a process of its own, read as anybody would, over HTTP."""

import asyncio
import contextlib
import json
import pathlib
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import aiohttp

import exporter
from exporter import errors
from exporter.demo import programs
from exporter.exposition import reading
from exporter.model.report import Report
from exporter.report import decode
from exporter.web.status import Status

_START_SECONDS: Final = 30.0
_REQUEST_SECONDS: Final = 10.0


class Exporter:
    """A daemon that answers."""

    def __init__(self, program: programs.Program, http: aiohttp.ClientSession, *, port: int) -> None:
        self.program = program
        self.address = f"127.0.0.1:{port}"
        self._http = http
        self._started_at = time.time()

    async def reports(self) -> list[Report]:
        """All sessions so far, oldest first.

        Raises ExporterError: it does not answer, or has ended.
        """
        return decode.reports(await self._read("/api/v1/upgrades"))

    async def _read(self, path: str) -> bytes:
        self.program.check()
        try:
            async with self._http.get(path) as answer:
                answer.raise_for_status()
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.program.check()
            raise errors.ExporterError(f"the exporter does not answer: {error!r}") from error

    async def status(self) -> Status:
        """How it is doing, as far as its metrics tell.

        Raises ExporterError: it does not answer, or has ended.
        """
        return Status(
            version=exporter.__version__,
            now=time.time(),
            started_at=self._started_at,
            ready=True,
            stopping=False,
            resources=tuple(reading.watched(await self._read("/metrics"))),
        )

    async def ready(self) -> bool:
        """It has listed everything."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.get("/readyz") as answer:
                return answer.status == 200
        return False


@contextlib.asynccontextmanager
async def exporting(
    kubeconfig: pathlib.Path, *, port: int, flags: Sequence[str], environment: Mapping[str, str]
) -> AsyncIterator[Exporter]:
    """Start the daemon and wait until it has listed everything. Port 0 takes a free one.

    Raises ExporterError: it does not come up.
    """
    command = [sys.executable, "-m", "exporter", "run", "--kubeconfig", str(kubeconfig), "--log-format", "json"]
    command += ["--listen", f"127.0.0.1:{port}", *flags]
    ports: list[int] = []

    def heard(line: str) -> None:
        with contextlib.suppress(ValueError):
            match json.loads(line):
                case {"event": "listening", "port": int(number)}:
                    ports.append(number)
                case _:
                    pass

    async with programs.running("the exporter", command, environment=environment, heard=heard) as program:
        await program.until(lambda: bool(ports), seconds=_START_SECONDS)
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{ports[0]}", timeout=timeout) as http:
            started = Exporter(program, http, port=ports[0])
            await _listed(started)
            yield started


async def _listed(started: Exporter) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await started.ready():
                started.program.check()
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise errors.ExporterError(f"the exporter has not listed everything after {_START_SECONDS:g} s") from error
