"""Which sessions Prometheus knows of, and as of which moment each is judged.

A session shows in a gauge that holds its start; the exporter keeps the gauges of the last session until the next one
begins. A session is judged as of the first sample that says it is over, else of the last one that shows it. One that
another one superseded never says so: it shows until the other one begins.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from exporter import errors
from exporter.verify import questions
from exporter.verify.prometheus import Answer, Prometheus, Series

START: Final = "max without (pod, instance) (kubevirt_upgrade_session_start_timestamp_seconds)"
END: Final = "max without (pod, instance) (kubevirt_upgrade_session_end_timestamp_seconds)"
INFO: Final = "max without (pod, instance) (kubevirt_upgrade_session_info)"

STEP: Final = 15.0
MOST_POINTS: Final = 10_000
"""Of a range; Prometheus gives 11,000."""
_SAME: Final = 60.0
"""Seconds by which replicas may differ about the start of a session."""
_SEAMLESS: Final = 2.0
"""Steps from the last sample of one session to the first of the next: beyond, nobody knows how the first one ended."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A session as Prometheus shows it. Times are Unix seconds."""

    start: float
    seen_until: float
    """The last sample that shows it."""
    ended: float | None
    at: float
    """The moment as of which it is judged."""
    superseded: bool = False
    """It ended because KubeVirt was given another target."""
    from_version: str
    to_version: str
    target_labels: Mapping[str, str]
    """Labels that every series of the exporter has there."""

    @property
    def name(self) -> str:
        """As its UpgradeReport is called, such as `20260819-091203-v1.4.0`."""
        begun = dt.datetime.fromtimestamp(self.start, tz=dt.UTC).strftime("%Y%m%d-%H%M%S")
        return f"{begun}-{self.to_version or 'unknown'}"


async def find(
    prometheus: Prometheus, *, until: float, lookback: float, labels: Mapping[str, str]
) -> tuple[list[Found], tuple[str, ...]]:
    """All sessions seen in the time before `until`, oldest first, and warnings of the server.

    Raises UsageError where more than one exporter answers, and what `Prometheus` raises.
    """
    step = max(STEP, lookback / MOST_POINTS)
    span = {"start": until - lookback, "end": until, "step": step}
    starts = await prometheus.over(questions.narrowed(START, labels), **span)
    if not starts.series:
        return [], starts.warnings
    _one_exporter(starts)
    ends = await prometheus.over(questions.narrowed(END, labels), **span)
    found = []
    plateaus = list(_plateaus(starts.series[0]))
    for (start, moments), following in itertools.zip_longest(plateaus, plateaus[1:]):
        ended, at = _end(ends, start, moments)
        superseded = ended is None and following is not None and following[1][0] - moments[-1] <= _SEAMLESS * step
        if superseded:
            ended = at = max(at, following[0])
        info = await prometheus.instant(questions.narrowed(INFO, labels), at=at)
        named = info.series[-1].labels if info.series else {}
        found.append(
            Found(
                start=start,
                seen_until=moments[-1],
                ended=ended,
                at=at,
                from_version=named.get("from_version", ""),
                to_version=named.get("to_version", ""),
                target_labels=starts.series[0].labels,
                superseded=superseded,
            )
        )
    return found, (*starts.warnings, *ends.warnings)


def choose(found: list[Found], name: str) -> Found:
    """The session of that name, of that target version, or whose name begins so; the latest of several.

    Raises UsageError where there is none.
    """
    for session in reversed(found):
        if name in (session.name, session.to_version) or session.name.startswith(name):
            return session
    known = ", ".join(session.name for session in found)
    raise errors.UsageError(f"--session {name}: there is no such session; there are: {known}")


async def why_none(prometheus: Prometheus, *, until: float, lookback: float, labels: Mapping[str, str]) -> str:
    """Why no session is known: nobody scraped the exporter, or it saw none. Raises what `Prometheus` raises."""
    query = f"count(last_over_time(kubevirt_upgrade_exporter_build_info[{max(60, round(lookback))}s]))"
    seen = await prometheus.instant(questions.narrowed(query, labels), at=until)
    when = dt.datetime.fromtimestamp(until, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    before = f"in the {lookback / 3600:g} h before {when}"
    if seen.series:
        return f"the exporter was there {before}, and saw no session: nothing was upgraded"
    return f"there is nothing of the exporter {before}: is this the Prometheus that scrapes it?"


def _one_exporter(starts: Answer) -> None:
    """Raises UsageError: several exporters, of several clusters for example, answer at once."""
    if len(starts.series) == 1:
        return
    names = sorted({name for series in starts.series for name in series.labels})
    differing = [name for name in names if len({series.labels.get(name) for series in starts.series}) > 1]
    choices = ["{" + ", ".join(f"{name}={series.labels.get(name, '')}" for name in differing) + "}"
               for series in starts.series]  # fmt: skip
    raise errors.UsageError(
        f"{len(starts.series)} exporters answer: {', '.join(sorted(choices))}; choose one with --label NAME=VALUE"
    )


def _plateaus(series: Series) -> Iterator[tuple[float, list[float]]]:
    """Each start, and the moments at which it was current."""
    current: float | None = None
    moments: list[float] = []
    for at, start in series.points:
        if current is None or abs(start - current) > _SAME:
            if current is not None:
                yield current, moments
            current, moments = start, []
        moments.append(at)
    if current is not None:
        yield current, moments


def _end(ends: Answer, start: float, moments: list[float]) -> tuple[float | None, float]:
    """When it ended, and the first moment that says so; else the last that shows it."""
    points = ends.series[0].points if ends.series else []
    for at, ended in points:
        if moments[0] <= at <= moments[-1] and ended >= start:
            return ended, at
    return None, moments[-1]
