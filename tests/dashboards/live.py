"""A page of a daemon that really runs: what a replay cannot have, such as its memory, its watches and its probes."""

import asyncio
import math
import os
import pathlib
import time

import aiohttp

from exporter import sim
from exporter.demo import exposed
from tests.end_to_end import backfill

PATIENCE = 30.0
TIMES = 6
WANTED = (
    "kubevirt_upgrade_manifest_verdict{", 'kubevirt_upgrade_api_requests_total{connection="new"',
    "kubevirt_upgrade_virt_api_versions_seen",
)  # fmt: skip


async def pages(folder: pathlib.Path) -> str:
    """One page, as if it had been scraped several times from soon on: time passes, and nothing is counted meanwhile."""
    simulation = sim.Simulation(sim.load("clean"), start_at=None)
    await simulation.serve()
    try:
        async with exposed.exporting(
            simulation.kubeconfig(folder / "kubeconfig"),
            port=0,
            flags=["--probe-namespace=default"],
            environment=os.environ,
        ) as daemon:
            page = await _read(f"http://{daemon.address}/metrics")
    finally:
        await simulation.stop()
    soon = math.ceil(time.time() / 60) * 60
    moments = [soon + number * backfill.STEP for number in range(TIMES)]
    lines = [f"{line} {at}" for at in moments for line in page.splitlines() if line[0] != "#"]
    return "\n".join([*lines, "# EOF"])


def complete(page: str) -> bool:
    """Everything has been tried once."""
    return all(wanted in page for wanted in WANTED)


async def _read(url: str) -> str:
    async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        page = await _page(http, url)
        while not complete(page):
            await asyncio.sleep(0.1)
            page = await _page(http, url)
        return page


async def _page(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as answer:
        return await answer.text()
