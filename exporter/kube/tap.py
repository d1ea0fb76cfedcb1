"""Who wants what reflectors read as it was sent, and not only what we keep of it: the writer of recordings."""

from typing import Final, Protocol

from exporter.kube import lines
from exporter.model.changes import Sync
from exporter.model.resources import ResourceSpec


class Tap(Protocol):
    """Told in order, at the times (Unix seconds) that the changes carry. It must not raise."""

    def listing(self, spec: ResourceSpec, *, at: float) -> None:
        """A list begins; one that began before and was not complete is void."""

    def page(self, spec: ResourceSpec, body: bytes, *, at: float) -> None:
        """A page of it, as it was sent; it can be read."""

    def listed(self, spec: ResourceSpec, version: str, *, at: float) -> None:
        """It is complete."""

    def events(self, spec: ResourceSpec, block: lines.Block, *, at: float) -> None:
        """Lines of a watch, as they were sent; perhaps not readable."""

    def became(self, spec: ResourceSpec, state: Sync, version: str, *, at: float) -> None:
        """The resource is out of sync, in sync again from this version on, or refused."""


class _Nobody:
    """Wants nothing."""

    def listing(self, spec: ResourceSpec, *, at: float) -> None:
        pass

    def page(self, spec: ResourceSpec, body: bytes, *, at: float) -> None:
        pass

    def listed(self, spec: ResourceSpec, version: str, *, at: float) -> None:
        pass

    def events(self, spec: ResourceSpec, block: lines.Block, *, at: float) -> None:
        pass

    def became(self, spec: ResourceSpec, state: Sync, version: str, *, at: float) -> None:
        pass


NOBODY: Final[Tap] = _Nobody()
