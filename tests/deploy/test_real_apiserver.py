"""On a real API server: install.yaml is taken as it is, and the daemon needs all of its permissions and nothing more.

What was asked and on what grounds it was granted is read from the server's audit log.
"""

import asyncio
import contextlib
import itertools
import json
import pathlib
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple

import aiohttp
import pytest
import trustme
import yaml

from deploy.src import install, permissions
from deploy.src.permissions import Role
from exporter import settings
from exporter.kube import access
from exporter.kube.api import Api
from exporter.model import resources
from tests.conftest import REPOSITORY
from tests.deploy.rendering import CHART, Manifest
from tests.real_apiserver import ADMIN, RealApiServer

PATIENCE: Final = 30.0
"""Seconds until a test gives up; nothing here takes so long."""
PROBES: Final = "kubevirt-probes"
EXPORTER: Final = f"system:serviceaccount:{install.NAMESPACE}:{install.NAMESPACE}"
MOUNTED: Final = "/etc/kubevirt-upgrade-exporter/tls"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
MERGE: Final = "application/merge-patch+json"
DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

EVERYTHING: Final[dict[str, Any]] = {
    "auth": "kubernetes",
    "tls": {"enabled": True, "secretName": "by-hand"},
    "probes": {"namespace": PROBES, "clusterScoped": True},
    "readers": [{"kind": "ServiceAccount", "name": "reader", "namespace": "kubevirt"}],
}
"""Values with which the daemon uses every permission there is."""


HURRY: Final = ("--reports=1", "--journal-interval=0.5")
"""Old reports are deleted, and new ones written, while the test is looking."""

REPORTS: Final = "/apis/kubevirt-upgrade-exporter.io/v1alpha1/namespaces/kubevirt/upgradereports"


class Cluster:
    """The server, as an administrator sees it."""

    def __init__(self, server: RealApiServer, folder: pathlib.Path) -> None:
        self.server = server
        self.folder = folder

    def kubeconfig(self, token: str) -> pathlib.Path:
        """For whoever has this token."""
        path = self.folder / "kubeconfig"
        content = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [
                {
                    "name": "it",
                    "cluster": {"server": self.server.url, "certificate-authority": str(self.server.ca_file)},
                }
            ],
            "users": [{"name": "it", "user": {"token": token}}],
        }
        path.write_text(json.dumps(content))
        return path

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator["Admin"]:
        credentials = await access.load(settings.Cluster(kubeconfig=str(self.kubeconfig(ADMIN))))
        async with Api(credentials, deadline=20) as api:
            yield Admin(api)

    def audit(self) -> Iterator[dict[str, Any]]:
        """What the exporter's account has asked for so far."""
        for line in (self.folder / "audit.log").read_text().splitlines():
            event = json.loads(line)
            if event["user"]["username"] == EXPORTER:
                yield event


class Admin:
    """Requests of an administrator. Each fails the test where the server refuses it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._served: dict[str, dict[str, tuple[str, bool]]] = {}

    async def ask(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:  # noqa: ANN401
        response = await self._api.request(
            method,
            path,
            headers={"Content-Type": kind, "Accept": "application/json"},
            body=None if body is None else json.dumps(body).encode(),
        )
        assert response.status < 300, f"{method} {path}: {response.status} {response.body.decode()}"
        assert "Warning" not in response.headers, response.headers["Warning"]
        return json.loads(response.body)

    async def apply(self, manifest: Manifest) -> Manifest | None:
        """Server-side apply, as `kubectl apply --server-side` does; None where the kind is not served."""
        served = await self._kinds(manifest["apiVersion"])
        if manifest["kind"] not in served:
            return None
        plural, namespaced = served[manifest["kind"]]
        metadata = manifest["metadata"]
        within = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        path = f"{_root(manifest['apiVersion'])}{within}/{plural}/{metadata['name']}?fieldManager=test"
        answer: Manifest = await self.ask("PATCH", path, manifest, kind="application/apply-patch+yaml")
        return answer

    async def _kinds(self, version: str) -> dict[str, tuple[str, bool]]:
        """Kind → plural, and whether in a namespace; empty for a version that is not served."""
        if version not in self._served:
            response = await self._api.request("GET", _root(version))
            listed = json.loads(response.body).get("resources", []) if response.status == 200 else []
            self._served[version] = {
                each["kind"]: (each["name"], each["namespaced"]) for each in listed if "/" not in each["name"]
            }
        return self._served[version]

    async def established(self, definition: str) -> None:
        """Wait until a custom resource is served."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status = (await self.ask("GET", f"{DEFINITIONS}/{definition}")).get("status", {})
                if {"Established": "True"}.items() <= {
                    c["type"]: c["status"] for c in status.get("conditions", [])
                }.items():
                    return
                await asyncio.sleep(0.1)

    async def token(self, namespace: str, account: str) -> str:
        """A token of a service account, as a pod would have it."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": None}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str((await self.ask("POST", path, body))["status"]["token"])


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


@pytest.fixture(scope="module")
def cluster(kube_apiserver_assets: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with an audit log, KubeVirt's definitions, and no rights for everybody."""
    folder = tmp_path_factory.mktemp("audited")
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    (folder / "policy.yaml").write_text(json.dumps(policy))
    arguments = [f"--audit-policy-file={folder / 'policy.yaml'}", f"--audit-log-path={folder / 'audit.log'}"]
    with RealApiServer(kube_apiserver_assets, folder, arguments=arguments) as server:
        cluster = Cluster(server, folder)
        asyncio.run(_prepare(cluster))
        yield cluster


