"""All of this package, put together: the runner, the manifest corpus, their metrics and their debug page."""

import asyncio
from collections.abc import Callable
from typing import Final

from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model.changes import ProbeFinished
from exporter.probes import debug
from exporter.probes.manifests import Corpus
from exporter.probes.runner import Runner
from exporter.probes.source import ProbesSource, VersionsSeen
from exporter.probes.table import table


class Prober:
    """Probes for ever, once `run`. `namespace` is where we may create as dry runs; empty for nowhere.

    `api` comes from `asking.own_api`.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        eager: Callable[[], bool],
        emit: Callable[[ProbeFinished], None],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._runner = Runner(api, table(namespace=namespace), eager=eager, emit=emit, clock=clock)
        self._corpus: Corpus | None = None
        if namespace:
            self._corpus = Corpus(api, namespace=namespace, clock=clock, history=self._runner.history)
        versions = VersionsSeen(now=clock.now, on_change=self._hurry)
        self._runner.on_version = versions
        self.source: Final = ProbesSource(self._runner.slots, versions, self._corpus)

    def _hurry(self) -> None:
        if self._corpus is not None:
            self._corpus.hurry()

    async def run(self) -> None:
        """Ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runner.run(), name="probes")
            if self._corpus is not None:
                group.create_task(self._corpus.run(), name="manifests")

    def page(self) -> str:
        """For `/debug/probes`."""
        return debug.text(self._runner.slots, self._runner.history, now=self._clock.now())
