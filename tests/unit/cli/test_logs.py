"""Log lines."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from exporter import settings
from exporter.cli import logs

OURS = logging.getLogger("exporter.tests")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Somewhere to log to; what was set up before is restored."""
    root, package = logging.getLogger(), logging.getLogger("exporter")
    before = (root.handlers[:], root.level, package.level)
    yield io.StringIO()
    root.handlers[:], root.level = before[0], before[1]
    package.setLevel(before[2])
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_text_is_an_event_and_its_keys(stream: io.StringIO) -> None:
    logs.set_up(settings.Logging(), stream)
    OURS.info("session_began", extra={"to": "v1.4.0", "why": 'said "so"', "empty": "", "count": 3, "none": None})
    [line] = lines(stream)
    time, rest = line.split(" ", 1)
    assert rest == r'INFO    session_began to=v1.4.0 why="said \"so\"" empty="" count=3 none=None'
    assert len(time) == len("2026-01-01T00:00:00.000Z")
    assert time.endswith("Z")


def test_nobody_can_forge_a_line(stream: io.StringIO) -> None:
    logs.set_up(settings.Logging(), stream)
    OURS.info("event", extra={"name_of": "x\n2026-01-01T00:00:00.000Z INFO forged\x1b[2J"})
    logging.getLogger("other").warning("a\nb")
    assert len(lines(stream)) == 2
    assert "\x1b" not in stream.getvalue()


def test_json_is_one_object_a_line(stream: io.StringIO) -> None:
    logs.set_up(settings.Logging(format="json"), stream)
    OURS.warning("watch_trouble", extra={"resource": "pods", "seconds": 1.5})
    OURS.error("source_failed", exc_info=ValueError("boom"))
    first, second = map(json.loads, lines(stream))
    assert first.pop("time").endswith("Z")
    assert first == {"level": "warning", "event": "watch_trouble", "resource": "pods", "seconds": 1.5}
    assert second["level"] == "error"
    assert "ValueError: boom" in second["traceback"]


def test_a_traceback_follows_its_event(stream: io.StringIO) -> None:
    logs.set_up(settings.Logging(), stream)
    OURS.error("source_failed", extra={"source": "guests"}, exc_info=ValueError("boom"))
    first, *rest = lines(stream)
    assert first.endswith("ERROR   source_failed source=guests")
    assert rest == ["ValueError: boom"]


def test_other_libraries_are_heard_from_warnings_upwards(stream: io.StringIO) -> None:
    """What an HTTP client says while debugging may hold a token."""
    logs.set_up(settings.Logging(level="debug"), stream)
    other = logging.getLogger("kubernetes.aio")
    other.debug("Authorization: Bearer secret")
    other.info("chatter")
    other.warning("trouble")
    OURS.debug("detail")
    assert [line.split()[2] for line in lines(stream)] == ["trouble", "detail"]


def test_the_level_holds_for_our_own_events(stream: io.StringIO) -> None:
    logs.set_up(settings.Logging(level="error"), stream)
    OURS.warning("unheard")
    logging.getLogger("other").warning("unheard")
    OURS.error("heard")
    assert [line.split()[2] for line in lines(stream)] == ["heard"]


def test_warnings_are_logged(stream: io.StringIO) -> None:
    logs.set_up(settings.Logging(), stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in stream.getvalue()
