"""Every alert fires where it should and is silent where it should be, with one replica, with two, in many clusters.

The cases are files for `promtool test rules`, one per alert. Those with one replica are also run in other circumstances
that must not change their outcome.
"""

import os
import pathlib
import re
from collections.abc import Iterable
from concurrent import futures

import pytest
import yaml

from alerts.src import files
from tests.alerts import variations
from tests.alerts.conftest import Program
from tests.alerts.test_rules import ALERTS
from tests.conftest import REPOSITORY

CASES = REPOSITORY / "tests" / "alerts" / "cases"
NAMES = [rule["alert"] for rule in ALERTS]


def read(name: str) -> variations.Document:
    document: variations.Document = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return document


def test_there_are_cases_for_alerts_and_for_nothing_else() -> None:
    assert sorted(path.stem for path in CASES.glob("*.yaml")) == sorted([*NAMES, "records"])


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_firing_silent_and_two_replica_cases(name: str) -> None:
    """By their names, and by what they expect."""
    tests = read(name)["tests"]
    assert {moment["alertname"] for test in tests for moment in test["alert_rule_test"]} == {name}
    firing = {test["name"]: any(moment.get("exp_alerts") for moment in test["alert_rule_test"]) for test in tests}
    alone = {test["name"]: fires for test, fires in zip(tests, firing.values(), strict=True) if variations.single(test)}
    assert any(fires for title, fires in alone.items() if title.startswith(("fires", "says")))
    assert any(title.startswith("silent") for title in alone)
    assert not any(fires for title, fires in firing.items() if title.startswith("silent ") and ", and" not in title)
    assert any(title.startswith("two replicas: ") for title in firing.keys() - alone.keys())


@pytest.mark.parametrize("name", NAMES)
def test_no_text_has_holes_where_something_is_not_known(name: str) -> None:
    for test in read(name)["tests"]:
        for moment in test["alert_rule_test"]:
            for alert in moment.get("exp_alerts") or ():
                texts = alert["exp_annotations"]["summary"], alert["exp_annotations"]["description"]
                assert [text for text in texts if re.search(r" [ .,)]|\(\)|<no value>|[:,] *$", text)] == []


@pytest.mark.parametrize("name", [*NAMES, "records"])
def test_cases_with_several_groups_of_rules_say_in_which_order_these_are_evaluated(name: str) -> None:
    """Promtool takes any order otherwise, and another one each time."""
    document = read(name)
    groups = [
        group["name"]
        for path in document["rule_files"]
        for group in yaml.safe_load((CASES / path).read_text())["groups"]
    ]
    assert sorted(document.get("group_eval_order", groups[:1])) == sorted(groups)


def test_alerts_do_what_their_cases_say(promtool: Program) -> None:
    outcomes(promtool, CASES.glob("*.yaml"))


def test_the_outcome_is_the_same_with_two_replicas_of_which_one_restarts_in_two_clusters(
    promtool: Program, tmp_path: pathlib.Path
) -> None:
    """And where groups of rules are evaluated the other way round: Prometheus promises no order."""
    rules = [str(REPOSITORY / name) for name in (files.UPGRADE, files.OBJECTIVES)]
    paths = []
    for name in NAMES:
        document = read(name)
        document["rule_files"] = rules[: len(document["rule_files"])]
        document["group_eval_order"] = document.get("group_eval_order", [])[::-1]
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(variations.varied(document, clusters=("east", "west"))))
    outcomes(promtool, paths)


def outcomes(promtool: Program, paths: Iterable[pathlib.Path]) -> None:
    """Every core has a file to work on; the largest come first, since they take longest."""
    largest_first = sorted(paths, key=lambda path: -path.stat().st_size)
    with futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(lambda path: promtool("test", "rules", path), largest_first))


def test_values_are_expanded_as_promtool_does() -> None:
    words = " ".join(variations.expanded("1x2 _ _x2 0+1.5x2 9-3x1 stale -4"))
    assert words == "1 1 1 _ _ _ 0 1.5 3 9 6 stale -4"
