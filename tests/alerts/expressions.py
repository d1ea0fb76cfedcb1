"""Reading PromQL: which series an expression asks for, and under which aggregations; and what series there are."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import promql_parser as promql

from exporter.exposition import own, process, registry
from exporter.fold import Fold
from exporter.model.families import Family, Kind
from exporter.probes import source as probes
from exporter.settings import Settings

REPLICA = frozenset({"pod", "instance"})


class Asked(NamedTuple):
    """One selector in an expression."""

    name: str
    matchers: Mapping[str, str]
    merged: bool
    """It stands within an aggregation that merges replicas."""
    added: bool
    """A sum or a count stands between it and that aggregation, or it is not merged at all and added."""


@functools.cache
def families() -> Mapping[str, Family]:
    """What the exporter publishes, by the names of series."""
    sources = Fold(Settings(), exporter_version="test").sources()
    declared = itertools.chain(
        own.FAMILIES, process.FAMILIES, registry.FAMILIES, probes.FAMILIES, *(source.families for source in sources)
    )
    return {name: family for family in declared for name in _series(family)}


def _series(family: Family) -> tuple[str, ...]:
    if family.kind is Kind.HISTOGRAM:
        return tuple(family.full_name + ending for ending in ("_bucket", "_count", "_sum"))
    return (family.exposed_name,)


def asked(expression: str) -> list[Asked]:
    """All selectors of an expression."""
    return list(_asked(promql.parse(expression), merged=False, added=False))


def _asked(node: promql.Expr, *, merged: bool, added: bool) -> Iterator[Asked]:
    match node:
        case promql.AggregateExpr():
            without = node.modifier is not None and node.modifier.type == promql.AggModifierType.Without
            labels = set(node.modifier.labels) if node.modifier is not None else set()
            merges = str(node.op) == "max" and without and labels >= REPLICA
            groups = str(node.op) == "group" and not without and not labels & REPLICA
            yield from _asked(
                node.expr,
                merged=merged or merges or groups,
                added=(added or str(node.op) in ("sum", "count", "avg")) if not merges else False,
            )
        case promql.BinaryExpr():
            yield from _asked(node.lhs, merged=merged, added=added)
            yield from _asked(node.rhs, merged=merged, added=added)
        case promql.Call():
            absent = node.func.name in ("absent", "absent_over_time")
            for argument in node.args:
                yield from _asked(argument, merged=merged or absent, added=added)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _asked(node.expr, merged=merged, added=added)
        case promql.MatrixSelector():
            yield from _asked(node.vector_selector, merged=merged, added=added)
        case promql.VectorSelector():
            matchers = {matcher.name: matcher.value for matcher in node.matchers.matchers}
            yield Asked(node.name or "", matchers, merged=merged, added=added)
        case promql.NumberLiteral() | promql.StringLiteral():
            pass
        case _:
            raise TypeError(f"not understood: {type(node).__name__}")


def joins(expression: str) -> Iterator[tuple[str, ...]]:
    """The labels of every `on (...)` and `by (...)`: each must let through what tells clusters apart."""
    for node in _nodes(promql.parse(expression)):
        match node:
            case promql.BinaryExpr(modifier=promql.BinModifier(matching=promql.LabelModifier() as labels)):
                if labels.type == promql.LabelModifierType.Include:
                    yield tuple(labels.labels)
            case promql.AggregateExpr(modifier=None):
                yield ()
            case promql.AggregateExpr(modifier=promql.AggModifier() as grouping):
                if grouping.type == promql.AggModifierType.By:
                    yield tuple(grouping.labels)
            case _:
                pass


def _nodes(node: promql.Expr) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(node, found.append)
    return found
