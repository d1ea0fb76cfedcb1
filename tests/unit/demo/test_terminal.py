"""The demo's picture and lines, from the scenes of the status page."""

import io

import msgspec
from rich.console import Console

from exporter import sim
from exporter.demo import terminal
from exporter.model import report as r
from tests.unit.web import scenes

SCENARIO = sim.load("clean")
ADDRESSES = {"Status page": "http://127.0.0.1:1/", "Prometheus": "not installed"}


def console(*, is_terminal: bool, width: int = 100, height: int = 50) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=is_terminal, color_system=None, markup=False
    )


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def picture(*reports: r.Report, now: float, heard: float | None = None, over: bool = False) -> str:
    """What the terminal shows last; `heard`: how many seconds ago the API server was, if it is away."""
    status = scenes.status(now) if heard is None else scenes.cut(now, heard=heard)
    target = console(is_terminal=True)
    with terminal.Lively(target, SCENARIO) as screen:
        screen.opened(ADDRESSES)
        screen.show(reports, status)
        if over:
            screen.over()
    return text(target)


def test_the_picture_of_an_upgrade_under_way() -> None:
    shown = picture(scenes.UNDER_WAY, now=scenes.START + 130)
    for part in (
        "http://127.0.0.1:1/",
        "not installed",
        "✓ On track  Upgrade v1.3.0 → v1.4.0  control plane, 2 min 10 s",
        "46 %",
        "2/5   • rolling for 1 min 1 s",
        "· waits for its turn",
        "Guests: 60 at the start, 0 migrated, 0 interrupted, ? outdated, ? stranded",
        "Ctrl-C ends all",
    ):
        assert part in shown


def test_the_picture_of_a_failure() -> None:
    shown = picture(scenes.FAILED, now=scenes.START + 560)
    for part in ("✕ Failed", "✕ stalled", "2 interrupted", "✕ verdict: failed", "! team-a/vm-a1: out of memory"):
        assert part in shown


def test_a_picture_of_a_cluster_that_is_not_seen_does_not_say_that_it_is_well() -> None:
    shown = picture(scenes.AWAY, now=scenes.START + 223, heard=93)
    assert "? Blind  Upgrade v1.3.0 → v1.4.0" in shown
    assert "The cluster's API does not answer us: nothing heard for 1 min 33 s." in shown
    assert "On track" not in shown


def test_a_low_terminal_shows_what_happened_last_and_how_to_end_it() -> None:
    target = console(is_terminal=True, width=80, height=24)
    with terminal.Lively(target, SCENARIO) as screen:
        screen.opened(dict.fromkeys(("Status page", "Prometheus", "Alertmanager"), "http://127.0.0.1:1/"))
        screen.show([scenes.UNDER_WAY], scenes.status(scenes.START + 130))
        screen.show([scenes.FAILED], scenes.status(scenes.START + 560))
        screen.show([scenes.PASSED], scenes.status(scenes.START + 1400))
        seen = target.render_lines(screen.picture())
    last = ["".join(segment.text for segment in line).strip() for line in seen]
    assert len(last) < 24, "the terminal would cut off the end"
    assert last[-1] == "Open the status page in a browser. Ctrl-C ends all that was started."
    assert last[-3].endswith("! 1 guests keep their old launcher (not migratable 1)")
    assert "" not in last


def test_the_picture_of_the_end_asks_to_look_around() -> None:
    shown = picture(scenes.PASSED, now=scenes.START + 9000, over=True)
    assert "Guests updated" in shown
    assert "59/60" in shown
    assert "The scenario is over; look around." in shown


def test_before_anything_happens_it_watches() -> None:
    assert "no session seen yet" in picture(now=scenes.START)


def test_without_a_terminal_each_thing_is_one_line_once() -> None:
    target = console(is_terminal=False)
    with terminal.screen(target, SCENARIO) as screen:
        assert isinstance(screen, terminal.Plain)
        screen.opened(ADDRESSES)
        screen.show([], scenes.status(scenes.START))
        begun = msgspec.structs.replace(scenes.UNDER_WAY, components=(), observed_until=scenes.START + 1)
        screen.show([begun], scenes.status(scenes.START + 1))
        for now in (130, 131):
            screen.show([scenes.UNDER_WAY], scenes.status(scenes.START + now))
        screen.show([scenes.PASSED], scenes.status(scenes.START + 1400))
        screen.over()
    lines = [line.strip() for line in text(target).splitlines()]
    assert lines == [
        f"Scenario clean: {SCENARIO.about}",
        "Status page: http://127.0.0.1:1/",
        "Prometheus: not installed",
        "1 s  • upgrade v1.3.0 → v1.4.0 has begun",
        "30 s  ✓ virt-operator: done in 29 s",
        "3 min 25 s  ✓ virt-handler: done in 2 min 16 s",
        "4 min 19 s  ✓ virt-controller: done in 49 s",
        "5 min 16 s  ✓ virt-api: done in 53 s",
        "21 min 45 s  • control plane → completed",
        "21 min 45 s  ✓ verdict: passed",
        "21 min 45 s  ! 1 guests keep their old launcher (not migratable 1)",
        "The scenario is over; everything stays until Ctrl-C.",
    ]


def test_a_terminal_gets_the_picture() -> None:
    assert isinstance(terminal.screen(console(is_terminal=True), SCENARIO), terminal.Lively)
