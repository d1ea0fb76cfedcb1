"""An event loop whose clock is free: it goes on to the next timer as soon as no socket has anything to say.

Client and server run in the same loop, over real sockets on loopback, so an outage of minutes is over in seconds. That
nothing is under way is not guessed by waiting: a byte is sent around, and the kernel delivers loopback in order, so
what was sent before has arrived. The process stays on one CPU meanwhile, since each has a queue of its own.
"""

import asyncio
import contextlib
import os
import selectors
import socket
from collections.abc import Coroutine, Iterator
from typing import Any, Final, TypeVar

EPOCH: Final = 1_800_000_000.0
"""When the loop's clock stood at 0."""

_ROUNDS: Final = 4
"""Times the byte goes around: opening a connection takes three packets, one after the other."""

T = TypeVar("T")


class _Canary:
    """A connection of the kernel with itself."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._sender = socket.create_connection(listener.getsockname())
            self._receiver, _ = listener.accept()
        self._sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fly(self) -> None:
        """Return once what was sent before has arrived."""
        self._sender.send(b".")
        self._receiver.recv(1)

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()


class _Selector(selectors.DefaultSelector):
    """Counts how long it should have waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0
        self._canary = _Canary()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if timeout == 0:
            return found
        for _ in range(_ROUNDS):
            if found:
                return found
            self._canary.fly()
            found = super().select(0)
        if not found and timeout is None:
            return super().select(None)
        if not found and timeout is not None:
            self.skipped += timeout
        return found

    def close(self) -> None:
        self._canary.close()
        super().close()


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.skipped

    def stand_still(self, seconds: float) -> None:
        """So long the process gets no CPU."""
        self._virtual.skipped += seconds


@contextlib.contextmanager
def _one_cpu() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`; fails if anything was left running."""
    with _one_cpu(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(main)
        stray = [task for task in asyncio.all_tasks(runner.get_loop()) if not task.done()]
        assert stray == []
        return result
