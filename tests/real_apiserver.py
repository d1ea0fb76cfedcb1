"""A real kube-apiserver with its etcd, on free loopback ports, for the tests that need the real thing.

The programs come from the folder that KUBEBUILDER_ASSETS names, which is envtest's convention; v1.20 and later.
Start it once a session, with the fixture `real_apiserver`; tests clean up the objects they make.
"""

import base64
import contextlib
import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
ADMIN: Final = "admin-token"
"""Token of a member of system:masters."""


class RealApiServer:
    """etcd and kube-apiserver, running; use it as a context manager.

    `users` have their names for tokens, and may do nothing until RBAC says so.
    """

    def __init__(
        self,
        assets: pathlib.Path,
        folder: pathlib.Path,
        *,
        users: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        """`arguments` are more flags for kube-apiserver."""
        self._assets = assets
        self._folder = folder
        self._users = users
        self._arguments = arguments
        self._processes: list[subprocess.Popen[bytes]] = []
        self.notes: dict[str, Any] = {}
        """For what one test leaves for the next, such as definitions of custom resources."""
        self.port, self._etcd, self._peer = _free_ports(3)
        self.url = f"https://127.0.0.1:{self.port}"
        self._authority = trustme.CA()
        self.ca_file = folder / "ca.crt"
        self._authority.cert_pem.write_to_path(self.ca_file)

    def __enter__(self) -> Self:
        try:
            self._start_etcd()
            self._start_apiserver()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def client_certificate(self, user: str, group: str) -> tuple[pathlib.Path, pathlib.Path]:
        """Files with a certificate that names a user of a group, and its key."""
        issued = self._authority.issue_cert("client.invalid", common_name=user, organization_name=group)
        certificate, key = self._folder / f"{user}.crt", self._folder / f"{user}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def compact(self) -> None:
        """Make etcd forget everything but the present."""
        revision = self._ask_etcd("range", {"key": base64.b64encode(b"none").decode()})["header"]["revision"]
        self._ask_etcd("compaction", {"revision": revision, "physical": True})

    def _ask_etcd(self, what: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
        connection = http.client.HTTPConnection("127.0.0.1", self._etcd, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
            return json.load(connection.getresponse())

    def _start_etcd(self) -> None:
        here = f"http://127.0.0.1:{self._etcd}"
        peer = f"http://127.0.0.1:{self._peer}"
        self._run(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={here}",
            f"--advertise-client-urls={here}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        self._await(self._etcd, "/health", tls=False)

    def _start_apiserver(self) -> None:
        folder = self._folder
        server = self._authority.issue_cert("127.0.0.1", "localhost")
        server.private_key_pem.write_to_path(folder / "server.key")
        (folder / "server.crt").write_bytes(b"".join(pem.bytes() for pem in server.cert_chain_pems))
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (folder / "accounts.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        users = [f"{user},{user},{user}" for user in self._users]
        (folder / "tokens.csv").write_text("\n".join([f'{ADMIN},admin,admin,"system:masters"', *users]) + "\n")
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={folder}",
            f"--tls-cert-file={folder / 'server.crt'}",
            f"--tls-private-key-file={folder / 'server.key'}",
            f"--client-ca-file={self.ca_file}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={folder / 'accounts.key'}",
            f"--service-account-signing-key-file={folder / 'accounts.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            # No controller makes default service accounts, and pods need one.
            "--disable-admission-plugins=ServiceAccount",
            # Without a cache in front of it, a compaction of etcd is felt at once.
            "--watch-cache-sizes=leases.coordination.k8s.io#0",
            *self._arguments,
        )
        self._await(self.port, "/readyz", tls=True)

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / f"{program}.log").open("wb") as log:
            process = subprocess.Popen(
                [self._assets / program, *arguments], cwd=self._folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._processes.append(process)

    def _await(self, port: int, path: str, *, tls: bool) -> None:
        """Wait until what was started last says that it is ready."""
        context = ssl.create_default_context(cafile=str(self.ca_file)) if tls else None
        process = self._processes[-1]
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                if _status(port, path, context) == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        logs = [(path.stat().st_mtime, path.read_text(errors="replace")) for path in self._folder.glob("*.log")]
        raise RuntimeError(f"not ready within {START_SECONDS:g} s:\n{max(logs)[1][-3000:]}")

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def _status(port: int, path: str, context: ssl.SSLContext | None) -> int:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN}"})
        return connection.getresponse().status


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
