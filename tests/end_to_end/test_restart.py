"""Real processes and `kill -9`: on the simulator as time runs, and on a real API server."""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import shutil
import signal
from collections.abc import AsyncIterator
from typing import Any

import yaml

from exporter import errors, settings, sim
from exporter.kube import access
from exporter.kube.api import Api
from exporter.model import resources
from exporter.sim.scenario import When
from tests.conftest import REPOSITORY
from tests.contract.subjects import kubeconfig
from tests.end_to_end.test_run import Daemon, daemon
from tests.real_apiserver import ADMIN, RealApiServer

Json = dict[str, Any]

PATIENCE = 60.0
PACE = 25.0
"""So much shorter is the story."""
GROUP = "/apis/kubevirt-upgrade-exporter.io/v1alpha1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OWN_DEFINITION = REPOSITORY / "deploy" / "chart" / "crds" / "upgradereports.yaml"
QUICK = ("--journal-interval", "1", "--journal-lease-duration", "2", "--judgement-delay", "2", "--settling", "3")


@contextlib.asynccontextmanager
async def admin(config: pathlib.Path) -> AsyncIterator[Api]:
    async with Api(await access.load(settings.Cluster(kubeconfig=str(config))), deadline=30) as api:
        yield api


async def reports(api: Api, namespace: str) -> list[Json]:
    body: Json = json.loads(await api.get(f"{GROUP}/{namespace}/upgradereports"))
    items: list[Json] = body["items"]
    return items


async def define(api: Api, definition: Json) -> None:
    """Define a custom resource, if it is not defined, and wait until it is served."""
    with contextlib.suppress(errors.Conflict):
        await api.write("POST", DEFINITIONS, definition)
    spec = definition["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(errors.Absent, errors.Retry):
                await api.get(path)
                return
            await asyncio.sleep(0.05)


async def written(api: Api, it: Daemon, what: str, *, after: str = "", namespace: str = "kubevirt") -> Json:
    """The status of the one report, once this is in it and it is newer than that."""
    async with asyncio.timeout(PATIENCE):
        while True:
            items = await reports(api, namespace)
            status: Json = items[0].get("status", {}) if items else {}
            if what in json.dumps(status) and status.get("observedUntil", "") > after:
                assert len(items) == 1
                return status
            assert it.process.returncode is None
            await asyncio.sleep(0.1)


async def kill(process: Daemon) -> None:
    assert await process.end(signal.SIGKILL) == -signal.SIGKILL


# --- on the simulator


def story() -> sim.Scenario:
    """An upgrade begins, and a guest runs out of memory."""
    scenario = sim.load("guest-oom")
    upgrade, interrupt = scenario.steps
    steps = (
        dataclasses.replace(upgrade, when=When(at=1 * PACE)),
        dataclasses.replace(interrupt, when=When(at=6 * PACE)),
    )
    return dataclasses.replace(scenario, steps=steps)


@contextlib.asynccontextmanager
async def moving(simulation: sim.Simulation) -> AsyncIterator[None]:
    """The story goes on as time does."""

    async def move() -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(0.05)
            simulation.advance(loop.time() - last)
            last = loop.time()

    clock = asyncio.create_task(move())
    try:
        yield
    finally:
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)


