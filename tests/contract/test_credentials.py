"""Credentials that a real API server takes: client certificates, and tokens that are replaced while we run."""

import json
import pathlib

from exporter import settings
from exporter.kube import access
from exporter.kube.access import REFUSED_RENEWAL, Access, InCluster
from exporter.kube.api import Api
from tests.contract.following import Following
from tests.contract.subjects import kubeconfig
from tests.contract.test_reflector import LEASES
from tests.real_apiserver import ADMIN, RealApiServer


async def test_client_certificate(real_apiserver: RealApiServer, tmp_path: pathlib.Path) -> None:
    certificate, key = real_apiserver.client_certificate("somebody", "system:masters")
    cluster = {"server": real_apiserver.url, "certificate-authority": str(real_apiserver.ca_file)}
    path = tmp_path / "kubeconfig"
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    path.write_text(json.dumps(kubeconfig(cluster, user)))
    async with Following(await access.load(settings.Cluster(kubeconfig=str(path))), LEASES) as follower:
        await follower.until(lambda f: f.lists)


async def test_token_of_a_service_account_that_is_replaced(
    real_apiserver: RealApiServer, tmp_path: pathlib.Path
) -> None:
    """The server refuses the old one; the next request is made with the new one."""
    (tmp_path / "ca.crt").write_bytes(real_apiserver.ca_file.read_bytes())
    (tmp_path / "token").write_text("expired")
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(real_apiserver.port)}
    now = [0.0]
    credentials = Access(InCluster(environment=environment, folder=tmp_path), monotonic=lambda: now[0])
    await credentials.load()
    async with Api(credentials, deadline=10) as api:
        assert (await api.request("GET", "/api/v1/namespaces")).status == 401
        (tmp_path / "token").write_text(ADMIN)
        now[0] += REFUSED_RENEWAL
        assert (await api.request("GET", "/api/v1/namespaces")).status == 200
