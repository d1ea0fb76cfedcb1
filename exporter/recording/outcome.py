"""Why a recorded probe failed, in the closed list of reasons that live probes use.

A recording holds what its writer saw: an HTTP status, or 0 and a text of the writer's own.
"""

from typing import Final

REASONS: Final = frozenset(
    {"dns", "connect", "tls", "timeout", "reset", "http_4xx", "http_429", "http_5xx", "webhook", "schema", "other"}
)

_CLUES: Final = (
    ("timeout", ("timeout", "timed out", "deadline")),
    ("dns", ("dns", "getaddrinfo", "name resolution", "name or service", "no such host", "nodename")),
    ("tls", ("tls", "ssl", "certificate", "x509", "handshake")),
    ("reset", ("reset", "disconnected", "broken pipe", "eof", "closed")),
    ("connect", ("refused", "unreachable", "no route", "connect")),
)
"""In the order asked: a TLS error or a time-out while connecting is not `connect`."""


def reason(status: int, error: str) -> str:
    """Empty for an answer of 2xx; else a member of REASONS. A text that is one of them is taken at its word."""
    if error in REASONS:
        return error
    if 200 <= status < 300 and not error:
        return ""
    if status == 429:
        return "http_429"
    if 400 <= status < 600:
        return "http_4xx" if status < 500 else "http_5xx"
    text = error.lower()
    return next((name for name, clues in _CLUES if any(clue in text for clue in clues)), "other")
