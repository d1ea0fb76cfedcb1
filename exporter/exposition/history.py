"""All pages of a recording as one OpenMetrics text with timestamps.

It is what `promtool tsdb create-blocks-from openmetrics` takes. A `History` stands before a fold while a recording is
replayed into it, and takes the page of every multiple of a step.
Such a text cannot say that a series has ended: Prometheus shows its last value for 5 min more, unless told otherwise.
"""

import math
from array import array
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample as Exposed

from exporter.exposition import negotiation, own
from exporter.exposition.registry import OnFailure, Registry, Source
from exporter.model.changes import Change, ListReplaced, Sync, SyncChanged, TimePassed
from exporter.model.families import Sample

_OPENMETRICS: Final = negotiation.choose("application/openmetrics-text")
_END: Final = b"# EOF\n"


class Fold(Protocol):
    """What is asked of `exporter.fold.Fold` here."""

    @property
    def active(self) -> bool:
        """A session is under way."""

    def feed(self, change: Change) -> None:
        """Take a change in, after the deadlines that are due before it."""

    def deadline(self) -> float | None:
        """When the fold next wants a `TimePassed`."""

    def sources(self) -> Sequence[Source]:
        """What there is to publish."""


class _Itself:
    """What the exporter would have said of itself, as far as a recording tells: that it was there, and in sync."""

    name = "exporter"
    families = (own.BUILD, own.SYNCED, own.STATE)

    def __init__(self, *, version: str) -> None:
        self._version = version
        self._states: dict[str, Sync] = {}

    def observe(self, change: Change) -> None:
        match change:
            case ListReplaced(resource=resource):
                self._states[resource] = Sync.SYNCED
            case SyncChanged(resource=resource, state=state):
                self._states[resource] = state
            case _:
                pass

    def samples(self, now: float) -> Iterator[Sample]:
        yield own.BUILD(1, version=self._version, python="")
        for resource, sync in self._states.items():
            yield own.SYNCED(sync is Sync.SYNCED, resource=resource)
            yield from own.STATE.state(sync.value, resource=resource)


class _Series:
    """One series: its moments and values, alternating."""

    __slots__ = ("labels", "name", "points")

    def __init__(self, sample: Exposed) -> None:
        self.name = sample.name
        self.labels = sample.labels
        self.points = array("d")


class _Metric:
    """The series of one set of labels; more than one only of a histogram, and then with equally many points."""

    __slots__ = ("series",)

    def __init__(self) -> None:
        self.series: dict[tuple[str, str | None], _Series] = {}


class _Family:
    """One family, by the labels of its metrics."""

    __slots__ = ("head", "metrics")

    def __init__(self, metric: Metric) -> None:
        self.head = (metric.name, metric.documentation, metric.type)
        self.metrics: dict[frozenset[tuple[str, str]], _Metric] = {}


class History:
    """A fold that keeps the page as of every multiple of `step` seconds from `started` on, and as of the end."""

    def __init__(self, fold: Fold, *, version: str, started: float, step: float, on_failure: OnFailure) -> None:
        """`version` is ours; for `on_failure` see `Registry`."""
        self._fold = fold
        self._itself = _Itself(version=version)
        self._page = Registry([*fold.sources(), self._itself], on_failure=on_failure)
        self._step = step
        self._number = math.ceil(started / step)
        self._families: dict[str, _Family] = {}

    @property
    def active(self) -> bool:
        """The fold's."""
        return self._fold.active

    def deadline(self) -> float | None:
        """The fold's."""
        return self._fold.deadline()

    def feed(self, change: Change) -> None:
        """Feed the fold, after taking the pages of the moments that lie before the change."""
        while (moment := self._number * self._step) < change.at:
            self._advance(moment)
            self._number += 1
        self._itself.observe(change)
        self._fold.feed(change)

    def end(self, now: float) -> None:
        """Take the pages up to `now`, and that of `now` itself."""
        while (moment := self._number * self._step) < now:
            self._advance(moment)
            self._number += 1
        self._advance(now)

    def _advance(self, moment: float) -> None:
        while (due := self._fold.deadline()) is not None and due <= moment:
            self._fold.feed(TimePassed(at=due))
        for metric in self._page.collect(moment):
            family = self._families.setdefault(metric.name, _Family(metric))
            for sample in metric.samples:
                _keep(family, sample, moment)

    def text(self) -> Iterator[bytes]:
        """The whole text in parts, a family each: OpenMetrics wants all of a family, and of each metric, together."""
        for name in sorted(self._families):
            family = self._families[name]
            metric = Metric(*family.head)
            metric.samples.extend(_samples(family))
            yield _OPENMETRICS.encode([metric]).removesuffix(_END)
        yield _END


def _keep(family: _Family, sample: Exposed, moment: float) -> None:
    """Note a value; the names and labels of a series are kept once."""
    bound = sample.labels.get("le")
    key = frozenset((name, value) for name, value in sample.labels.items() if name != "le")
    metric = family.metrics.setdefault(key, _Metric())
    series = metric.series.get((sample.name, bound))
    if series is None:
        series = metric.series[sample.name, bound] = _Series(sample)
    series.points.extend((moment, sample.value))


def _samples(family: _Family) -> Iterator[Exposed]:
    for key in sorted(family.metrics, key=sorted):
        series = list(family.metrics[key].series.values())
        for index in range(0, len(series[0].points), 2):
            for one in series:
                yield Exposed(one.name, one.labels, one.points[index + 1], round(one.points[index], 3))
