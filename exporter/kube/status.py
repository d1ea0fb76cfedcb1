"""How well one resource is watched, in numbers."""

import msgspec

from exporter.model.changes import Sync


class WatchStatus(msgspec.Struct, kw_only=True):
    """Counters since the start of the process; times in Unix seconds."""

    resource: str
    sync: Sync = Sync.UNKNOWN
    objects: int = 0
    """Held now."""
    events: int = 0
    """Watch events, bookmarks apart."""
    received_bytes: int = 0
    """Of lists and watches."""
    relists: int = 0
    """Complete lists after the first."""
    watches: int = 0
    """Watches opened."""
    malformed: int = 0
    """Objects that could not be decoded, each time one was seen."""
    errors: dict[str, int] = {}
    """Failed requests and broken watches, by reason."""
    last_event_at: float | None = None
    """When the list or the watch last told us anything, bookmarks included."""

    @property
    def restarts(self) -> int:
        """Watches opened after the first."""
        return max(0, self.watches - 1)
