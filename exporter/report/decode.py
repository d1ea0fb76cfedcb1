"""Reports back from the JSON that `encode` made. Not here: any other form of a report."""

import datetime as dt
from typing import Any

import msgspec

from exporter.model.report import Report
from exporter.report import encode


def report(document: Any) -> Report:  # noqa: ANN401 - JSON
    """One report.

    Raises msgspec.ValidationError: this is no report; the message says where.
    """
    return msgspec.convert(_value("", document), Report)


def reports(text: bytes) -> list[Report]:
    """A JSON list of reports.

    Raises msgspec.DecodeError (ValidationError is one): this is no such list; the message says where.
    """
    return [report(document) for document in msgspec.json.decode(text, type=list[Any])]


def _value(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {name: _value(name, inner) for name, inner in value.items()}
        case list():
            return [_value(key, inner) for inner in value]
        case str() if encode.is_moment(key):
            return _seconds(value)
        case _:
            return value


def _seconds(moment: str) -> float:
    try:
        return dt.datetime.fromisoformat(moment).timestamp()
    except ValueError as error:
        raise msgspec.ValidationError(f"{moment!r} is no moment") from error
