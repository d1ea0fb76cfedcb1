"""What came of one request: the reason of a failure in one word, and what a person wants to see of it."""

from typing import Final

import msgspec

from exporter import errors
from exporter.kube import decode
from exporter.kube.api import Response
from exporter.model import probing

DETAIL: Final = 300
"""Characters kept of what a server says."""

_ADMISSION: Final = ("failed calling webhook", "admission webhook")
"""What the API server says where a webhook cannot be reached, and where one refuses."""


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one probe; failing is a result."""

    reason: str = ""
    """Of `probing.REASONS`; empty where it succeeded."""
    status: int = 0
    """Of HTTP; 0 where there was no answer."""
    detail: str = ""
    version: str = ""
    """What the replica that answered says it is, where the probe asks for that."""

    @property
    def ok(self) -> bool:
        """It succeeded."""
        return not self.reason


def succeeded(response: Response, *, version: str = "") -> ProbeResult:
    """The answer is what a client wants."""
    return ProbeResult(status=response.status, version=version)


def refused(response: Response) -> ProbeResult | None:
    """The answer is an error, by its status and by what the API server says; None where it is not."""
    reason = probing.reason_of_status(response.status)
    if not reason:
        return None
    message = message_of(response)
    if any(words in message for words in _ADMISSION):
        reason = "webhook"
    elif response.status in (400, 422):
        reason = "schema"
    return ProbeResult(reason=reason, status=response.status, detail=message)


def malformed(response: Response, why: str) -> ProbeResult:
    """A status of success, and a body that no client can use."""
    return ProbeResult(reason="schema", status=response.status, detail=shortened(why))


def unanswered(error: errors.ApiError) -> ProbeResult:
    """There was no answer."""
    return ProbeResult(reason=error.reason, detail=shortened(str(error)))


def message_of(response: Response) -> str:
    """What the server says, in one line."""
    status = decode.status(response.body)
    return shortened(status.message or response.body.decode(errors="replace"))


def shortened(text: str) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= DETAIL else line[: DETAIL - 1] + "…"
