"""Where KubeVirt is installed: as the settings say, or where its KubeVirt resource is."""

import asyncio
import logging
from typing import Final

from exporter.model import changes, resources
from exporter.model.changes import OF_OBJECTS, Change

_LOG: Final = logging.getLogger(__name__)


class InstallNamespace:
    """Known from the start, or as soon as the first KubeVirt resource is seen; then it stays."""

    def __init__(self, given: str = "") -> None:
        self._name = given
        self._known = asyncio.Event()
        if given:
            self._known.set()

    @property
    def known(self) -> bool:
        """There is no need to wait."""
        return bool(self._name)

    def learn(self, change: Change) -> None:
        """Take in a change; those of other resources cost nothing."""
        if self._name or not isinstance(change, OF_OBJECTS) or change.resource != resources.KUBEVIRTS:
            return
        for delta in changes.deltas(change):
            if delta.new is not None:
                self._name = delta.new.namespace
                self._known.set()
                _LOG.info("install_namespace", extra={"namespace": self._name})
                return

    async def get(self) -> str:
        """The namespace; waits until it is known."""
        await self._known.wait()
        return self._name
