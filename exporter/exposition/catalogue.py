"""What may be declared as a metric: the rules of naming, checked once, when the registry is built.

A family that breaks a rule is a mistake in our code, so it is refused loudly and before anything is served.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from exporter.model.families import Family, Kind

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_RESERVED_ENDINGS = ("_total", "_info", "_count", "_sum", "_bucket", "_gcount", "_gsum")
_RESERVED_LABELS = frozenset({"le", "quantile"})
_TARGET_LABELS = frozenset({"pod", "instance", "job", "service", "container", "endpoint"})
"""Prometheus Operator puts these on each target; ours would be renamed to `exported_...`."""


_ENDINGS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.GAUGE: ("",),
    Kind.STATESET: ("",),
    Kind.INFO: ("", "_info"),
    Kind.COUNTER: ("", "_total", "_created"),
    Kind.HISTOGRAM: ("", "_bucket", "_count", "_sum", "_created"),
}
"""Of the names that a family takes. We publish no `_created`, but a parser would take such a name for one."""


def _names(family: Family) -> set[str]:
    return {family.full_name + ending for ending in _ENDINGS[family.kind]}


def check(families: Iterable[Family]) -> None:
    """Refuse what no scraper should see.

    Raises ValueError with all that is wrong: a name that is declared twice or ends in what the format itself appends,
    labels of the format or of the target, a state-set without states, buckets that do not rise.
    """
    declared = tuple(families)
    faults = [f"{family.full_name}: {fault}" for family in declared for fault in _faults(family)]
    names = Counter(name for family in declared for name in _names(family))
    faults += [f"{name} is declared {times} times" for name, times in sorted(names.items()) if times > 1]
    if faults:
        raise ValueError("; ".join(faults))


def _faults(family: Family) -> Iterator[str]:
    if not _NAME.fullmatch(family.full_name):
        yield "the name is not lower snake case"
    if family.full_name.endswith(_RESERVED_ENDINGS):
        yield "the name ends in what the format itself appends"
    if not family.help.strip():
        yield "there is no help"
    yield from _faults_of_labels(family.labels)
    yield from _faults_of_kind(family)


def _faults_of_labels(labels: tuple[str, ...]) -> Iterator[str]:
    if len(set(labels)) < len(labels):
        yield "a label is declared twice"
    for label in labels:
        if not _NAME.fullmatch(label):
            yield f"label {label} is not lower snake case"
        if label in _RESERVED_LABELS:
            yield f"label {label} belongs to the format"
        if label in _TARGET_LABELS:
            yield f"label {label} belongs to the target"


def _faults_of_kind(family: Family) -> Iterator[str]:
    if (family.kind is Kind.STATESET) is not bool(family.states):
        yield "states belong to state-sets, and to all of them"
    if family.states and not family.labels:
        yield "no label carries the state"
    if (family.kind is Kind.HISTOGRAM) is not bool(family.buckets):
        yield "buckets belong to histograms, and to all of them"
    if tuple(sorted(set(family.buckets))) != family.buckets:
        yield "buckets do not rise"