async def test_killed_thrice_in_a_simulated_upgrade(tmp_path: pathlib.Path) -> None:
    """As soon as it has begun, as soon as a guest is lost, and as soon as that is written down."""
    simulation = sim.Simulation(story(), start_at=None, pace=PACE)
    await simulation.serve()
    try:
        config = simulation.kubeconfig(tmp_path / "kubeconfig")
        async with admin(config) as api, contextlib.AsyncExitStack() as stack:
            await define(api, yaml.safe_load(OWN_DEFINITION.read_text()))
            async with daemon(config, *QUICK) as it:
                await it.becomes("/readyz", 200)
                await stack.enter_async_context(moving(simulation))
                await written(api, it, '"baseline": 20')
                await kill(it)
            async with daemon(config, *QUICK) as it:
                await it.becomes("/readyz", 200)
                async with asyncio.timeout(PATIENCE):
                    while not simulation.truth.interruptions:  # noqa: ASYNC110 - it lives in its own time
                        await asyncio.sleep(0.05)
                await kill(it)
            async with daemon(config, *QUICK) as it:
                await written(api, it, '"vm-a1"')
                await kill(it)
            async with daemon(config, *QUICK) as it:
                await it.becomes("/readyz", 200)
                assert (await it.values("kubevirt_upgrade_exporter_journal_resumed"))[()] == 1
                await it.becomes("/metrics", 200, 'exporter_journal_standing{standing="writing"} 1.0')
                before = (await written(api, it, "vm-a1"))["observedUntil"]
                status = await written(api, it, "vm-a1", after=before)
                [shown] = json.loads((await it.get("/api/v1/upgrades"))[1])
                assert await it.end(signal.SIGTERM) == 0
            for continuity in (status["continuity"], shown["continuity"]):
                assert continuity["baseline"] == 20
                assert continuity["interrupted"]["total"] + continuity["unattributed"] == 1
                assert [anomaly["name"] for anomaly in continuity["anomalies"]] == ["vm-a1"]
                assert continuity["unobservedSeconds"] > 1
            assert shown["startedAt"] == status["startedAt"]
    finally:
        await simulation.stop()


# --- on a real API server


NAMESPACE = "restarted"
"""Of its own: other tests use the server, too."""
CUSTOM = {
    resources.KUBEVIRTS: "KubeVirt",
    resources.VMS: "VirtualMachine",
    resources.VMIS: "VirtualMachineInstance",
    resources.MIGRATIONS: "VirtualMachineInstanceMigration",
}


def definition_of(resource: str) -> Json:
    spec = resources.BY_NAME[resource]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource},
        "spec": {
            "group": spec.group,
            "scope": "Namespaced",
            "names": {"plural": spec.plural, "kind": CUSTOM[resource]},
            "versions": [{"name": spec.versions[0], "served": True, "storage": True, "schema": schema}],
        },
    }


