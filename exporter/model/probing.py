"""Words that probes, recordings of them and their accounting share: names, connections, reasons of failures.

A reason says what the client saw. Whose fault it was follows from the reason and the control probe (design §2,
`disruption`), and is decided in one place: `exporter.concerns.compatibility`.
"""

from typing import Final

CONTROL: Final = "apiserver-readyz"
"""The probe that separates the cluster's API server from KubeVirt: where it fails too, KubeVirt is not to blame."""

REUSED: Final = "reused"
NEW: Final = "new"
"""A fresh TCP and TLS connection for each request."""

CLIENT: Final = "client"
"""We could not send, or did not run in time: no file descriptors, no CPU."""

REASONS: Final = (
    "dns", "connect", "tls", "timeout", "reset", "http_4xx", "http_429", "http_5xx", "webhook", "schema", CLIENT,
    "other",
)  # fmt: skip
"""All reasons of a failure. `webhook`: admission failed. `schema`: refused as invalid, or a wrong form of answer."""

OUR_SIDE: Final = frozenset({CLIENT, "dns"})
"""Failures before anything has left us: the name of the API server is resolved by our own resolver."""

DEADLINE: Final = 10.0
"""Seconds a request may take; the result of a probe is known at most this long after it was sent."""


def reason_of_status(status: int) -> str:
    """Empty for 2xx, else the reason an HTTP status stands for."""
    match status:
        case 429:
            return "http_429"
        case _ if 200 <= status < 300:
            return ""
        case _ if 400 <= status < 500:
            return "http_4xx"
        case _ if 500 <= status < 600:
            return "http_5xx"
        case _:
            return "other"
