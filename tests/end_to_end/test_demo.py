"""The demo as people start it: a process, that tells the truth, and of which nothing stays behind."""

import asyncio
import contextlib
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import urllib.parse
from collections.abc import Iterator

import pytest

from exporter import sim
from tests.conftest import REPOSITORY
from tests.end_to_end import chromium

DEADLINE = 60
"""Seconds, against hanging."""
SPEED = "20"

# Leases are short, since no speed shortens them. The guest dies when all others are updated: then it changes nothing of
# how many migrate, and all watches are back that changed definitions have cut (while nobody can tell what happens).
STORY = """
about: A guest runs out of memory, and another one cannot migrate.
cluster: {version: v1.3.0, guests: 20, lease-seconds: 3}
steps:
  - {at: 30, do: upgrade, to: v1.4.0}
  - {after: workloads-updated v1.4.0, plus: 5, do: interrupt-guest, guest: team-a/vm-a1, how: oom}
ends: {after: workloads-updated v1.4.0, plus: 40}
"""


IN_ITS_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"


def demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter", "demo", *arguments]


def environment(folder: pathlib.Path) -> dict[str, str]:
    """What it leaves in a temporary folder can be seen there."""
    return {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def descendants(pid: int) -> set[int]:
    """The processes it has started."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children}


def exists(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def answers(address: str) -> bool:
    parts = urllib.parse.urlsplit(address)
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((parts.hostname, parts.port), timeout=5):
        return True
    return False


async def see(address: str, words: str) -> None:
    """Stay on the page until it says so."""
    async with chromium.page() as browser:
        await browser.open(address)
        await browser.until(f"document.body.innerText.includes('{words}')")
        assert browser.complaints == []


def test_its_summary_is_the_truth(tmp_path: pathlib.Path) -> None:
    """From beginning to end at high speed, with a browser on the page meanwhile."""
    story = tmp_path / "story.yaml"
    story.write_text(STORY)
    truth = sim.Simulation(sim.load(story)).run()
    assert [f"{guest.namespace}/{guest.name}" for guest in truth.interruptions] == ["team-a/vm-a1"]
    process = subprocess.Popen(
        demo("--scenario", str(story), "--speed", SPEED, "--once"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        env=environment(tmp_path),
    )
    with process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        address = next(line for line in lines if line.startswith("Status page: ")).split()[-1]
        started = descendants(process.pid)
        with contextlib.suppress(pytest.skip.Exception):  # the tests of the page say that there is no browser
            asyncio.run(see(address, "team-a/vm-a1"))
        text = "".join(lines)
    assert process.returncode == 0
    assert started
    assert not any(map(exists, started))
    for part in (
        "• upgrade v1.3.0 → v1.4.0 has begun",
        "! team-a/vm-a1: interrupted",
        "✓ virt-api: done in",
        "✕ verdict: failed",
        "upgrade v1.3.0 to v1.4.0: FAILED",
        "interrupted        1 (out_of_memory 1)",
        f"20 at the start, {truth.succeeded()} migrated",
        f"{truth.succeeded()} succeeded, {truth.failed()} failed, 0 in flight",
        f"of which stranded: {len(truth.stranded)}",
        "0 more cannot be told",
    ):
        assert part in text
    assert list(tmp_path.iterdir()) == [story]


def test_an_outage_that_is_shorter_in_the_demo_fails_all_the_same(tmp_path: pathlib.Path) -> None:
    """Ninety seconds of the story are six here: within the usual budget, and far over what was left of it."""
    story = tmp_path / "story.yaml"
    story.write_text("""
about: virt-api is away.
cluster: {version: v1.3.0, guests: 5, lease-seconds: 3}
steps:
  - {at: 20, do: upgrade, to: v1.4.0}
  - {after: handler-started v1.4.0, plus: 5, do: stop-api, what: kubevirt-api, seconds: 90}
ends: {after: handler-started v1.4.0, plus: 150}
""")
    process = subprocess.Popen(
        demo("--scenario", str(story), "--speed", "5", "--once"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        env=environment(tmp_path),
    )
    with process:
        assert process.stdout is not None
        verdict = next((line for line in process.stdout if "verdict:" in line), "no verdict")
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert "✕ verdict: failed" in verdict
    assert "at most 3 s of disruption per probe" in rest


@contextlib.contextmanager
def in_a_terminal(command: list[str], folder: pathlib.Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command in a terminal of its own, and the end of it at which a person sits."""
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_ITS_TERMINAL, *command],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=REPOSITORY,
        env=environment(folder) | {"TERM": "xterm", "COLUMNS": "100", "LINES": "50"},
    )
    os.close(terminal)
    try:
        yield process, person
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(person)


def read_until(person: int, words: str) -> str:
    """All that the terminal shows until there are these words."""
    shown = ""
    while words not in shown:
        shown += os.read(person, 65536).decode(errors="replace")
    return shown


def drain(person: int) -> str:
    """All that is still shown."""
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(person, 65536):
            shown += chunk
    return shown.decode(errors="replace")


@pytest.mark.parametrize("ask", ["Ctrl-C", "SIGTERM"])
def test_whoever_ends_it_finds_nothing_left(ask: str, tmp_path: pathlib.Path) -> None:
    with in_a_terminal(demo("--speed", SPEED), tmp_path) as (process, person):
        shown = read_until(person, "has begun")
        [address] = set(re.findall(r"http://127\.0\.0\.1:\d+/", shown))
        started = descendants(process.pid)
        assert started
        assert answers(address)
        if ask == "Ctrl-C":
            os.write(person, termios.tcgetattr(person)[6][termios.VINTR])
        else:
            process.send_signal(signal.SIGTERM)
        rest = drain(person)
        assert process.wait(DEADLINE) == 0
    assert "upgrade v1.3.0 to v1.4.0" in rest
    assert not any(map(exists, started))
    assert not answers(address)
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_ended_while_it_starts(tmp_path: pathlib.Path) -> None:
    process = subprocess.Popen(
        demo(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY, env=environment(tmp_path)
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Scenario clean: ")
        while not (started := descendants(process.pid)):
            pass
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 0
    assert not any(map(exists, started))
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_that_does_not_exist_is_a_usage_error_that_names_those_that_do() -> None:
    ended = subprocess.run(demo("--scenario", "dance"), capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert ended.returncode == 3
    assert "dance: no such scenario; there are: clean, " in ended.stderr


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(demo("--port", str(port)), capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert ended.stderr == f"kubevirt-upgrade-exporter: --port {port}: Address already in use\n"


def test_scenarios_are_listed() -> None:
    listed = subprocess.run(
        demo("--scenario", "list"), capture_output=True, text=True, cwd=REPOSITORY, check=True
    ).stdout
    assert [line.split()[0] for line in listed.splitlines()] == sim.names()
    assert "A clean upgrade of one minor." in listed
