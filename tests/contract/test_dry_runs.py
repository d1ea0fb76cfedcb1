"""Nothing that is created as a dry run is ever stored, on a real API server; and without the Role it is said so."""

import asyncio
import contextlib
import json
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from exporter import settings
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model.changes import ProbeFinished
from exporter.probes import manifests, writing
from exporter.probes.history import History
from exporter.probes.manifests import Corpus, Verdict
from exporter.probes.runner import Runner, Standing
from exporter.probes.table import table
from tests.contract.subjects import DEFINITIONS, RBAC, USER, kubeconfig, until
from tests.real_apiserver import ADMIN, RealApiServer

Json = dict[str, Any]

NAMESPACE: Final = "dry-runs"
ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
VM_SPEC: Final = {
    "type": "object",
    "required": ["template"],
    "properties": {"running": {"type": "boolean"}, "runStrategy": {"type": "string"}, "template": ANYTHING},
}
"""It knows fewer fields than a VM of 1.6 has."""
DEPRECATED: Final = "v1alpha3"


class Real:
    """The real server, with KubeVirt's kinds defined, and a namespace in which the user may create."""

    def __init__(self, server: RealApiServer, admin: Api, user: Api) -> None:
        self._server = server
        self._admin = admin
        self.user = user

    async def ask(self, method: str, path: str, body: Json | None = None, *, fine: tuple[int, ...] = ()) -> Json:
        response = await self._admin.request(
            method,
            path,
            headers={"Content-Type": "application/json"},
            body=None if body is None else json.dumps(body).encode(),
        )
        assert response.status < 300 or response.status in fine, f"{method} {path}: {response.body.decode()}"
        answer: Json = json.loads(response.body)
        return answer

    async def gone(self, path: str) -> bool:
        return (await self._admin.request("GET", path)).status == 404

    async def served(self, path: str) -> bool:
        return (await self._admin.request("GET", path)).status == 200

    async def define(self) -> None:
        """Whatever definitions other tests have left are replaced."""
        await self.undefine()
        for definition in _definitions():
            await self.ask("POST", DEFINITIONS, definition)
        for path in _lists():
            await until(_holds(self.served, path))

    async def undefine(self) -> None:
        names = [definition["metadata"]["name"] for definition in _definitions()]
        for name in names:
            await self.ask("DELETE", f"{DEFINITIONS}/{name}", fine=(404,))
            self._server.notes.pop(name, None)
        for name in names:
            await until(_holds(self.gone, f"{DEFINITIONS}/{name}"))

    async def permit(self) -> None:
        """The optional Role: create in one namespace."""
        inside = f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}"
        rules = [
            {"apiGroups": [group], "resources": [place.plural], "verbs": ["create"]}
            for (group, _), place in writing.PLACES.items()
            if place.namespaced
        ]
        await self.ask("POST", f"{inside}/roles", {"metadata": {"name": NAMESPACE}, "rules": rules})
        binding = {
            "metadata": {"name": NAMESPACE},
            "subjects": [{"kind": "User", "name": USER, "apiGroup": RBAC}],
            "roleRef": {"kind": "Role", "name": NAMESPACE, "apiGroup": RBAC},
        }
        await self.ask("POST", f"{inside}/rolebindings", binding)

    async def forbid(self) -> None:
        for plural in ("rolebindings", "roles"):
            await self.ask("DELETE", f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/{plural}/{NAMESPACE}", fine=(404,))

    async def stored(self) -> list[str]:
        """Names of all objects of the kinds that were asked for."""
        return [item["metadata"]["name"] for path in _lists() for item in (await self.ask("GET", path))["items"]]


def _holds(check: Callable[[str], Awaitable[bool]], path: str) -> Callable[[], Awaitable[bool]]:
    return lambda: check(path)


def _versions() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for manifest in manifests.corpus():
        group, _, version = str(manifest.content["apiVersion"]).partition("/")
        versions = found.setdefault((group, str(manifest.content["kind"])), [])
        if version not in versions:
            versions.append(version)
    return found


def _definitions() -> list[Json]:
    definitions = []
    for (group, kind), versions in _versions().items():
        place = writing.PLACES[group, kind]
        spec = VM_SPEC if kind == "VirtualMachine" else ANYTHING
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
        definitions.append({
            "metadata": {"name": f"{place.plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced" if place.namespaced else "Cluster",
                "names": {"plural": place.plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
                "versions": [
                    {"name": version, "served": True, "storage": index == 0, "schema": schema,
                     "deprecated": version == DEPRECATED}
                    for index, version in enumerate(versions)
                ],
            },
        })  # fmt: skip
    return definitions


def _lists() -> list[str]:
    return [
        f"/apis/{group}/{versions[0]}/{writing.PLACES[group, kind].plural}"
        for (group, kind), versions in _versions().items()
    ]


@contextlib.asynccontextmanager
async def prepared(server: RealApiServer, folder: pathlib.Path) -> AsyncIterator[Real]:
    async with contextlib.AsyncExitStack() as stack:
        apis = []
        for token in (ADMIN, USER):
            cluster = {"server": server.url, "certificate-authority": str(server.ca_file)}
            file = folder / token
            file.write_text(json.dumps(kubeconfig(cluster, {"token": token})))
            credentials = await access.load(settings.Cluster(kubeconfig=str(file)))
            apis.append(await stack.enter_async_context(Api(credentials, deadline=20)))
        real = Real(server, *apis)
        await real.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}, fine=(409,))
        await real.define()
        try:
            yield real
        finally:
            await real.undefine()
            await real.forbid()


