"""A reflector at work, and what it tells."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from exporter import settings
from exporter.kube.access import Access
from exporter.kube.api import Api, Parameters
from exporter.kube.namespace import InstallNamespace
from exporter.kube.reflector import Reflector, Surroundings
from exporter.kube.status import WatchStatus
from exporter.model import changes
from exporter.model.changes import Change, ListReplaced, ObjectChanged, Sync, SyncChanged
from exporter.model.objects import Object
from exporter.model.resources import ResourceSpec
from tests.contract.subjects import NAMESPACE

LIMITS: dict[str, Any] = {
    "request_deadline": 10.0,
    "watch_silence": 30.0,
    "watch_lifetime": 60.0,
    "watch_trial": 0.15,
    "backoff_base": 0.05,
    "backoff_cap": 0.2,
    "refused_retry": 0.2,
    "longest_line": 1_000_000,
}
LONGEST_WAIT = 20.0
"""A guard; no test depends on it."""


class _Api(Api):
    """Lets the test act behind the first page of a list."""

    after_page: Callable[[], Awaitable[None]] | None = None

    async def get(self, path: str, parameters: Parameters | None = None, *, accept: str = "application/json") -> bytes:
        body = await super().get(path, parameters, accept=accept)
        act, self.after_page = self.after_page, None
        if act is not None:
            await act()
        return body


class Following:
    """A reflector that runs, and all it has told; use it as an async context manager."""

    def __init__(self, access: Access, spec: ResourceSpec, *, namespace: str = NAMESPACE, **limits: Any) -> None:  # noqa: ANN401
        self.told: list[Change] = []
        self.waits: list[float] = []
        """The seconds it wanted to wait between attempts. It waits less."""
        self.namespace = InstallNamespace(namespace)
        watching = settings.Watching(**{**LIMITS, **limits})
        self.api = _Api(access, deadline=watching.request_deadline)
        self.reflector = Reflector(
            spec,
            Surroundings(
                api=self.api,
                emit=self.told.append,
                watching=watching,
                namespace=self.namespace,
                rng=random.Random(1),
                sleep=self._sleep,
            ),
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.reflector.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.api.__aexit__(kind, error, traceback)
        assert self._task.cancelled(), self._task.exception()
        times = [change.at for change in self.told]
        assert times == sorted(times)

    @property
    def status(self) -> WatchStatus:
        return self.reflector.status

    @property
    def objects(self) -> dict[str, Object]:
        """All objects, as one knows them who heard the changes."""
        known: dict[str, Object] = {}
        for change in self.told:
            if isinstance(change, ObjectChanged | ListReplaced):
                for delta in changes.deltas(change):
                    if delta.old is not None:
                        assert known.pop(delta.old.key) == delta.old
                    if delta.new is not None:
                        known[delta.new.key] = delta.new
        return known

    @property
    def lists(self) -> list[ListReplaced]:
        return [change for change in self.told if isinstance(change, ListReplaced)]

    @property
    def states(self) -> list[Sync]:
        """All states told, a list being one."""
        return [
            change.state if isinstance(change, SyncChanged) else Sync.SYNCED
            for change in self.told
            if isinstance(change, SyncChanged | ListReplaced)
        ]

    async def until(self, holds: Callable[[Self], object]) -> None:
        """Wait until something holds of this."""
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                while not holds(self):
                    assert self._task is not None
                    assert not self._task.done(), self._task.exception()
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"not reached; told so far: {self.told!r}; {self.status!r}") from None

    async def knows(self, *names: str) -> None:
        """Wait until it knows these objects and no others."""
        await self.until(lambda follower: {o.name for o in follower.objects.values()} == set(names))

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(min(seconds, 0.05))
