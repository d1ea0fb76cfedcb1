"""The daemon as a process, against an API server over HTTP: it comes up, stays up, and ends as it is told."""

import asyncio
import contextlib
import json
import pathlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from prometheus_client import parser

from exporter.model import resources
from tests.conftest import REPOSITORY
from tests.contract.server import EVERYTHING, Resource, Server

PATIENCE = 30.0
"""Seconds until a test gives up; nothing here takes so long."""
TOKEN = "a-token"
KUBEVIRTS = Resource("kubevirt.io", "kubevirts")


def kubevirt_at(target: str) -> dict[str, Any]:
    """A KubeVirt CR that is at v1.4.0 and wants to be at this version."""
    return {
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {},
        "status": {
            "phase": "Deployed",
            "operatorVersion": target,
            "targetKubeVirtVersion": target,
            "targetDeploymentID": f"id of {target}",
            "observedKubeVirtVersion": "v1.4.0",
            "observedDeploymentID": "id of v1.4.0",
        },
    }


class Daemon:
    """The process, and what it answers."""

    def __init__(self, process: asyncio.subprocess.Process, http: aiohttp.ClientSession, port: int) -> None:
        self.process = process
        self._http = http
        self._port = port

    async def get(self, path: str) -> tuple[int, str]:
        async with self._http.get(f"http://127.0.0.1:{self._port}{path}") as answer:
            return answer.status, await answer.text()

    async def becomes(self, path: str, status: int, text: str = "") -> str:
        """Ask until the answer is this one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                got, said = await self.get(path)
                if got == status and text in said:
                    return said
                await asyncio.sleep(0.05)

    async def values(self, name: str) -> dict[tuple[str, ...], float]:
        """The series of a name by the values of their labels."""
        _, page = await self.get("/metrics")
        families = parser.text_string_to_metric_families(page)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {tuple(sample.labels.values()): sample.value for sample in samples}

    async def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(10):
            return await self.process.wait()


def serve(server: Server, *, kubevirt: bool = True) -> None:
    """Serve all that we watch to whoever has the token, with a KubeVirt that rests, or without KubeVirt."""
    server.permitted[TOKEN] = EVERYTHING
    for spec in resources.RESOURCES:
        if kubevirt or not spec.group.endswith("kubevirt.io"):
            server.served[Resource(spec.group, spec.plural)] = list(spec.versions)
    if kubevirt:
        server.put(KUBEVIRTS, kubevirt_at("v1.4.0"))


def kubeconfig(folder: pathlib.Path, server: Server) -> pathlib.Path:
    path = folder / "kubeconfig"
    named = {"name": "here"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{server.port}"}}],
        "users": [named | {"user": {"token": TOKEN}}],
        "contexts": [named | {"context": {"cluster": "here", "user": "here"}}],
        "current-context": "here",
    }
    path.write_text(json.dumps(content))
    return path


@contextlib.asynccontextmanager
async def daemon(config: pathlib.Path, *flags: str) -> AsyncIterator[Daemon]:
    arguments = ["-m", "exporter", "run", "--kubeconfig", str(config), "--listen", "127.0.0.1:0", *flags]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=REPOSITORY, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        port = 0
        async with asyncio.timeout(PATIENCE):
            while not port:
                line = (await process.stderr.readline()).decode()
                assert line, "the daemon has ended"
                sys.stderr.write(line)
                if found := re.search(r" listening .*port=(\d+)", line):
                    port = int(found[1])
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as reading:
            reading.create_task(_read(process.stderr))
            try:
                yield Daemon(process, http, port)
            finally:
                if process.returncode is None:
                    process.kill()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _read(stream: asyncio.StreamReader) -> None:
    """What the daemon logs, for whoever reads of a failed test."""
    while line := await stream.readline():
        sys.stderr.write(line.decode())


async def test_it_lists_serves_and_ends_on_sigterm(tmp_path: pathlib.Path) -> None:
    async with Server() as server:
        serve(server)
        async with daemon(kubeconfig(tmp_path, server)) as it:
            await it.becomes("/readyz", 200)
            assert await it.values("kubevirt_upgrade_in_progress") == {(): 0.0}
            synced = await it.values("kubevirt_upgrade_exporter_resource_synced")
            assert synced == {(spec.name,): 1.0 for spec in resources.RESOURCES}
            assert (await it.values("process_resident_memory_bytes"))[()] > 1_000_000
            assert await it.get("/api/v1/upgrades") == (200, "[]\n")
            status, page = await it.get("/")
            assert status == 200
            assert "<html" in page
            assert await it.end(signal.SIGTERM) == 0


async def test_it_sees_an_upgrade_begin(tmp_path: pathlib.Path) -> None:
    async with Server() as server:
        serve(server)
        async with daemon(kubeconfig(tmp_path, server)) as it:
            await it.becomes("/readyz", 200)
            server.put(KUBEVIRTS, kubevirt_at("v1.5.0"))
            [report] = json.loads(await it.becomes("/api/v1/upgrades", 200, "v1.5.0"))
            assert (report["fromVersion"], report["toVersion"]) == ("v1.4.0", "v1.5.0")
            assert await it.values("kubevirt_upgrade_in_progress") == {(): 1.0}


async def test_it_stays_live_and_ready_when_the_api_goes_away(tmp_path: pathlib.Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with Server() as server:
            serve(server)
            it = await stack.enter_async_context(daemon(kubeconfig(tmp_path, server)))
            await it.becomes("/readyz", 200)
        await it.becomes("/metrics", 200, 'resource_state{resource="pods",state="interrupted"} 1.0')
        assert await it.get("/livez") == (200, "ok\n")
        assert await it.get("/readyz") == (200, "ok\n")
        assert (await it.values("kubevirt_upgrade_exporter_api_errors_total")) != {}
        assert await it.end(signal.SIGINT) == 0


async def test_it_ends_in_time_while_the_api_server_hangs(tmp_path: pathlib.Path) -> None:
    """It has taken connections and answers nothing any more: neither watches, probes nor our Lease may hold us up."""
    config = tmp_path / "kubeconfig"
    simulator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exporter.sim", "clean", "--stay", "--kubeconfig", str(config),
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert simulator.stdout is not None
        assert await simulator.stdout.readline()
        async with daemon(config) as it:
            await it.becomes("/readyz", 200)
            await it.becomes("/metrics", 200, "kubevirt_upgrade_exporter_journal_holder 1")
            simulator.send_signal(signal.SIGSTOP)
            assert await it.get("/livez") == (200, "ok\n")
            assert await it.end(signal.SIGTERM) == 0
    finally:
        simulator.kill()
        await simulator.wait()


async def test_it_is_live_and_not_ready_while_it_cannot_list(tmp_path: pathlib.Path) -> None:
    async with Server() as server:
        serve(server)
        server.fail(lambda request: request.path.endswith("/nodes"), times=1_000_000, status=503)
        async with daemon(kubeconfig(tmp_path, server)) as it:
            assert await it.becomes("/readyz", 503, "not listed yet: nodes\n") == "not listed yet: nodes\n"
            assert await it.get("/livez") == (200, "ok\n")
            assert (await it.values("kubevirt_upgrade_exporter_resource_synced"))["nodes",] == 0
            assert 'kubevirt_upgrade_exporter_objects{resource="nodes"}' not in (await it.get("/metrics"))[1]
            assert await it.end(signal.SIGTERM) == 0


async def test_what_is_forbidden_is_shown_and_the_rest_works(tmp_path: pathlib.Path) -> None:
    async with Server() as server:
        serve(server)
        server.permitted[TOKEN] = {spec.plural for spec in resources.RESOURCES} - {"nodes"}
        async with daemon(kubeconfig(tmp_path, server)) as it:
            await it.becomes("/readyz", 200)
            states = await it.values("kubevirt_upgrade_exporter_resource_state")
            assert states["nodes", "forbidden"] == 1
            assert states["pods", "synced"] == 1


async def test_a_cluster_without_kubevirt_is_watched_too(tmp_path: pathlib.Path) -> None:
    async with Server() as server:
        serve(server, kubevirt=False)
        async with daemon(kubeconfig(tmp_path, server)) as it:
            await it.becomes("/readyz", 200)
            states = await it.values("kubevirt_upgrade_exporter_resource_state")
            assert states[resources.KUBEVIRTS, "absent"] == 1
