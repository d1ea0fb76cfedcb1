"""One collector for all sources: samples in, the page out.

Each family appears at most once, in the order of declaration; one without samples does not appear. A source that
raises, or that gives what it has not declared, costs only its own families: the rest is served, and
`kubevirt_upgrade_exporter_source_success` of that source is 0.

Not here: what is true (sources know), who asks (web), and which format (negotiation).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, assert_never

from prometheus_client.metrics_core import Metric

from exporter.exposition import catalogue, negotiation
from exporter.model.families import Family, Kind, Sample

SOURCE_SUCCESS: Final = Family(
    name="exporter_source_success",
    kind=Kind.GAUGE,
    help="1 if this part of the page could be made, 0 if it failed and its metrics are missing; the log says why.",
    labels=("source",),
)
FAMILIES: Final = (SOURCE_SUCCESS,)


class Source(Protocol):
    """Whoever has something to show. `samples` may raise; `now` is Unix seconds."""

    @property
    def name(self) -> str: ...

    @property
    def families(self) -> tuple[Family, ...]: ...

    def samples(self, now: float) -> Iterable[Sample]: ...


OnFailure = Callable[[str, Exception], None]
"""Gets the name of the source that failed, and why."""


class Registry:
    """All sources of one page, and what the page says of itself."""

    name = "page"
    families = FAMILIES

    def __init__(self, sources: Sequence[Source], *, on_failure: OnFailure) -> None:
        """`on_failure` is called when a source begins to fail, and when it fails otherwise than on the page before.

        Raises ValueError: two sources share a name, or the families break a rule of the catalogue.
        """
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise ValueError(f"two sources share a name: {sorted(names)}")
        catalogue.check([*(family for source in sources for family in source.families), *FAMILIES])
        self.sources = tuple(sources)
        self._on_failure = on_failure
        self._failing: dict[str, str] = {}

    def render(self, *, now: float, encoding: negotiation.Encoding = negotiation.CLASSIC) -> bytes:
        """The page as of `now`, in Unix seconds."""
        return encoding.encode(self.collect(now))

    def collect(self, now: float) -> list[Metric]:
        """The families of the page as of `now`, in the client library's terms."""
        metrics: list[Metric] = []
        success: list[Sample] = []
        for source in self.sources:
            try:
                metrics += _gather(source.families, source.samples(now))
            except Exception as error:  # noqa: BLE001 - the one boundary that keeps a broken source from taking the page along
                success.append(SOURCE_SUCCESS(0, source=source.name))
                self._failed(source.name, error)
            else:
                success.append(SOURCE_SUCCESS(1, source=source.name))
                self._failing.pop(source.name, None)
        return metrics + _gather(FAMILIES, success)

    def _failed(self, name: str, error: Exception) -> None:
        reason = repr(error)
        if self._failing.get(name) != reason:
            self._failing[name] = reason
            self._on_failure(name, error)


def _gather(families: tuple[Family, ...], samples: Iterable[Sample]) -> list[Metric]:
    """The samples by family.

    Raises ValueError where a sample's family is not among `families`, where the same series comes twice, and where a
    label is no valid text: once the page is being encoded, it would be too late to leave the source out.
    """
    found: dict[str, list[Sample]] = {family.full_name: [] for family in families}
    for sample in samples:
        name = sample.family.full_name
        if name not in found:
            raise ValueError(f"{name} is not declared by its source")
        "".join(sample.labels).encode()
        found[name].append(sample)
    return [_metric(family, found[family.full_name]) for family in families if found[family.full_name]]


def _metric(family: Family, samples: list[Sample]) -> Metric:
    if len({sample.labels for sample in samples}) < len(samples):
        raise ValueError(f"{family.full_name} has the same series twice")
    match family.kind:
        case Kind.GAUGE | Kind.STATESET:
            metric = Metric(family.full_name, family.help, "gauge")
        case Kind.COUNTER:
            metric = Metric(family.full_name, family.help, "counter")
        case Kind.INFO:
            metric = Metric(family.full_name, family.help, "info")
        case Kind.HISTOGRAM:
            metric = Metric(family.full_name, family.help, "histogram")
            for sample in samples:
                _add_histogram(metric, family, sample)
            return metric
        case _:
            assert_never(family.kind)
    name = family.exposed_name
    for sample in samples:
        metric.add_sample(name, dict(zip(family.labels, sample.labels, strict=True)), sample.value)
    return metric


def _add_histogram(metric: Metric, family: Family, sample: Sample) -> None:
    seen = sample.distribution
    if seen is None:
        raise ValueError(f"{family.full_name} is a histogram, and a sample has no distribution")
    labels = dict(zip(family.labels, sample.labels, strict=True))
    for bound, count in zip((*family.buckets, math.inf), seen.counts, strict=True):
        metric.add_sample(
            family.full_name + "_bucket", labels | {"le": "+Inf" if math.isinf(bound) else str(bound)}, count
        )
    metric.add_sample(family.full_name + "_count", labels, seen.counts[-1])
    metric.add_sample(family.full_name + "_sum", labels, seen.total)
