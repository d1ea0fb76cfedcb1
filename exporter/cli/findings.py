"""Findings for people: as a table in a terminal or a file, and as Markdown for a ticket. The worst come first."""

import re
from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.cli import tables
from exporter.model.findings import Answer, Finding, State

_STYLES: Final = {State.PASS: "green", State.WARN: "yellow", State.FAIL: "bold red", State.UNKNOWN: "magenta"}
_ANSWERS: Final = {Answer.YES: "bold green", Answer.NO: "bold red", Answer.CANNOT_TELL: "bold magenta"}


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first, else in the order of the checks; what the user has accepted comes after what counts."""
    return sorted(findings, key=lambda finding: (finding.accepted, -finding.state.rank))


def counted(findings: Sequence[Finding]) -> str:
    """`1 fail, 2 warn, 16 pass, 1 accepted`."""
    counts = [
        (sum(finding.state is state and not finding.accepted for finding in findings), state.value)
        for state in sorted(State, key=lambda state: -state.rank)
    ]
    counts.append((sum(finding.accepted for finding in findings), "accepted"))
    return ", ".join(f"{number} {word}" for number, word in counts if number)


def show(title: str, verdict: str, answer: Answer, findings: Sequence[Finding], stream: TextIO) -> None:
    """Print a headline and a table."""
    table = _grid(3, gap=2)
    for finding in ordered(findings):
        details = _grid(2, gap=1)
        for detail in finding.details:
            details.add_row("*", Text(detail))
        text = Text(_summary(finding))
        cell = Group(text, details) if finding.details else text
        table.add_row(Text(finding.state.upper(), style=_STYLES[finding.state]), finding.check, cell)

    def draw(console: Console) -> None:
        console.print(Text.assemble((f"{title}: ", "bold"), (verdict, _ANSWERS[answer]), f" ({counted(findings)})"))
        console.print(Padding(table, (1, 0, 0, 2)))

    tables.paint(draw, stream)


def _grid(columns: int, *, gap: int) -> Table:
    """The last column takes what is left; a word that is too long for it goes on in the next line, uncut."""
    grid = Table.grid(padding=(0, gap))
    for _ in range(columns - 1):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def markdown(title: str, verdict: str, findings: Sequence[Finding]) -> str:
    """The same, for a ticket or a merge request."""
    lines = [f"## {title}: {verdict}", "", f"{counted(findings)}", "", "| state | check | finding |", "|---|---|---|"]
    for finding in ordered(findings):
        text = "<br>".join([_plain(_summary(finding)), *(f"* {_plain(detail)}" for detail in finding.details)])
        lines.append(f"| **{finding.state}** | `{finding.check}` | {text} |")
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """For a cell of Markdown: every character stands for itself, and indentation stays."""
    text = re.sub(r"([\\`*|\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))
    return re.sub(r" {2,}", lambda spaces: "&nbsp;" * len(spaces[0]), text)


def _summary(finding: Finding) -> str:
    return f"(accepted) {finding.summary}" if finding.accepted else finding.summary
