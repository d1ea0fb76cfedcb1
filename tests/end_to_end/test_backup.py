"""Backups on a real API server: it and kubectl take them, and what was done to the cluster since is found."""

import asyncio
import json
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from exporter import cli, settings
from exporter.kube import access
from exporter.kube.api import Api
from exporter.model import resources
from exporter.recording import backup
from tests.real_apiserver import ADMIN, RealApiServer

PATIENCE = 30.0
NASTY = {
    "exponent": "1e3", "octal": "0o17", "underscore": "1_000", "hex": "0x1f", "letter": "y", "switch": "on",
    "nothing": "null", "tilde": "~", "day": "2001-01-01", "sexagesimal": "1:30", "colon": "a: b", "hash": "a # b",
    "lines": "one\n two\n", "blank": " lead", "quote": "it's \"so\"", "accent": "é", "digits": "00123", "empty": "",
}  # fmt: skip
"""Texts that a reader of YAML may take for something else."""
CR_KEY = (resources.KUBEVIRTS, "kubevirt", "kubevirt")

Json = dict[str, Any]


def machine(name: str) -> Json:
    volumes = [{"name": "ci", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: s3cret\n"}}]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "team", "annotations": NASTY, "labels": {"app": "a"}},
        "spec": {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}, "volumes": volumes}}},
    }


class Cluster:
    """A real API server with KubeVirt's definitions, its administrator, and a kubeconfig for him."""

    def __init__(self, server: RealApiServer, folder: pathlib.Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "it", "cluster": {"server": server.url, "certificate-authority": str(server.ca_file)}}
            ],
            "users": [{"name": "it", "user": {"token": ADMIN}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        self.kubeconfig.write_text(json.dumps(config))

    def ask(self, method: str, path: str, body: Json | str | None = None, *, kind: str = "application/json") -> Json:
        """What the server answers, which must be good."""

        async def ask() -> Json:
            credentials = await access.load(settings.Cluster(kubeconfig=str(self.kubeconfig)))
            async with Api(credentials, deadline=PATIENCE) as api:
                text = body if isinstance(body, str) else json.dumps(body)
                content = None if body is None else text.encode()
                answer = await api.request(method, path, headers={"Content-Type": kind}, body=content)
                while answer.status == 404 and method == "POST":  # a definition is new, and not served yet
                    await asyncio.sleep(0.1)
                    answer = await api.request(method, path, headers={"Content-Type": kind}, body=content)
                assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body[:500]!r}"
                answered: Json = json.loads(answer.body)
                return answered

        return asyncio.run(ask())

    def define(self) -> None:
        """The kinds that are backed up, each with a schema that takes everything."""
        for name, kind in backup.KINDS.items():
            spec = resources.BY_NAME[name]
            schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
            scope = "Cluster" if "cluster" in name or name.startswith("migrationpolicies") else "Namespaced"
            definition = {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": name},
                "spec": {
                    "group": spec.group,
                    "scope": scope,
                    "names": {"plural": spec.plural, "singular": kind.lower(), "kind": kind},
                    "versions": [{"name": spec.versions[0], "served": True, "storage": True, "schema": schema}],
                },
            }
            self.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)


def path_of(manifest: Json, name: str = "") -> str:
    [spec] = [resources.BY_NAME[key] for key, kind in backup.KINDS.items() if kind == manifest["kind"]]
    namespace = manifest["metadata"].get("namespace")
    where = f"namespaces/{namespace}/" if namespace else ""
    return f"/apis/{manifest['apiVersion']}/{where}{spec.plural}/{name}".rstrip("/")


