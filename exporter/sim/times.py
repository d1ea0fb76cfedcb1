"""Times as Kubernetes writes them, from seconds since the epoch. No clock is read here."""

from __future__ import annotations

import datetime as dt
import functools


def _moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, tz=dt.UTC)


def seconds(at: float) -> str:
    """`2026-11-23T04:41:56Z`, as in most timestamps."""
    return _whole_seconds(int(at))


@functools.lru_cache(maxsize=1024)
def _whole_seconds(at: int) -> str:
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(at: float) -> str:
    """`2026-11-23T04:41:56.641706Z`, as in Leases and in recordings."""
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> float:
    """The reverse of both. Raises `ValueError`."""
    return dt.datetime.fromisoformat(text).timestamp()
