"""What the exporter says of its own state, for `/readyz` and the page."""

import msgspec

from exporter.kube.status import WatchStatus


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The exporter at one moment. Times in Unix seconds."""

    version: str
    now: float
    started_at: float
    ready: bool
    """Each resource was listed once, or is known to be forbidden or absent; stays true when the API goes away later."""
    stopping: bool
    resources: tuple[WatchStatus, ...]
