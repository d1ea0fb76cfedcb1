"""The demo in a terminal: bars that move, what happened last, where to look. Without a terminal: plain lines."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from exporter import sim
from exporter.model.report import Report, Severity, Verdict
from exporter.report import news
from exporter.web import headline, standing, vision
from exporter.web.status import Status
from exporter.web.wording import MARKS, Tone, duration, percent

_STYLES: Final = {
    Tone.OK: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "bold red",
    Tone.UNKNOWN: "magenta",
    Tone.PLAIN: "blue",
    Tone.MUTED: "bright_black",
}
_SEVERITIES: Final = {Severity.INFO: Tone.PLAIN, Severity.WARNING: Tone.WARN, Severity.CRITICAL: Tone.BAD}
_EVENTS_SHOWN: Final = 8
_LEAST_EVENTS: Final = 3
_BAR: Final = 40
_SPACE: Final = Text()
"""An empty line, which only a terminal with room for it gets."""


class Line(NamedTuple):
    """Something that happened: when it was learnt (Unix seconds), how good it is, and the words."""

    at: float
    tone: Tone
    words: str


class Story:
    """What has happened so far, as lines: made from the differences between reports."""

    def __init__(self) -> None:
        self._before: Sequence[Report] = ()

    def lines(self, reports: Sequence[Report]) -> list[Line]:
        """What is new, in the order in which it happened."""
        done = {(r.started_at, c.name) for r in self._before for c in r.components if c.completed_at is not None}
        new = [Line(reports[-1].observed_until, _tone(told), _words(told)) for told in news.news(self._before, reports)]
        for report in reports:
            for component in report.components:
                at = component.completed_at
                if at is not None and (report.started_at, component.name) not in done:
                    _, words = standing.rollout(component, report, at)
                    new.append(Line(at, Tone.OK, f"{component.name}: {words}"))
        self._before = tuple(reports)
        return sorted(new, key=lambda line: line.at)


def _since_the_start(line: Line, reports: Sequence[Report]) -> str:
    return duration(max(0, round(line.at - reports[0].started_at)))


def _tone(told: news.News) -> Tone:
    match told.about.get("verdict"):
        case Verdict.PASSED:
            return Tone.OK
        case Verdict.FAILED:
            return Tone.BAD
        case _:
            return _SEVERITIES[told.severity]


def _words(told: news.News) -> str:
    about = told.about
    match told.event:
        case "session_began":
            return f"{about['kind']} {about['from']} → {about['to']} has begun"
        case "session_phase" | "session_ended":
            return f"{about['before'].replace('_', ' ')} → {about['after'].replace('_', ' ')}"
        case "session_verdict":
            return f"verdict: {about['verdict']}"
        case "finding":
            return about["summary"]
        case "guest_anomaly":
            return f"{about['guest']}: {about['kind'].replace('_', ' ')}"
        case _:
            return f"{told.event.replace('_', ' ')}: {', '.join(about.values())}"


class Plain:
    """Lines as things happen, for logs and pipes."""

    def __init__(self, console: Console, scenario: sim.Scenario) -> None:
        self._console = console
        self._scenario = scenario
        self._story = Story()

    def __enter__(self) -> Self:
        self._say(f"Scenario {self._scenario.name}: {self._scenario.about}")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def opened(self, addresses: Mapping[str, str]) -> None:
        for name, address in addresses.items():
            self._say(f"{name}: {address}")

    def show(self, reports: Sequence[Report], status: Status) -> None:
        for line in self._story.lines(reports):
            self._say(f"{_since_the_start(line, reports):>11}  {MARKS[line.tone]} {line.words}")

    def over(self) -> None:
        self._say("The scenario is over; everything stays until Ctrl-C.")

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


class Lively:
    """One picture that is drawn anew, in a terminal."""

    def __init__(self, console: Console, scenario: sim.Scenario) -> None:
        self._scenario = scenario
        self._story = Story()
        self._events: deque[Line] = deque(maxlen=_EVENTS_SHOWN)
        self._addresses: Mapping[str, str] = {}
        self._reports: Sequence[Report] = ()
        self._status: Status | None = None
        self._over = False
        self._console = console
        self._live = Live(self.picture(), console=console, refresh_per_second=4, get_renderable=self.picture)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def opened(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    def show(self, reports: Sequence[Report], status: Status) -> None:
        self._events.extend(self._story.lines(reports))
        self._reports, self._status = reports, status

    def over(self) -> None:
        self._over = True

    def picture(self) -> RenderableType:
        """As much as the terminal has room for: in a low one fewer events, and then no empty lines."""
        picture = self._drawn(list(self._events), roomy=True)
        for roomy, least in ((True, _LEAST_EVENTS), (False, 0)):
            for first in range(max(1, len(self._events) - least + 1)):
                picture = self._drawn(list(self._events)[first:], roomy=roomy)
                if len(self._console.render_lines(picture)) < self._console.height:
                    return picture
        return picture

    def _drawn(self, events: Sequence[Line], *, roomy: bool) -> RenderableType:
        parts = [part for part in self._parts(events) if roomy or part is not _SPACE]
        return Padding(Group(*parts), (int(roomy), 2))

    def _parts(self, events: Sequence[Line]) -> Iterator[RenderableType]:
        yield Text.assemble(("KubeVirt upgrade exporter", "bold"), "  watching a simulated cluster")
        yield Text(f"{self._scenario.name}: {self._scenario.about}", style="bright_black")
        yield _SPACE
        if not self._addresses:
            yield Text("Starting…", style=_STYLES[Tone.MUTED])
            return
        yield _grid((Text(name), _address(where)) for name, where in self._addresses.items())
        yield Rule(style="bright_black")
        if self._reports and self._status is not None:
            yield from _session(self._reports[-1], self._status)
        else:
            yield Text("Watching: no session seen yet. The upgrade is about to begin.", style=_STYLES[Tone.PLAIN])
        if events:
            yield Rule(style="bright_black")
            yield _grid(
                (Text(_since_the_start(line, self._reports), style="bright_black"), _said(line.tone, line.words))
                for line in events
            )
        yield Rule(style="bright_black")
        ends = "The scenario is over; look around. " if self._over else "Open the status page in a browser. "
        yield Text(f"{ends}Ctrl-C ends all that was started.", style="bright_black")


def screen(console: Console, scenario: sim.Scenario) -> Lively | Plain:
    """What fits: a picture in a terminal, lines elsewhere."""
    return Lively(console, scenario) if console.is_terminal else Plain(console, scenario)


def _session(report: Report, status: Status) -> Iterator[RenderableType]:
    stands, unseen = standing.seen(report, status), standing.unseen_since(report, status)
    why = stands.why if unseen is None else vision.silence(unseen, status)  # the other words are HTML then
    until = status.now if report.ended_at is None else report.ended_at
    yield Text.assemble(
        (f"{MARKS[stands.tone]} {stands.word}", f"bold {_STYLES[stands.tone]}"),
        (f"  {headline.kind(report)} {headline.path(report)}", "bold"),
        f"  {report.phase.replace('_', ' ')}, {duration(round(max(0.0, until - report.started_at)))}",
    )
    yield Text(why)
    yield _SPACE
    yield _bars(report, stands.tone, status.now)
    yield _SPACE
    yield _guests(report)


def _bars(report: Report, tone: Tone, now: float) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("Control plane", _bar(report.progress, tone), percent(report.progress), "")
    for component in report.components:
        mark, word = standing.rollout(component, report, now)
        ready, desired = component.ready, component.desired
        ratio = ready / desired if ready is not None and desired else 0.0
        count = f"{'?' if ready is None else ready}/{'?' if desired is None else desired}"
        table.add_row(f"  {component.name}", _bar(ratio, mark), count, _said(mark, word))
    updated = standing.updated_guests(report)
    if updated is not None:
        mark, done, guests = updated
        table.add_row("Guests updated", _bar(done / guests if guests else 1.0, mark), f"{done}/{guests}", "")
    return table


def _bar(ratio: float, tone: Tone) -> ProgressBar:
    style = _STYLES[tone]
    return ProgressBar(total=1.0, completed=ratio, width=_BAR, complete_style=style, finished_style=style)


def _guests(report: Report) -> Text:
    continuity, migrations = report.continuity, report.migrations
    interrupted = continuity.interrupted.total
    return Text.assemble(
        "Guests: ",
        f"{_number(continuity.baseline)} at the start, {continuity.migrated} migrated, ",
        (f"{interrupted} interrupted", _STYLES[Tone.BAD if interrupted else Tone.OK]),
        f", {_number(migrations.outdated)} outdated, {_number(migrations.stranded)} stranded",
    )


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _said(tone: Tone, words: str) -> Text:
    return Text(f"{MARKS[tone]} {words}", style=_STYLES[tone])


def _address(where: str) -> Text:
    return Text(where, style=f"link {where} bold cyan" if where.startswith("http") else "bright_black")


def _grid(rows: Iterator[tuple[RenderableType, RenderableType]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    return table
