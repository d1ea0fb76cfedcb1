"""A certificate for loopback, made on the spot with the `openssl` command. For simulations that run HTTPS only."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context and the file of the certificate that clients have to trust.

    Raises `RuntimeError` where `openssl` is missing or fails.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        msg = "HTTPS needs the openssl command to make a certificate; install openssl, or run without TLS"
        raise RuntimeError(msg)
    certificate, key = folder / "simulator.crt", folder / "simulator.key"
    made = subprocess.run(  # noqa: S603 - fixed arguments
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", str(key), "-out", str(certificate), "-days", "30", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        msg = f"openssl could not make a certificate: {made.stderr.decode(errors='replace')[-300:]}"
        raise RuntimeError(msg)
    key.chmod(0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
