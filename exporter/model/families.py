"""Metric families as data, and samples made from them.

A family is declared once, beside the concern that fills it. A sample names its labels; unknown or missing labels are
refused here, because the client library would cut them off in silence.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping

import msgspec

PREFIX = "kubevirt_upgrade_"


class Kind(enum.Enum):
    """The OpenMetrics type."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    STATESET = "stateset"
    """Published as a gauge with one series per state, exactly one (or none) of which is 1."""
    HISTOGRAM = "histogram"


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One metric family. `name` has no prefix and, for counters and infos, no `_total` or `_info` ending."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    """State-sets only; the label that carries the state is the last one."""
    buckets: tuple[float, ...] = ()
    """Histograms only, without +Inf."""
    prefix: str = PREFIX
    """Only `process_` metrics have another: their names are a standard."""

    @property
    def full_name(self) -> str:
        """With prefix, as the client library wants it (without `_total`)."""
        return self.prefix + self.name

    @property
    def exposed_name(self) -> str:
        """What a query names."""
        match self.kind:
            case Kind.COUNTER:
                return self.full_name + "_total"
            case Kind.INFO:
                return self.full_name + "_info"
            case _:
                return self.full_name

    def __call__(self, value: float, /, **labels: str) -> "Sample":
        """One sample.

        Raises:
            ValueError: the labels are not exactly the declared ones.
        """
        if labels.keys() != set(self.labels):
            message = f"{self.full_name}: labels {sorted(labels)} given, {sorted(self.labels)} declared"
            raise ValueError(message)
        return Sample(self, tuple(labels[name] for name in self.labels), float(value))

    def state(self, current: str | None, /, **labels: str) -> Iterator["Sample"]:
        """All states of a state-set; `current` None gives no samples at all: unknown is not "none of them"."""
        if current is None:
            return
        if current not in self.states:
            message = f"{self.full_name}: {current!r} is not a declared state"
            raise ValueError(message)
        for state in self.states:
            yield self(float(state == current), **labels, **{self.labels[-1]: state})

    def counts(
        self, values: Mapping[str, float], /, *, initial: Iterable[str] = (), **labels: str
    ) -> Iterator["Sample"]:
        """One sample per value of the last label; `initial` ones are 0 where nothing was counted."""
        merged = dict.fromkeys(initial, 0.0) | dict(values)
        for key in sorted(merged):
            yield self(merged[key], **labels, **{self.labels[-1]: key})

    def histogram(self, value: "Distribution", /, **labels: str) -> "Sample":
        """A histogram's sample."""
        return msgspec.structs.replace(self(value.total, **labels), distribution=value)


class Distribution(msgspec.Struct, frozen=True):
    """What a histogram has seen: cumulative counts per bucket (the last is +Inf) and the sum of values."""

    counts: tuple[int, ...]
    total: float


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of a family; label values in the family's order."""

    family: Family
    labels: tuple[str, ...]
    value: float
    distribution: Distribution | None = None
