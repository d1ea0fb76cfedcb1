"""A recorded upgrade poured into a real API server, and the daemon that watches it with the permissions we ship."""

import json
import pathlib
import signal
from typing import Any

import yaml

from exporter import fold, settings
from exporter.kube import access
from exporter.kube.api import Api
from exporter.model import resources
from exporter.model.changes import Sync
from exporter.recording import reader, replay
from exporter.report import encode
from tests.conftest import REPOSITORY
from tests.contract.subjects import kubeconfig
from tests.end_to_end.pour import Pour
from tests.end_to_end.test_run import daemon
from tests.real_apiserver import ADMIN, RealApiServer

RECORDING = "upgrade-1.3.0-1.4.0.jsonl.gz"
SPEED = 40.0
ACCOUNT = "kubevirt-upgrade-exporter"
PERMISSIONS = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


async def test_poured_upgrade_is_reported_as_its_replay_is(
    recordings: pathlib.Path, kube_apiserver_assets: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Times apart, and what the API server cannot show with no KubeVirt behind it: probes, APIServices."""
    expected = comparable(replayed(recordings / RECORDING))
    with RealApiServer(kube_apiserver_assets, tmp_path) as server:
        admin = write_kubeconfig(tmp_path / "admin", server, ADMIN)
        async with Api(await access.load(settings.Cluster(kubeconfig=str(admin))), deadline=30) as api:
            pour = Pour(api, recordings / RECORDING, speed=SPEED)
            await pour.lists()
            config = write_kubeconfig(tmp_path / "account", server, await account(api))
            async with daemon(config, "--judgement-delay", "2") as it:
                await it.becomes("/readyz", 200)
                await pour.stream()
                await it.becomes("/api/v1/upgrades", 200, '"phase":"settling"')
                states = await it.values("kubevirt_upgrade_exporter_resource_state")
                [report] = json.loads((await it.get("/api/v1/upgrades"))[1])
                assert comparable(report) == expected
                assert {name for name, state in states if states[name, state]} == {s.name for s in resources.RESOURCES}
                assert [name for name, state in states if state != Sync.SYNCED.value and states[name, state]] == []
                assert await it.end(signal.SIGTERM) == 0


def replayed(path: pathlib.Path) -> dict[str, Any]:
    """What `replay` says of the recording."""
    folded = fold.Fold(settings.Settings(), exporter_version="test")
    with reader.Recording(path) as recording:
        now = replay.replay(recording, folded)
    [report] = json.loads(encode.as_json(folded.reports(now)))
    return dict(report)


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """The report without times, identities, and what probes say of the API; the verdict rests on them, too."""
    retained = report["retention"]["objects"]
    return {
        **{name: report[name] for name in ("fromVersion", "toVersion", "kind", "deploymentId", "phase", "progress")},
        **{name: report[name] for name in ("stalled", "findings", "continuity", "migrations")},
        "reached": {name: report[name] is not None for name in report if name.endswith("At")},
        "components": [
            {name: part for name, part in component.items() if not name.endswith("At")}
            for component in report["components"]
        ],
        "leadership": {part["component"]: part["transitions"] for part in report["leadership"]},
        "retained": {name: retained[name] for name in (resources.VMS, resources.CRDS)},
        "slos": {slo["slo"]: slo["state"] for slo in report["slos"] if slo["slo"] != "api_availability"},
    }


def write_kubeconfig(path: pathlib.Path, server: RealApiServer, token: str) -> pathlib.Path:
    cluster = {"server": server.url, "certificate-authority": str(server.ca_file)}
    path.write_text(json.dumps(kubeconfig(cluster, {"token": token})))
    return path


async def account(api: Api) -> str:
    """A token of the service account of deploy/install.yaml, which has the roles of that file and no others."""
    documents = list(yaml.safe_load_all((REPOSITORY / "deploy" / "install.yaml").read_text()))
    await ask(api, "/api/v1/namespaces", {"metadata": {"name": ACCOUNT}})
    for document in documents:
        if document["kind"] in PERMISSIONS:
            root = "/api/v1" if document["kind"] == "ServiceAccount" else f"/apis/{document['apiVersion']}"
            namespace = document["metadata"].get("namespace")
            inside = f"/namespaces/{namespace}" if namespace else ""
            await ask(api, f"{root}{inside}/{document['kind'].lower()}s", document)
    path = f"/api/v1/namespaces/{ACCOUNT}/serviceaccounts/{ACCOUNT}/token"
    answer = await ask(api, path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    return str(answer["status"]["token"])


async def ask(api: Api, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
    headers = {"Content-Type": "application/json"}
    response = await api.request("POST", path, headers=headers, body=json.dumps(body).encode())
    assert response.status < 300, f"{path}: {response.body[:500]!r}"
    return json.loads(response.body)
