"""Credentials: which are used, and when they are read again."""

import asyncio
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from exporter import errors, settings
from exporter.kube import access
from exporter.kube.access import REFUSED_RENEWAL, RENEWAL, Access, InCluster, Kubeconfig

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


class Time:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pod(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of a service account."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("first\n")
    (folder / "ca.crt").write_text("not looked into")
    return folder


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path) -> Callable[..., str]:
    """Writes a kubeconfig with this user."""

    def write(user: object, **cluster: object) -> str:
        path = tmp_path / "config"
        config: dict[str, Any] = {
            "current-context": "a",
            "contexts": [
                {"name": "a", "context": {"cluster": "c", "user": "u"}},
                {"name": "b", "context": {"cluster": "d", "user": "u"}},
            ],
            "clusters": [
                {"name": "c", "cluster": {"server": "https://one.invalid:6443/", **cluster}},
                {"name": "d", "cluster": {"server": "https://two.invalid"}},
            ],
            "users": [{"name": "u", "user": user}],
        }
        path.write_text(json.dumps(config))
        return str(path)

    return write


async def loaded(file: str, context: str = "", time: Time | None = None) -> Access:
    result = Access(Kubeconfig(file=file, context=context), monotonic=time or Time())
    await result.load()
    return result


# --- which


async def test_pod_has_the_credentials_of_its_service_account(pod: pathlib.Path) -> None:
    result = await access.load(settings.Cluster(), in_cluster=InCluster(environment=POD, folder=pod))
    assert (result.server, result.authorization) == ("https://10.0.0.1:443", "bearer first")
    assert result.configuration.ssl_ca_cert == str(pod / "ca.crt")


async def test_pod_on_ipv6(pod: pathlib.Path) -> None:
    in_cluster = InCluster(environment=POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, folder=pod)
    assert (await access.load(settings.Cluster(), in_cluster=in_cluster)).server == "https://[fd00::1]:443"


async def test_named_kubeconfig_goes_before_the_pod(pod: pathlib.Path, kubeconfig: Callable[..., str]) -> None:
    in_cluster = InCluster(environment=POD, folder=pod)
    result = await access.load(settings.Cluster(kubeconfig=kubeconfig({"token": "t"})), in_cluster=in_cluster)
    assert (result.server, result.authorization) == ("https://one.invalid:6443", "Bearer t")


async def test_context_is_chosen(kubeconfig: Callable[..., str]) -> None:
    assert (await loaded(kubeconfig({"token": "t"}), "b")).server == "https://two.invalid"


