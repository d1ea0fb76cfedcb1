"""Findings in a terminal of 80 columns: all that is said can be read."""

import os
import re
import threading

import pytest

from exporter.cli import findings
from exporter.model.findings import Answer, Finding, State

LONG = "spec.configuration.migrations.completionTimeoutPerGiB.of.virtualmachineclusterpreferences"
FOUND = Finding(check="known-changes", state=State.WARN, summary=f"about {LONG}", details=(f"set {LONG} before",))


def shown() -> str:
    """What a terminal gets, without colours."""
    reader, terminal = os.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        while True:
            try:
                pieces.append(os.read(reader, 65536))
            except OSError:  # the other end is closed
                return

    reading = threading.Thread(target=read)
    reading.start()
    with os.fdopen(terminal, "w", encoding="utf-8") as stream:
        findings.show("Preflight", "GO", Answer.YES, [FOUND], stream)
    reading.join()
    os.close(reader)
    return re.sub(r"\x1b\[[0-9;]*m", "", b"".join(pieces).decode())


def test_nothing_is_cut_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    text = shown()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert re.sub(r"[\s*]", "", text).count(LONG) == 2


def test_in_markdown_every_character_stands_for_itself() -> None:
    """A diff of YAML, for example: indented, and with whatever people write."""
    details = ("-      bus: '<b>|a*`[x](y)'", "*_SHASUM and *_IMAGE")
    found = Finding(check="backup-unchanged", state=State.WARN, summary="a & b", details=details)
    [row] = findings.markdown("Verification", "PASSED", [found]).splitlines()[6:]
    indent = "&nbsp;" * 6
    assert row == (
        "| **warn** | `backup-unchanged` | a &amp; b"
        f"<br>* -{indent}bus: '&lt;b>\\|a\\*\\`\\[x\\](y)'<br>* \\*_SHASUM and \\*_IMAGE |"
    )
