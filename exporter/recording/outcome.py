"""Why a recorded probe failed, in the closed list of reasons that live probes use.

A recording holds what its writer saw: an HTTP status, or 0 and a text of the writer's own.
"""

from typing import Final

from exporter.model import probing

_CLUES: Final = (
    ("timeout", ("timeout", "timed out", "deadline")),
    ("dns", ("dns", "getaddrinfo", "name resolution", "name or service", "no such host", "nodename")),
    ("tls", ("tls", "ssl", "certificate", "x509", "handshake")),
    ("reset", ("reset", "disconnected", "broken pipe", "eof", "closed")),
    ("connect", ("refused", "unreachable", "no route", "connect")),
)
"""In the order asked: a TLS error or a time-out while connecting is not `connect`."""


def reason(status: int, error: str) -> str:
    """Empty for success, else one of `probing.REASONS`. A text that is one of them is taken at its word."""
    if error in probing.REASONS:
        return error
    by_status = probing.reason_of_status(status)
    if by_status != "other" and not (by_status == "" and error):
        return by_status
    text = error.lower()
    return next((name for name, clues in _CLUES if any(clue in text for clue in clues)), "other")