async def tried(api: Api) -> dict[str, Verdict]:
    """One run of the corpus."""
    corpus = Corpus(api, namespace=NAMESPACE, clock=Clock(), history=History())
    task = asyncio.create_task(corpus.run())

    async def done() -> bool:
        return corpus.last_run is not None

    await until(done)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return {title: finding.verdict for title, finding in corpus.findings.items()}


async def probed(api: Api) -> tuple[list[ProbeFinished], dict[str, Standing]]:
    """The probes that create, until each has been sent."""
    creating = tuple(probe for probe in table(namespace=NAMESPACE) if "create" in probe.name)
    results: list[ProbeFinished] = []
    runner = Runner(api, creating, eager=lambda: True, emit=results.append, clock=Clock())
    task = asyncio.create_task(runner.run())

    async def done() -> bool:
        return len(list(runner.history)) >= len(creating)

    await until(done)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return results, {slot.probe.name: slot.standing for slot in runner.slots}


async def test_dry_runs_say_what_would_be_and_leave_nothing(
    real_apiserver: RealApiServer, tmp_path: pathlib.Path
) -> None:
    """Also pruned fields, a deprecated version, and a cluster-scoped kind that no Role in a namespace can permit."""
    async with prepared(real_apiserver, tmp_path) as real:
        assert set((await tried(real.user)).values()) == {Verdict.NOT_PERMITTED}
        _, standings = await probed(real.user)
        assert set(standings.values()) == {Standing.NOT_PERMITTED}

        await real.permit()
        verdicts = await tried(real.user)
        special = {title: verdict for title, verdict in verdicts.items() if verdict is not Verdict.ACCEPTED}
        assert special == {
            "vm-1.6": Verdict.PRUNED,
            "vm-alpha-1.0": Verdict.WARNED,
            **{f"migrationpolicy-{release}": Verdict.NOT_PERMITTED for release in ("1.0", "1.2", "1.4", "1.6")},
        }
        results, standings = await probed(real.user)
        assert [result.reason for result in results] == ["", ""]
        assert set(standings.values()) == {Standing.WORKING}
        assert await real.stored() == []


async def test_what_is_not_a_dry_run_would_be_seen(real_apiserver: RealApiServer, tmp_path: pathlib.Path) -> None:
    """So the test above can fail."""
    async with prepared(real_apiserver, tmp_path) as real:
        vm = writing.minimal_vm("v1")
        await real.ask("POST", f"/apis/kubevirt.io/v1/namespaces/{NAMESPACE}/virtualmachines", dict(vm))
        assert len(await real.stored()) == 1
