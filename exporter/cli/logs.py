"""Log lines: an event's name and its keys, for people (`key=value`) or for log stores (JSON), on standard error.

Code logs with the standard library: the message is the constant name of the event, its keys are in `extra`. Other
libraries are heard from warnings upwards only: what they say while debugging may hold credentials.
"""

import datetime as dt
import json
import logging
import sys
from typing import Any, Final, TextIO

from exporter.settings import Logging

_STANDARD: Final = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}


def set_up(settings: Logging, stream: TextIO | None = None) -> None:
    """Send what this process logs to the stream, standard error by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("exporter").setLevel(level)
    logging.captureWarnings(capture=True)


class TextFormatter(logging.Formatter):
    """`time level event key=value ...`; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{key}={_word(value)}" for key, value in _fields(record).items()]
        line = " ".join([_time(record), f"{record.levelname:7}", _one_line(record.getMessage()), *fields])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `event`, the keys, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        line |= _fields(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    at = dt.datetime.fromtimestamp(record.created, tz=dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: object) -> str:
    """The value, quoted where it would not end at the next space."""
    text = str(value)
    plain = text and text.isprintable() and not any(mark in text for mark in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)
