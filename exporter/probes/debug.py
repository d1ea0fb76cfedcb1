"""`/debug/probes` as text: how each probe stands, and its last results. Failures are kept longer than successes."""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence

from exporter.probes.history import Entry, History
from exporter.probes.runner import Slot


def text(slots: Sequence[Slot], history: History, *, now: float) -> str:
    """The page as of now, in Unix seconds."""
    return "\n".join([*_standings(slots, now), *_results(history)]) + "\n"


def _standings(slots: Sequence[Slot], now: float) -> Iterator[str]:
    yield f"Probes as of {_time(now)}"
    yield ""
    for slot in slots:
        about = [slot.standing.value, f"{slot.under_way} under way", f"{slot.missed} missed"]
        if slot.trouble:
            about.append(f"failing: {slot.trouble}")
        yield f"{slot.probe.name} {slot.connection}: {', '.join(about)}"


def _results(history: History) -> Iterator[str]:
    for (probe, connection), entries in itertools.groupby(history, key=lambda e: (e.probe, e.connection)):
        yield ""
        yield f"{probe} {connection}"
        yield from map(_line, entries)


def _line(entry: Entry) -> str:
    status = f"HTTP {entry.status}" if entry.status else "no answer"
    line = f"  {_time(entry.sent)}  {entry.reason or 'ok'}  {status}  {entry.seconds:.3f} s  audit-id {entry.audit_id}"
    return f"{line}  {entry.detail}" if entry.detail else line


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
