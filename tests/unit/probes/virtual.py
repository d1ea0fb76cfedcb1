"""An event loop whose clock is free: it goes on in small steps whenever no socket has anything to say.

Client and server run in the same loop, over real sockets on loopback, so an outage of minutes is over in seconds. A
byte that comes late moves what happens by a step or two, and a deadline is a hundred steps away.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

EPOCH: Final = 1_800_000_000.0
"""When the loop's clock stood at 0."""

_GRACE: Final = 0.0002
"""Real seconds in which loopback may deliver what is under way."""

_STEP: Final = 0.1
"""Virtual seconds, at most, between two looks at the sockets."""

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Counts how long it should have waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        time.sleep(_GRACE)
        found = super().select(0)
        if not found and timeout is None:
            return super().select(None)
        if not found and timeout is not None:
            self.skipped += min(timeout, _STEP)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.skipped

    def stand_still(self, seconds: float) -> None:
        """So long the process gets no CPU."""
        self._virtual.skipped += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`; fails if anything was left running."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(main)
        stray = [task for task in asyncio.all_tasks(runner.get_loop()) if not task.done()]
        assert stray == []
        return result
