"""Programs of the demo: what is started is ended, children included, and an early end is told with its last words."""

import asyncio
import os
import pathlib
import sys

import pytest

from exporter import errors
from exporter.demo import programs

FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.{})
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Runs, and is not only waiting to be collected by its parent."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    """A killed process closes its output a moment before it is gone."""
    async with asyncio.timeout(30):
        while alive(pid):  # noqa: ASYNC110 - nobody tells us: it is not our child
            await asyncio.sleep(0.01)


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


async def test_a_program_is_heard_and_ended() -> None:
    heard: list[str] = []
    source = "import os, time; print(os.getpid()); print('é', flush=True); time.sleep(600)"
    async with programs.running("it", python(source), heard=heard.append) as program:
        await program.until(lambda: len(heard) == 2, seconds=30)
        program.check()
        assert heard[1] == "é"
        assert alive(int(heard[0]))
    await gone(int(heard[0]))


@pytest.mark.parametrize("reaction", ["SIG_DFL", "SIG_IGN"])
async def test_its_children_are_ended_with_it_whether_it_wants_to_or_not(reaction: str) -> None:
    heard: list[str] = []
    async with programs.running("it", python(FAMILY.format(reaction)), heard=heard.append, grace=0.5) as program:
        await program.until(lambda: bool(heard), seconds=30)
        assert alive(int(heard[0]))
    await gone(int(heard[0]))


async def test_one_that_ends_by_itself_is_told_with_its_last_words() -> None:
    async with programs.running("it", python("print('no disk'); exit(3)")) as program:
        with pytest.raises(errors.ExporterError, match=r"it has ended with 3; it said last:\n  no disk"):
            await program.until(lambda: False, seconds=30)


async def test_one_that_never_gets_ready_is_told_too() -> None:
    async with programs.running("it", python("import time; time.sleep(600)")) as program:
        with pytest.raises(errors.ExporterError, match=r"it is not there after 0\.01 s"):
            await program.until(lambda: False, seconds=0.01)


async def test_one_that_does_not_exist_is_told() -> None:
    async with programs.running("it", ["/nowhere/at-all"]) as program:
        with pytest.raises(errors.ExporterError, match=r"(?s)it has ended with 1; it said last:.*No such file"):
            await program.until(lambda: False, seconds=30)


async def test_it_is_ended_when_we_are_cancelled() -> None:
    heard: list[str] = []

    async def run() -> None:
        source = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
        async with programs.running("it", python(source), heard=heard.append) as program:
            await program.until(lambda: bool(heard), seconds=30)
            task.cancel()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(heard[0]))


async def test_ctrl_c_in_our_terminal_is_not_theirs() -> None:
    heard: list[str] = []
    source = "import os, time; print(os.getsid(0), flush=True); time.sleep(600)"
    async with programs.running("it", python(source), heard=heard.append) as program:
        await program.until(lambda: bool(heard), seconds=30)
    assert int(heard[0]) != os.getsid(0)


KILLED = """
import asyncio, os, signal, sys
from exporter.demo import programs

async def main():
    source = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    async with programs.running("it", [sys.executable, "-c", source], heard=lambda line: print(line, flush=True)):
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
async def test_it_does_not_outlive_us_even_if_we_are_killed() -> None:
    us = await asyncio.create_subprocess_exec(*python(KILLED), stdout=asyncio.subprocess.PIPE)
    assert us.stdout is not None
    pid = int(await us.stdout.readline())
    us.kill()
    await us.wait()
    await gone(pid)
