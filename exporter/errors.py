"""Exceptions named after the reaction they ask for. Library errors are translated at the boundary and chained.

ExporterError
├── UsageError        the person who started us must change something: exit 3
├── UnreadableError   an input cannot be read at all: exit 4
└── ApiError          the Kubernetes API did not give what we asked for
├── Gone          our version or continue token is too old: list again
├── Forbidden     we may not: say so, try again seldom
├── Absent        no such resource here: say so, try again seldom
├── Conflict      somebody else has written: read again before writing
└── Retry         try again after a while (cut, silence, 429, 5xx)
"""


class ExporterError(Exception):
    """Everything we raise on purpose."""


class UsageError(ExporterError):
    """A flag, a setting or a file name is wrong; the message names all mistakes and their places."""


class UnreadableError(ExporterError):
    """An input file or stream cannot be read; the message says where."""


class ApiError(ExporterError):
    """A request to the Kubernetes API failed; `reason` says how, in one of a few words that fit a metric's label."""

    def __init__(self, message: str, *, reason: str = "other") -> None:
        super().__init__(message)
        self.reason = reason


class Gone(ApiError):
    """HTTP 410, or an ERROR event with code 410: the version or continue token has expired."""


class Forbidden(ApiError):
    """HTTP 401 or 403."""


class Absent(ApiError):
    """HTTP 404: the resource is not served, or there is no such object."""


class Conflict(ApiError):
    """HTTP 409: it is there already, or is not in the version that we know."""


class Retry(ApiError):
    """Try again; `after` is what the server asked for, in seconds, or None."""

    def __init__(self, message: str, *, reason: str = "other", after: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.after = after
