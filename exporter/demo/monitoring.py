"""Prometheus and Alertmanager beside the demo, where they are installed: on loopback, with data of their own.

They load the project's alert rules where these are at hand. Whatever fails here is said and costs the demo nothing.
"""

import asyncio
import contextlib
import json
import pathlib
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp

from exporter import errors
from exporter.demo import programs

_PROGRAMS: Final = {"Prometheus": ("prometheus",), "Alertmanager": ("alertmanager", "prometheus-alertmanager")}
_START_SECONDS: Final = 20.0


@contextlib.asynccontextmanager
async def watching(
    exporter: str, *, folder: pathlib.Path, rules: Sequence[pathlib.Path]
) -> AsyncIterator[dict[str, str]]:
    """Start what is installed, to scrape the exporter at this HOST:PORT; yields where each is, or why it is not."""
    async with contextlib.AsyncExitStack() as stack:
        told: dict[str, str] = {}
        alertmanager = await _start(stack, told, "Alertmanager", _alertmanager(folder))
        arguments = _prometheus(folder, exporter=exporter, alertmanager=alertmanager, rules=rules)
        await _start(stack, told, "Prometheus", arguments)
        yield dict(reversed(told.items()))


async def _start(
    stack: contextlib.AsyncExitStack, told: dict[str, str], name: str, arguments: Sequence[str]
) -> str | None:
    """Its address, HOST:PORT; None where it does not run."""
    program = next(filter(None, map(shutil.which, _PROGRAMS[name])), None)
    if program is None:
        told[name] = "not installed"
        return None
    address = f"127.0.0.1:{_free_port()}"
    command = [program, *arguments, f"--web.listen-address={address}"]
    try:
        started = await stack.enter_async_context(programs.running(name, command))
        await _ready(started, f"http://{address}/-/ready")
    except errors.ExporterError as error:
        told[name] = str(error)
        return None
    told[name] = f"http://{address}"
    return address


async def _ready(started: programs.Program, url: str) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            started.check()
            await asyncio.sleep(0.1)


def _free_port() -> int:
    """One that nobody uses right now: these programs do not tell which one they took."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _alertmanager(folder: pathlib.Path) -> list[str]:
    """Alerts are shown, and go to nobody."""
    configuration = {"route": {"receiver": "nobody", "group_wait": "1s"}, "receivers": [{"name": "nobody"}]}
    file = folder / "alertmanager.yaml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    return [f"--config.file={file}", f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address="]


def _prometheus(
    folder: pathlib.Path, *, exporter: str, alertmanager: str | None, rules: Sequence[pathlib.Path]
) -> list[str]:
    configuration = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(rule) for rule in rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []},
        "scrape_configs": [
            {
                "job_name": "kubevirt-upgrade-exporter",
                "honor_labels": True,  # `namespace` is the guest's
                "static_configs": [{"targets": [exporter]}],
            }
        ],
    }
    file = folder / "prometheus.yaml"
    file.write_text(json.dumps(configuration))
    return [f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus'}", "--log.level=warn"]
