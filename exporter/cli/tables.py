"""Reports as tables, for people. What is not known is shown as `?`, never as 0 or as nothing.

The same reports give the same bytes: 100 columns and no colours where the output is no terminal.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TextIO

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.model.report import Report, RetentionReport, Severity, SloState, Verdict
from exporter.report import encode

_WIDTH: Final = 100
_UNKNOWN: Final = "?"
_VERDICTS: Final = {
    Verdict.PASSED: "bold green",
    Verdict.FAILED: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
}
_STATES: Final = {
    SloState.MET: "green",
    SloState.AT_RISK: "yellow",
    SloState.EXHAUSTED: "red",
    SloState.UNKNOWN: "yellow",
}
_SEVERITIES: Final = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.CRITICAL: "red"}


def show(reports: Sequence[Report], stream: TextIO) -> None:
    """Print the reports, in the order given."""
    paint(lambda console: _print(reports, console), stream)


def paint(draw: Callable[[Console], None], stream: TextIO) -> None:
    """Draw for the stream: with colours in a terminal, else 100 columns of plain text without spaces at their ends."""
    if stream.isatty():
        draw(Console(file=stream, markup=False, highlight=False, emoji=False))
        return
    text = io.StringIO()
    console = Console(
        file=text, width=_WIDTH, force_terminal=False, no_color=True, markup=False, highlight=False, emoji=False
    )
    draw(console)
    lines = "\n".join(line.rstrip() for line in text.getvalue().splitlines())
    stream.write(re.sub(r"\n{3,}", "\n\n", lines) + "\n")


def _print(reports: Sequence[Report], console: Console) -> None:
    if not reports:
        console.print("No session: nothing was upgraded, rolled back or reconfigured.")
    for number, report in enumerate(reports):
        if number:
            console.rule(characters="-")
        for part in _parts(report):
            console.print(part)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield _title(report)
    yield Padding(_overview(report), (0, 0, 0, 2))
    yield _components(report)
    if report.leadership:
        yield _leaders(report)
    if report.api.probes:
        yield _probes(report)
    objects = report.retention.objects
    remarkable = {name: row for name, row in objects.items() if row.lost or row.recreated or row.spec_changed}
    if remarkable:
        yield _retention(remarkable)
    if report.slos:
        yield _slos(report)
    for finding in report.findings:
        line = f"{finding.severity.upper()} {finding.check}: {finding.summary}"
        yield Padding(Text(line, style=_SEVERITIES[finding.severity]), (0, 0, 0, 2))
    for anomaly in report.continuity.anomalies:
        yield Padding(f"{_moment(anomaly.at)}  {anomaly.kind}  {anomaly.namespace}/{anomaly.name}", (0, 0, 0, 2))
    if report.continuity.anomalies_dropped:
        yield Padding(f"... and {report.continuity.anomalies_dropped} guests more", (0, 0, 0, 2))


def _title(report: Report) -> Text:
    verdict, addition = report.verdict, ""
    if verdict is None:
        verdict, addition = report.verdict_so_far, " so far"
    title = f"{report.kind} {_text(report.from_version)} to {_text(report.to_version)}: "
    said = _UNKNOWN if verdict is None else f"{verdict.upper()}{addition}"
    return Text.assemble((title, "bold"), (said, _VERDICTS[verdict] if verdict else "bold"))


def _overview(report: Report) -> Table:
    guests, migrations = report.continuity, report.migrations
    stalled = f", stalled: {', '.join(report.stalled)}" if report.stalled else ""
    rows = {
        "phase": f"{report.phase}, progress {report.progress:.0%}{stalled}",
        "started": _moment(report.started_at),
        "reported complete": _since(report.reported_complete_at, report),
        "observed complete": _since(report.observed_complete_at, report),
        "guests updated": _since(report.workloads_complete_at, report),
        "ended": _since(report.ended_at, report),
        "observed until": _since(report.observed_until, report),
        "guests": f"{_text(guests.baseline)} at the start, {guests.migrated} migrated, {guests.asked} ended on request",
        "interrupted": f"{guests.interrupted.total}{_counts(guests.interrupted.by_reason)},"
        f" for {guests.interruption_seconds:.1f} s; {guests.unattributed} more cannot be told",
        "two launchers": f"{guests.duplicate_launchers}",
        "migrations": f"{migrations.succeeded} succeeded, {migrations.failed} failed,"
        f" {_text(migrations.in_flight)} in flight",
        "outdated guests": f"{_text(migrations.outdated)}, of which stranded: {_text(migrations.stranded)}",
        "unobserved": f"{guests.unobserved_seconds:.1f} s",
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _components(report: Report) -> Table:
    table = _table("component", "from", "to", ">started", ">complete", ">updated", ">ready", ">desired", ">restarts")
    for row in report.components:
        table.add_row(
            row.name,
            _text(row.from_version),
            _text(row.to_version),
            _since(row.started_at, report),
            _since(row.completed_at, report),
            *(_text(pods) for pods in (row.updated, row.ready, row.desired)),
            str(row.restarts),
        )
    return table


def _leaders(report: Report) -> Table:
    table = _table("leader", ">transitions", ">without a leader", ">longest gap")
    for row in report.leadership:
        gaps = (f"{seconds:.1f} s" for seconds in (row.leaderless_seconds, row.longest_gap_seconds))
        table.add_row(row.component, str(row.transitions), *gaps)
    return table


def _probes(report: Report) -> Table:
    table = _table("probe", "connection", ">measured", ">disrupted", ">cluster", ">ours", "failures")
    for row in report.api.probes:
        amounts = (row.measured_seconds, row.disruption_seconds, row.cluster_seconds, row.client_seconds)
        seconds = (f"{amount:.0f} s" for amount in amounts)
        table.add_row(row.probe, row.connection, *seconds, _counts(row.failures).strip(" ()"))
    return table


def _retention(rows: dict[str, RetentionReport]) -> Table:
    table = _table("objects", ">before", ">after", ">lost", ">re-created", ">spec changed")
    for name, row in rows.items():
        counts = (row.before, row.after, row.lost, row.recreated, row.spec_changed)
        table.add_row(name, *(_text(count) for count in counts))
    return table


def _slos(report: Report) -> Table:
    table = _table("SLO", "objective", ">used", "state")
    for row in report.slos:
        used = _UNKNOWN if row.consumed_ratio is None else f"{row.consumed_ratio:.0%}"
        table.add_row(row.slo, row.objective, used, Text(row.state, style=_STATES[row.state]))
    return table


def _table(*columns: str) -> Table:
    """`>` in front of a column's name: its values stand at the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    for column in columns:
        right = column.startswith(">")
        name = column.removeprefix(">")
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _text(value: object) -> str:
    return _UNKNOWN if value is None else str(value)


def _moment(at: float) -> str:
    return encode.moment(at).replace("T", " ")


def _since(at: float | None, report: Report) -> str:
    """Seconds after the session's start; `-` for what we have not seen happen."""
    return "-" if at is None else f"{round(at - report.started_at, 1) + 0.0:+.1f} s"  # + 0.0: no "-0.0"


def _counts(counts: dict[str, int]) -> str:
    """`` (reason 1, other 2)``; nothing where there are none."""
    return f" ({', '.join(f'{name} {count}' for name, count in sorted(counts.items()))})" if counts else ""