async def _prepare(cluster: Cluster) -> None:
    async with cluster.admin() as admin:
        for name in ("kubevirt", PROBES):
            await admin.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        await admin.ask("POST", "/api/v1/namespaces/kubevirt/serviceaccounts", {"metadata": {"name": "reader"}})
        # Every account may read discovery documents by default; some clusters take that away, and we must not need it.
        for name in ("system:discovery", "system:public-info-viewer", "system:basic-user"):
            await admin.ask("DELETE", f"{RBAC}/clusterrolebindings/{name}")
        for spec in resources.RESOURCES:
            if spec.group.endswith("kubevirt.io"):
                await admin.ask("POST", DEFINITIONS, _definition(spec))
        for spec in resources.RESOURCES:
            if spec.group.endswith("kubevirt.io"):
                await admin.established(spec.recorded_as)


def _definition(spec: resources.ResourceSpec) -> Manifest:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    kind = spec.plural.removesuffix("s").replace("kubevirt", "KubeVirt").replace("virtualmachine", "VirtualMachine")
    scope = "Cluster" if spec.plural == "migrationpolicies" else "Namespaced"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": spec.recorded_as},
        "spec": {
            "group": spec.group,
            "scope": scope,
            "names": {"plural": spec.plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {"name": version, "served": True, "storage": version == spec.versions[0], "schema": schema}
                for version in spec.versions
            ],
        },
    }


# --- install.yaml ---


async def test_install_yaml_is_taken_as_it_is(cluster: Cluster) -> None:
    """Twice, as an upgrade would; nothing of it is dropped. Kinds newer than the server are left out."""
    manifests = list(yaml.safe_load_all((REPOSITORY / "deploy" / "install.yaml").read_text()))
    async with cluster.admin() as admin:
        version = await admin.ask("GET", "/version")
        newer = {"PodDisruptionBudget"} if int(version["minor"].rstrip("+")) < 21 else set()
        for _ in range(2):
            not_served = set()
            for manifest in manifests:
                answer = await admin.apply(manifest)
                if answer is None:
                    not_served.add(manifest["kind"])
                else:
                    assert _missing(manifest, answer) == []
            assert not_served == newer


def _missing(wanted: Any, got: Any, path: str = "") -> list[str]:  # noqa: ANN401 - any JSON
    """Paths of what was sent and did not come back."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return [path]
        return [found for key, value in wanted.items() for found in _missing(value, got.get(key), f"{path}.{key}")]
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return [path]
        return [found for n, value in enumerate(wanted) for found in _missing(value, got[n], f"{path}[{n}]")]
    return [] if wanted == got else [f"{path}: {wanted} became {got}"]


def test_what_does_not_come_back_is_found() -> None:
    assert _missing({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}) == [".a[0].c: 2 became None"]


# --- permissions ---


class Grant(NamedTuple):
    """One thing one may do: a verb of a resource, of one object of it where `name` is set; or of a URL."""

    verb: str
    what: str
    name: str = ""


def granted(*roles: Role) -> set[Grant]:
    """All that these roles grant, one by one."""
    found = set()
    for role in roles:
        for rule in permissions.rules(role):
            found |= {Grant(verb, url) for verb in rule.verbs for url in rule.non_resource_urls}
            found |= {
                Grant(verb, f"{resource}.{group}", name)
                for verb in rule.verbs
                for group in rule.api_groups
                for resource in rule.resources
                for name in rule.resource_names or ("",)
            }
    return found


def used(event: dict[str, Any], grants: set[Grant]) -> set[Grant]:
    """The grants that an audited request needs one of."""
    verb = event["verb"]
    if "objectRef" not in event:
        path = event["requestURI"].partition("?")[0]
        return {g for g in grants if g.verb == verb and re.fullmatch(g.what.replace("*", ".*"), path)}
    reference = event["objectRef"]
    resource = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
    what = f"{resource}.{reference.get('apiGroup', '')}"
    return {g for g in grants if (g.verb, g.what) == (verb, what) and g.name in {"", reference.get("name", "")}}


async def test_the_daemon_needs_all_of_its_permissions_and_nothing_more(
    cluster: Cluster, tmp_path: pathlib.Path
) -> None:
    """It runs as the chart would have it, under the account's own token; readers have theirs."""
    async with cluster.admin() as admin:
        manifests = install.manifests(CHART, EVERYTHING)
        await admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": install.NAMESPACE}})
        for manifest in manifests:
            await admin.apply(manifest)
        await _begin_an_upgrade(admin)
        [deployment] = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
        arguments = [*deployment["spec"]["template"]["spec"]["containers"][0]["args"], *HURRY]
        kubeconfig = cluster.kubeconfig(await admin.token(install.NAMESPACE, install.NAMESPACE))
        reader = await admin.token("kubevirt", "reader")
    async with daemon(kubeconfig, arguments, tmp_path) as (process, ask):
        async with asyncio.timeout(PATIENCE):
            while await ask("/readyz") != 200:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)
        assert await ask("/metrics") == 401
        assert await ask("/metrics", token="not-a-token") == 401
        assert await ask("/metrics", token=reader) == 200
        assert await ask("/debug/probes", token=reader) == 200
        assert await ask("/nothing", token=reader) == 403
        grants = granted(*Role)
        watches = {grant for grant in grants if grant.verb == "watch"}
        disturbing = asyncio.create_task(_disturb(cluster))
        unused = await _until_all_is_used(cluster, grants - watches)
        disturbing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await disturbing
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    unused |= await _until_all_is_used(cluster, watches)  # audited when they end
    refused = {
        f"{event['verb']} {event['requestURI']}"
        for event in cluster.audit()
        if event["annotations"].get("authorization.k8s.io/decision") != "allow"
    }
    assert refused == set()
    assert unused == set()