class Real:
    """A small cluster on a real API server; what is put is deleted at the end."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._put: list[str] = []

    async def put(self, resource: str, name: str, **content: Any) -> None:  # noqa: ANN401
        path = self._path(resource)
        spec = resources.BY_NAME[resource]
        body = {
            "apiVersion": f"{spec.group}/{spec.versions[0]}",
            "kind": CUSTOM[resource],
            "metadata": {"name": name},
            **content,
        }
        await self.api.write("POST", path, body)
        self._put.append(f"{path}/{name}")

    async def change(self, resource: str, name: str, change: Json) -> None:
        await self.api.write("PATCH", f"{self._path(resource)}/{name}", change, kind="application/merge-patch+json")

    async def guest(self, name: str, phase: str = "Running") -> None:
        await self.put(
            resources.VMIS,
            name,
            metadata={"name": name, "ownerReferences": [OWNER | {"name": name}]},
            status={"phase": phase, "nodeName": "one"},
        )

    async def remove(self, resource: str, name: str) -> None:
        path = f"{self._path(resource)}/{name}"
        self._put.remove(path)
        await self.api.write("DELETE", path, {})

    async def clear(self) -> None:
        for path in self._put:
            await self.api.write("DELETE", path, {})
        for item in await reports(self.api, NAMESPACE):
            await self.api.write("DELETE", f"{GROUP}/{NAMESPACE}/upgradereports/{item['metadata']['name']}", {})

    def _path(self, resource: str) -> str:
        spec = resources.BY_NAME[resource]
        return f"/apis/{spec.group}/{spec.versions[0]}/namespaces/{NAMESPACE}/{spec.plural}"


OWNER = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "controller": True, "uid": "none"}


@contextlib.asynccontextmanager
async def real(server: RealApiServer, config: pathlib.Path) -> AsyncIterator[Real]:
    async with admin(config) as api:
        with contextlib.suppress(errors.Conflict):
            await api.write("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for definition in (*map(definition_of, CUSTOM), yaml.safe_load(OWN_DEFINITION.read_text())):
            if definition["metadata"]["name"] not in server.notes:
                await define(api, definition)
                server.notes[definition["metadata"]["name"]] = definition  # it stays, for other tests
        cluster = Real(api)
        try:
            yield cluster
        finally:
            await cluster.clear()


def kubevirt(target: str) -> Json:
    return {
        "phase": "Deployed",
        "operatorVersion": target,
        "targetKubeVirtVersion": target,
        "targetDeploymentID": f"id of {target}",
        "observedKubeVirtVersion": "v1.4.0",
        "observedDeploymentID": "id of v1.4.0",
    }


async def test_killed_on_a_real_api_server(real_apiserver: RealApiServer, tmp_path: pathlib.Path) -> None:
    """One guest dies before a kill and is judged after it, one is replaced unseen; then the holder of two is killed."""
    config = tmp_path / "kubeconfig"
    cluster = {"server": real_apiserver.url, "certificate-authority": str(real_apiserver.ca_file)}
    config.write_text(json.dumps(kubeconfig(cluster, {"token": ADMIN})))
    flags = (*QUICK, "--namespace", NAMESPACE)
    async with real(real_apiserver, config) as here:
        await here.put(resources.KUBEVIRTS, "kubevirt", spec={}, status=kubevirt("v1.4.0"))
        for name in ("calm", "dies", "replaced"):
            await here.put(resources.VMS, name, spec={"runStrategy": "Always"})
            await here.guest(name)
        async with daemon(config, *flags) as one:
            await one.becomes("/readyz", 200)
            await here.change(resources.KUBEVIRTS, "kubevirt", {"status": kubevirt("v1.5.0")})
            await written(here.api, one, '"baseline": 3', namespace=NAMESPACE)
            await here.change(resources.VMIS, "dies", {"status": {"phase": "Failed"}})
            await asyncio.sleep(1.2)
            await kill(one)
        await here.remove(resources.VMIS, "replaced")
        await asyncio.sleep(1)
        await here.guest("replaced")
        async with daemon(config, *flags) as two, daemon(config, *flags) as three:
            await two.becomes("/readyz", 200)
            await three.becomes("/readyz", 200)
            await two.becomes("/metrics", 200, "session_vmi_losses_unattributed 1.0")
            await three.becomes("/metrics", 200, "session_vmi_losses_unattributed 1.0")
            status = await written(here.api, two, '"unattributed": 1', namespace=NAMESPACE)
            assert status["continuity"]["interrupted"] == {"total": 1, "byReason": {"failed": 1}}
            assert status["verdict"] == "failed"
            assert status["endedAt"] is None, "null is kept"
            before = status["observedUntil"]
            holder, standby = (two, three) if await holds(two) else (three, two)
            await kill(holder)
            await standby.becomes("/metrics", 200, "exporter_journal_holder 1.0")
            status = await written(here.api, standby, "v1.5.0", after=before, namespace=NAMESPACE)
            continuity = status["continuity"]
            assert (continuity["interrupted"]["total"], continuity["unattributed"]) == (1, 1)
            if kubectl := shutil.which("kubectl"):
                shown = await table(kubectl, config)
                assert shown[0][:6] == ["NAME", "FROM", "TO", "PHASE", "PROGRESS", "INTERRUPTED"]
                assert shown[0][6:] == ["API-DISRUPTION", "VERDICT", "AGE"]
                assert shown[1][1:4] == ["v1.4.0", "v1.5.0", "preparing"]
                assert "failed" in shown[1]
            name = (await reports(here.api, NAMESPACE))[0]["metadata"]["name"]
            patch = {"metadata": {"annotations": {"kubevirt-upgrade-exporter.io/close": "enough"}}}
            path = f"{GROUP}/{NAMESPACE}/upgradereports/{name}"
            await here.api.write("PATCH", path, patch, kind="application/merge-patch+json")
            await written(here.api, standby, '"phase": "closed"', namespace=NAMESPACE)
            assert await standby.end(signal.SIGTERM) == 0


async def holds(it: Daemon) -> bool:
    return (await it.values("kubevirt_upgrade_exporter_journal_holder"))[()] == 1


async def table(kubectl: str, config: pathlib.Path) -> list[list[str]]:
    """What a person sees."""
    process = await asyncio.create_subprocess_exec(
        kubectl,
        f"--kubeconfig={config}",
        f"--namespace={NAMESPACE}",
        "get",
        "upgradereports",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return [line.split() for line in said.decode().splitlines()]
