"""What is shipped, made faster: every duration of it, and nothing else."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml

from tests.alerts.test_rules import GROUPS
from tests.conftest import REPOSITORY
from tests.end_to_end import pace

EXPRESSIONS = [
    (before["expr"], after["expr"])
    for old, new in zip(GROUPS, pace.rules(8.0)["groups"], strict=True)
    for before, after in zip(old["rules"], new["rules"], strict=True)
]


def lengths(expression: str) -> list[dt.timedelta]:
    """All ranges and offsets of an expression."""
    found: list[promql.Expr] = []
    promql.walk(promql.parse(expression), found.append)
    return list(_lengths(found))


def _lengths(nodes: list[promql.Expr]) -> Iterator[dt.timedelta]:
    for node in nodes:
        match node:
            case promql.MatrixSelector():
                yield node.range
            case promql.VectorSelector(offset=dt.timedelta() as offset):
                yield offset
            case _:
                pass


@pytest.mark.parametrize(("before", "after"), EXPRESSIONS)
def test_ranges_and_offsets_of_the_rules_are_shorter(before: str, after: str) -> None:
    assert lengths(after) == [length / 8 for length in lengths(before)]


def test_there_are_ranges_and_offsets() -> None:
    assert sum(len(lengths(before)) for before, _ in EXPRESSIONS) > 40


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("time() - max without (pod) (x) > 240", "time() - max without (pod) (x) > 30"),
        ("time() - x\n>\n  240 and y > 30", "time() - x\n>\n  30 and y > 30"),
        ("slo:error:ratio_rate5m > 13.44 * x", "slo:error:ratio_rate5m > 13.44 * x"),
        ("increase(x_over_time1h[1h] offset 1d)", "increase(x_over_time1h[450000ms] offset 10800000ms)"),
    ],
)
def test_ages_are_durations_and_other_numbers_are_not(before: str, after: str) -> None:
    assert pace.faster({"expr": before}, 8.0) == {"expr": after}


@pytest.mark.parametrize(
    ("document", "faster"),
    [
        ({"for": "1m", "keep_firing_for": "2m", "labels": {"window": "1h"}},
         {"for": "7500ms", "keep_firing_for": "15000ms", "labels": {"window": "1h"}}),
        ({"interval": "5m", "rules": []}, {"interval": "37500ms", "rules": []}),
    ],
)  # fmt: skip
def test_waits_are_shorter_and_labels_stay(document: dict[str, Any], faster: dict[str, Any]) -> None:
    assert pace.faster(document, 8.0) == faster


def test_alertmanager_waits_less() -> None:
    [before] = yaml.safe_load((REPOSITORY / "alerts" / "alertmanager.yaml").read_text())["route"]["routes"]
    [after] = pace.alertmanager(8.0)["route"]["routes"]
    assert (before["group_wait"], after["group_wait"]) == ("10s", "1250ms")
    assert (before["routes"][0]["repeat_interval"], after["routes"][0]["repeat_interval"]) == ("1h", "450000ms")


def test_the_exporter_waits_less_but_for_what_is_never_faster() -> None:
    flags = dict(flag.split("=") for flag in pace.flags(8.0))
    assert flags["--stalled-after"] == "37.5"
    assert flags["--objective-rollout-base"] == "112.5"
    assert not flags.keys() & {"--objective-leader-gap", "--objective-api-disruption", "--clock-difference"}
