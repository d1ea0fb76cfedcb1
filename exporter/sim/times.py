"""Times as Kubernetes writes them, from seconds since the epoch. No clock is read here."""

from __future__ import annotations

import datetime as dt


def _moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, tz=dt.UTC)


def seconds(at: float) -> str:
    """`2026-11-23T04:41:56Z`, as in most timestamps."""
    return _moment(int(at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(at: float) -> str:
    """`2026-11-23T04:41:56.641706Z`, as in Leases and in recordings."""
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> float:
    """The reverse of both. Raises `ValueError`."""
    return dt.datetime.fromisoformat(text).timestamp()
