"""Programs that the demo starts and ends: each by its process, in its own session, so that nothing stays behind."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from exporter import errors

GRACE_SECONDS: Final = 5.0
"""For an orderly end after SIGTERM."""
_LINES_KEPT: Final = 20
_LONGEST_LINE: Final = 1 << 20
_TIED: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes a program that Linux ends when its parent dies, even if that is killed and can end nothing itself."""


class Program:
    """A program that was started."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._over = False

    def check(self) -> None:
        """Raises ExporterError: it has ended by itself; the message holds its last lines."""
        if self._over:
            how = f"{self.name} has ended with {self._process.returncode}; it said last:"
            raise errors.ExporterError("\n  ".join([how, *self._said]))

    async def until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait for something that it will bring about.

        Raises ExporterError: it has ended, or this takes too long.
        """
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    self.check()
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            what = "\n  ".join([f"{self.name} is not there after {seconds:g} s; it said last:", *self._said])
            raise errors.ExporterError(what) from error

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Read what it says until its end."""
        output = self._process.stdout
        if output is None:
            raise RuntimeError("started without a pipe")
        async for line in output:
            text = line.decode(errors="replace").rstrip()
            self._said.append(text)
            heard(text)
        await self._process.wait()
        self._over = True  # not before its last words are read

    async def end(self, *, grace: float) -> None:
        """SIGTERM for it and its children, and SIGKILL if any of them is still there so many seconds later."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()  # until its output is closed, by its children, too
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


@contextlib.asynccontextmanager
async def running(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    heard: Callable[[str], None] = lambda _: None,
    grace: float = GRACE_SECONDS,
) -> AsyncIterator[Program]:
    """Start a program, and end it at the end. `command` begins with its path; `heard` gets each line of its output."""
    tied = [sys.executable, "-IS", "-c", _TIED, str(os.getpid())] if sys.platform == "linux" else []
    process = await asyncio.create_subprocess_exec(
        *tied,
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        limit=_LONGEST_LINE,
        start_new_session=True,  # Ctrl-C in the terminal is for us; we then end things in order
    )
    program = Program(name, process)
    listening = asyncio.create_task(program.listen(heard), name=f"{name} speaks")
    try:
        yield program
    finally:
        await program.end(grace=grace)
        await listening