async def test_user_of_the_kubeconfig_may_be_nobody(
    kubeconfig: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    result = await access.load(settings.Cluster(kubeconfig=kubeconfig({})))
    assert result.authorization is None
    assert [record.msg for record in caplog.records] == ["access_anonymous"]


async def test_tls_server_name_and_proxy_are_taken_over(kubeconfig: Callable[..., str]) -> None:
    options = {"tls-server-name": "name", "proxy-url": "http://proxy.invalid:1", "insecure-skip-tls-verify": True}
    configuration = (await loaded(kubeconfig({"token": "t"}, **options))).configuration
    assert (configuration.tls_server_name, configuration.proxy) == ("name", "http://proxy.invalid:1")
    assert configuration.verify_ssl is False


@pytest.mark.parametrize(
    "text", ["", "{}", "- a", "{", "\0", '{"current-context": "x", "contexts": [], "users": [], "clusters": []}']
)
async def test_unusable_kubeconfig_is_a_usage_error(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(errors.UsageError, match="no credentials for the cluster"):
        await access.load(settings.Cluster(kubeconfig=str(path)))


async def test_missing_kubeconfig_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "none"
    with pytest.raises(errors.UsageError, match=f"{path}"):
        await access.load(settings.Cluster(kubeconfig=str(path)))


async def test_missing_certificate_is_a_usage_error(kubeconfig: Callable[..., str]) -> None:
    with pytest.raises(errors.UsageError, match="does not exist"):
        await loaded(kubeconfig({"client-certificate": "gone.crt", "client-key": "gone.key"}))


# --- when


async def test_token_of_the_pod_is_read_again_after_a_while(pod: pathlib.Path) -> None:
    time = Time()
    result = Access(InCluster(environment=POD, folder=pod), monotonic=time)
    await result.load()
    (pod / "token").write_text("second")
    await result.renew()
    assert result.authorization == "bearer first"
    time.now += RENEWAL
    await result.renew()
    assert result.authorization == "bearer second"


async def test_refused_token_is_read_again_at_once_but_not_all_the_time(pod: pathlib.Path) -> None:
    time = Time()
    result = Access(InCluster(environment=POD, folder=pod), monotonic=time)
    await result.load()
    before = result.fingerprint
    (pod / "token").write_text("second")
    time.now += REFUSED_RENEWAL
    await asyncio.gather(*(result.renew(refused=True) for _ in range(5)))
    assert result.authorization == "bearer second"
    assert result.fingerprint != before
    (pod / "token").write_text("third")
    await result.renew(refused=True)
    assert result.authorization == "bearer second"


async def test_credentials_that_cannot_be_read_again_stay(pod: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once."""
    time = Time()
    result = Access(InCluster(environment=POD, folder=pod), monotonic=time)
    await result.load()
    (pod / "token").unlink()
    for _ in range(3):
        time.now += RENEWAL
        await result.renew()
    assert result.authorization == "bearer first"
    assert [record.msg for record in caplog.records] == ["credentials_not_renewed"]


async def test_token_file_of_a_kubeconfig_is_read_again(tmp_path: pathlib.Path, kubeconfig: Callable[..., str]) -> None:
    token = tmp_path / "my-token"
    token.write_text("one")
    time = Time()
    result = await loaded(kubeconfig({"tokenFile": str(token)}), time=time)
    assert result.authorization == "Bearer one"
    token.write_text("two")
    time.now += RENEWAL
    await result.renew()
    assert result.authorization == "Bearer two"


# --- exec plugins

PLUGIN = """
import json, os, pathlib, sys
count = pathlib.Path(sys.argv[1])
count.write_text(count.read_text() + "x" if count.exists() else "x")
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert os.environ["COLOUR"] == "blue"
status = {"token": "t" + str(len(count.read_text()))}
status.update(json.loads(sys.argv[2]))
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}))
"""


def plugin(folder: pathlib.Path, *, status: object = None, code: str = PLUGIN) -> dict[str, Any]:
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", code, str(folder / "runs"), json.dumps(status or {})],
            "env": [{"name": "COLOUR", "value": "blue"}],
        }
    }


async def test_exec_plugin_gives_a_token(tmp_path: pathlib.Path, kubeconfig: Callable[..., str]) -> None:
    time = Time()
    result = await loaded(kubeconfig(plugin(tmp_path)), time=time)
    assert result.authorization == "Bearer t1"
    time.now += REFUSED_RENEWAL
    await result.renew(refused=True)
    assert result.authorization == "Bearer t2"


async def test_exec_plugin_is_not_asked_again_before_its_token_expires(
    tmp_path: pathlib.Path, kubeconfig: Callable[..., str]
) -> None:
    time = Time()
    status = {"expirationTimestamp": "2999-01-01T00:00:00Z"}
    result = await loaded(kubeconfig(plugin(tmp_path, status=status)), time=time)
    time.now += RENEWAL
    await result.renew()
    assert result.authorization == "Bearer t1"
    assert (tmp_path / "runs").read_text() == "x"


async def test_exec_plugin_that_fails_leaves_us_nameless(
    tmp_path: pathlib.Path, kubeconfig: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    """The API server then says what it thinks of it; the log says why."""
    file = kubeconfig(plugin(tmp_path, code="import sys; sys.exit('no luck')"))
    result = await access.load(settings.Cluster(kubeconfig=file))
    assert result.authorization is None
    assert "no luck" in caplog.text
    assert "access_anonymous" in caplog.text
