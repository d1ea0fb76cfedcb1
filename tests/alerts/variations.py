"""The cases of an alert with one replica (pod="a"), in circumstances that must not change their outcome.

A case is a test of `promtool test rules`.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
"""A file of `promtool test rules`."""
Case = dict[str, Any]

_POD = 'pod="a"'
_GONE = 2
"""Samples that a replica which restarts does not give."""
_TOKEN = re.compile(
    r"(?P<first>-?[\d.]+)(?:(?P<step>[+-][\d.]+)?x(?P<times>\d+))?|_(?:x(?P<blanks>\d+))?|(?P<stale>stale)"
)


def varied(document: Document, *, clusters: tuple[str, ...]) -> Document:
    """The cases with a second replica that restarts, and with the same happening in each of these clusters."""
    tests = [copy.deepcopy(test) for test in document["tests"] if single(test)]
    for test in tests:
        _restart(test)
        _in_clusters(test, clusters)
    return document | {"tests": tests}


def single(test: Case) -> bool:
    """One replica, and nothing said of others."""
    return not any('pod="b"' in series["series"] for series in test["input_series"])


def _restart(test: Case) -> None:
    """Replica b is away when the alert should fire for the first time, or halfway; its counters begin anew then."""
    moments = test["alert_rule_test"]
    firing = [_seconds(moment["eval_time"]) for moment in moments if moment.get("exp_alerts")]
    when = min(firing) if firing else _seconds(moments[-1]["eval_time"]) // 2
    back = when // _seconds(test["interval"]) + 1
    for series in list(test["input_series"]):
        if _POD not in series["series"]:
            continue
        values = list(expanded(series["values"]))
        values[back - _GONE : back] = (["stale"] + ["_"] * (_GONE - 1))[: len(values[back - _GONE : back])]
        if "_total{" in series["series"]:
            values[back:] = [_less(value, values[back]) for value in values[back:]]
        second = series["series"].replace(_POD, 'pod="b",instance="b"')
        test["input_series"].append({"series": second, "values": " ".join(values)})
        series["series"] = series["series"].replace(_POD, 'pod="a",instance="a"')


def _in_clusters(test: Case, clusters: tuple[str, ...]) -> None:
    test["input_series"] = [
        series | {"series": series["series"].replace("{", f'{{cluster="{cluster}",', 1)}
        for series in test["input_series"]
        for cluster in clusters
    ]
    for looked in test["alert_rule_test"]:
        looked["exp_alerts"] = [
            alert | {"exp_labels": alert["exp_labels"] | ({"cluster": cluster} if cluster else {})}
            for alert in looked.get("exp_alerts") or ()
            for cluster in (clusters if "namespace" in alert["exp_labels"] else ("",))
        ]


def expanded(values: str) -> Iterator[str]:
    """What promtool makes of values: a word for each sample."""
    for word in values.split():
        found = _TOKEN.fullmatch(word)
        if found is None:
            raise ValueError(f"not understood: {word}")
        if found["stale"]:
            yield "stale"
        elif found["first"] is None:
            yield from ["_"] * int(found["blanks"] or 1)
        else:
            for number in range(int(found["times"] or 0) + 1):
                yield f"{float(found['first']) + number * float(found['step'] or 0):g}"


def _less(value: str, by: str) -> str:
    return value if value in ("_", "stale") else f"{float(value) - float(by):g}"


def _seconds(length: str) -> int:
    return int(length[:-1]) * {"s": 1, "m": 60, "h": 3600}[length[-1]]
