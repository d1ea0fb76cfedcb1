"""A report as JSON, the same wherever it is shown: API, UpgradeReport status, replay, verify.

Keys are camelCase; moments are RFC 3339 UTC with milliseconds and `Z`; other numbers have at most three decimals (the
rest is noise of the arithmetic); what was not observed is null. The same report gives the same bytes.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from exporter.model.report import Report


def document(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    built: dict[str, Any] = _value("", msgspec.to_builtins(report))
    return built


def as_json(reports: Iterable[Report], *, indent: int = 0) -> bytes:
    """A list of reports in the order given, on one line, or on many if there is an indent."""
    text = msgspec.json.encode([document(report) for report in reports])
    return msgspec.json.format(text, indent=indent) + b"\n" if indent else text + b"\n"


def moment(at: float) -> str:
    """Unix seconds as RFC 3339 UTC, to the millisecond."""
    return dt.datetime.fromtimestamp(round(at, 3), tz=dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_moment(key: str) -> bool:
    """Whether the number behind this key is a moment, in Unix seconds, and not an amount."""
    return key in {"at", "observedUntil"} or key.endswith("At")


def _value(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {name: _value(name, inner) for name, inner in value.items()}
        case list() | tuple():
            return [_value(key, inner) for inner in value]
        case int() | float() if is_moment(key):
            return moment(value)
        case float():
            return round(value, 3)
        case _:
            return value
