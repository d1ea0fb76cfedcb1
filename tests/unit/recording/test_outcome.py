"""Why a recorded probe failed."""

import pytest

from exporter.model import probing
from exporter.recording import outcome


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (200, "", ""),
        (201, "", ""),
        (401, "", "http_4xx"),
        (404, "not found", "http_4xx"),
        (429, "", "http_429"),
        (500, "", "http_5xx"),
        (503, "upstream timeout", "http_5xx"),
        (302, "", "other"),
        (0, "", "other"),
        (0, "timed out", "timeout"),
        (0, "ServerTimeoutError", "timeout"),
        (0, "context deadline exceeded", "timeout"),
        (0, "Cannot connect to host x: Name or service not known", "dns"),
        (0, "Cannot connect to host x ssl:True [SSLCertVerificationError]", "tls"),
        (0, "Cannot connect to host x: Connection refused", "connect"),
        (0, "ServerDisconnectedError", "reset"),
        (0, "Connection reset by peer", "reset"),
        (0, "dns", "dns"),
        (500, "webhook", "webhook"),
        (200, "schema", "schema"),
        (200, "body was cut: unexpected EOF", "reset"),
    ],
)
def test_reason(status: int, error: str, reason: str) -> None:
    assert outcome.reason(status, error) == reason
    assert reason == "" or reason in probing.REASONS