async def _begin_an_upgrade(admin: Admin) -> None:
    """A session to report on, and an older report that has to go."""
    await admin.established("upgradereports.kubevirt-upgrade-exporter.io")
    old = {
        "apiVersion": "kubevirt-upgrade-exporter.io/v1alpha1",
        "kind": "UpgradeReport",
        "metadata": {"name": "old", "labels": {"app.kubernetes.io/managed-by": "kubevirt-upgrade-exporter"}},
    }
    await admin.ask("POST", REPORTS, old)
    await admin.ask("PATCH", f"{REPORTS}/old/status", {"status": {"state": "of a release yet to come"}}, kind=MERGE)
    status = {
        "phase": "Deployed",
        "operatorVersion": "v1.4.0",
        "targetKubeVirtVersion": "v1.4.0",
        "targetDeploymentID": "new",
        "observedKubeVirtVersion": "v1.3.0",
        "observedDeploymentID": "old",
    }
    kubevirt = {"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"name": "kubevirt"}, "status": status}
    await admin.ask("POST", "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts", kubevirt)


async def _disturb(cluster: Cluster) -> None:
    """Somebody else writes to the reports: the daemon has to look at them again."""
    async with cluster.admin() as admin:
        for count in itertools.count():
            for report in (await admin.ask("GET", REPORTS))["items"]:
                note = {"metadata": {"annotations": {"example.com/note": str(count)}}}
                with contextlib.suppress(AssertionError):  # it is gone
                    await admin.ask("PATCH", f"{REPORTS}/{report['metadata']['name']}", note, kind=MERGE)
            await asyncio.sleep(0.2)


async def _until_all_is_used(cluster: Cluster, grants: set[Grant]) -> set[Grant]:
    """What is left unused when patience ends."""
    unused = set(grants)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while unused:
                for event in cluster.audit():
                    unused -= used(event, unused)
                await asyncio.sleep(0.2)
    return unused


@contextlib.asynccontextmanager
async def daemon(
    kubeconfig: pathlib.Path, arguments: list[str], folder: pathlib.Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, "Ask"]]:
    """The daemon with the arguments of the Deployment; only the address and the place of the certificate are ours."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(folder / "tls.key")
    (folder / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    given = [argument.replace(MOUNTED, str(folder)) for argument in arguments]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exporter", *given, "--listen=127.0.0.1:0", f"--kubeconfig={kubeconfig}",
        cwd=REPOSITORY, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    context = ssl.create_default_context()
    authority.configure_trust(context)
    try:
        port = 0
        while not port:
            line = (await process.stderr.readline()).decode()
            assert line, "the daemon has ended"
            sys.stderr.write(line)
            event = json.loads(line)
            port = event["port"] if event["event"] == "listening" else 0
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(f"https://localhost:{port}", connector=connector) as http:
            reading = asyncio.create_task(_show(process.stderr))
            try:
                yield process, Ask(http)
            finally:
                if process.returncode is None:
                    process.kill()
                await reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _show(stream: asyncio.StreamReader) -> None:
    """What the daemon logs, for whoever reads of a failed test."""
    while line := await stream.readline():
        sys.stderr.write(line.decode())


class Ask:
    """Asks the daemon; the status of the answer."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def __call__(self, path: str, *, token: str = "") -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.get(path, headers=headers) as answer:
            await answer.read()
            return answer.status