@pytest.fixture(scope="module")
def cluster(kube_apiserver_assets: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With a KubeVirt resource, two machines, an instancetype of ours and one of KubeVirt's."""
    folder = tmp_path_factory.mktemp("apiserver")
    with RealApiServer(kube_apiserver_assets, folder) as server:
        cluster = Cluster(server, folder)
        cluster.define()
        for namespace in ("kubevirt", "team"):
            cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        status = {"observedKubeVirtVersion": "v1.3.0"}
        metadata = {"name": "kubevirt", "namespace": "kubevirt"}
        instancetype = {"apiVersion": "instancetype.kubevirt.io/v1beta1", "kind": "VirtualMachineClusterInstancetype"}
        managed = {"name": "theirs", "labels": {"app.kubernetes.io/managed-by": "virt-operator"}}
        for thing in (
            {"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": metadata, "spec": {}, "status": status},
            machine("one"),
            machine("two"),
            instancetype | {"metadata": {"name": "ours"}, "spec": {"cpu": {"guest": 1}, "memory": {"guest": "1Gi"}}},
            instancetype | {"metadata": managed, "spec": {}},
        ):
            cluster.ask("POST", path_of(thing), thing)
        yield cluster


def preflight(cluster: Cluster, folder: pathlib.Path, *arguments: str) -> None:
    config = ["--target", "v1.4.0", "--kubeconfig", str(cluster.kubeconfig)]
    assert cli.main(["preflight", "--only", "path", *config, "--backup", str(folder), *arguments]) == 0


def manifests(folder: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.yaml"))}


def test_the_api_server_takes_every_file(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    """As a server-side apply that leaves nothing; what it would store is what is there."""
    preflight(cluster, tmp_path / "backup", "--backup-boot-data")
    found = manifests(tmp_path / "backup")
    assert list(found) == [
        "kubevirts.kubevirt.io/kubevirt/kubevirt.yaml",
        "virtualmachineclusterinstancetypes.instancetype.kubevirt.io/ours.yaml",
        "virtualmachines.kubevirt.io/team/one.yaml",
        "virtualmachines.kubevirt.io/team/two.yaml",
    ]
    for text in found.values():
        manifest = yaml.safe_load(text)
        path = path_of(manifest, manifest["metadata"]["name"])
        there = cluster.ask("GET", path)
        applied = cluster.ask(
            "PATCH", f"{path}?dryRun=All&fieldManager=test&force=true", text, kind="application/apply-patch+yaml"
        )
        assert applied["spec"] == there["spec"]
        assert applied["metadata"].get("annotations") == there["metadata"].get("annotations")


def test_kubectl_takes_the_folder(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed; the test before this one asks the API server itself")
    preflight(cluster, tmp_path / "backup", "--backup-boot-data")
    command = [kubectl, "--kubeconfig", str(cluster.kubeconfig), "apply", "-R", "-f", str(tmp_path / "backup")]
    shown = subprocess.run([*command, "--dry-run=server"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.splitlines()) == 4
    assert all("(server dry run)" in line for line in shown.stdout.splitlines())


def test_texts_are_still_texts(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    """The API server reads YAML otherwise than Python does: `1e3` and `y` would be a number and a truth."""
    preflight(cluster, tmp_path / "backup", "--backup-boot-data")
    text = (tmp_path / "backup" / "virtualmachines.kubevirt.io" / "team" / "one.yaml").read_text()
    path = path_of(machine("copy"), "copy")
    applied = cluster.ask(
        "PATCH",
        f"{path}?dryRun=All&fieldManager=test",
        text.replace("name: one", "name: copy"),
        kind="application/apply-patch+yaml",
    )
    assert applied["metadata"]["annotations"] == NASTY


def test_what_was_done_since_is_found(
    cluster: Cluster, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preflight(cluster, tmp_path / "backup")
    assert "s3cret" not in "".join(manifests(tmp_path / "backup").values())
    verify = ["verify", "--backup", str(tmp_path / "backup"), "--kubeconfig", str(cluster.kubeconfig)]
    capsys.readouterr()
    assert cli.main(verify) == 0, capsys.readouterr().out

    # KubeVirt's own work is no difference.
    path = path_of(machine("one"), "one")
    patch = {"spec": {"template": {"spec": {"domain": {"firmware": {"uuid": "1"}}, "architecture": "amd64"}}}}
    cluster.ask("PATCH", path, patch, kind="application/merge-patch+json")
    assert cli.main(verify) == 0, capsys.readouterr().out

    # Somebody's is, and does not fail an upgrade.
    cluster.ask("PATCH", path, {"spec": {"runStrategy": "Always"}}, kind="application/merge-patch+json")
    capsys.readouterr()
    assert cli.main(verify) == 0
    shown = capsys.readouterr().out
    assert "-  runStrategy: Halted" in shown
    assert "+  runStrategy: Always" in shown

    # Made again is worth a look, gone is lost.
    cluster.ask("DELETE", path)
    cluster.ask("POST", path_of(machine("one")), machine("one"))
    cluster.ask("DELETE", path_of(machine("two"), "two"))
    assert cli.main(verify) == 1
    shown = capsys.readouterr().out
    assert "1 objects were deleted and made again" in shown
    assert "virtualmachines.kubevirt.io team/two" in shown
