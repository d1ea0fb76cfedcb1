"""Real upgrades, as recorded, through `replay --output openmetrics` into a real Prometheus: what would have alerted.

The records are backfilled by promtool; alerts are asked of Prometheus at every step, and have fired where their
expression held for as long as they wait. The objectives of the whole period are left out: sessions have their own.
"""

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from alerts.src import files
from tests.alerts import expressions
from tests.conftest import REPOSITORY
from tests.end_to_end import monitoring

STEP = 15
LOOK_BACK = "--query.lookback-delta=20s"
"""Backfilled series have no ends: without this, Prometheus shows each for five minutes more."""

[GROUP] = yaml.safe_load((REPOSITORY / files.UPGRADE).read_text())["groups"]
RECORDS = [rule for rule in GROUP["rules"] if "record" in rule]
ALERTS = [rule for rule in GROUP["rules"] if "alert" in rule]

Fired = set[tuple[str, str, str]]
"""Alerts with their severity, and the component or node they are about."""


async def backfilled(recording: pathlib.Path, folder: pathlib.Path) -> tuple[float, float]:
    """Fill the folder's data with the recording; the first and the last moment of it."""
    text = await monitoring.ran(
        sys.executable, "-m", "exporter", "replay", recording, "--output", "openmetrics", f"--step={STEP}"
    )
    pages = folder / "pages"
    pages.write_text(text)
    await monitoring.ran(
        monitoring.program("promtool"), "tsdb", "create-blocks-from", "openmetrics", pages, folder / "data"
    )
    build = [line for line in text.splitlines() if line.startswith("kubevirt_upgrade_exporter_build_info")]
    first, last = (float(line.rpartition(" ")[2]) for line in (build[0], build[-1]))
    return first, last


async def recorded(folder: pathlib.Path, *, first: float, last: float) -> None:
    """Add what the recording rules would have made of it."""
    for level, rules in enumerate(levels()):
        file = folder / f"records-{level}.yaml"
        file.write_text(json.dumps({"groups": [{"name": "records", "rules": rules}]}))
        async with monitoring.prometheus(folder, {}, LOOK_BACK) as prometheus:
            await monitoring.ran(
                monitoring.program("promtool"), "tsdb", "create-blocks-from", "rules", f"--eval-interval={STEP}s",
                f"--start={first:.0f}", f"--end={last + 1:.0f}", f"--url=http://{prometheus.address}",
                f"--output-dir={folder / 'data'}", file,
            )  # fmt: skip


def levels() -> Iterator[list[dict[str, Any]]]:
    """The records in the order in which they can be computed: promtool does not see what it has just made."""
    left = RECORDS
    while left:
        missing = {rule["record"] for rule in left}
        ready = [rule for rule in left if not missing & {series.name for series in expressions.asked(rule["expr"])}]
        yield ready
        left = [rule for rule in left if rule not in ready]


async def fired(folder: pathlib.Path, *, first: float, last: float) -> Fired:
    """Which alerts would have fired."""
    found = set()
    moments = [last - number * STEP for number in reversed(range(int((last - first) // STEP) + 1))]
    async with monitoring.prometheus(folder, {}, LOOK_BACK) as prometheus:
        for rule in ALERTS:
            answer = await prometheus.get(
                "/api/v1/query_range", query=rule["expr"], start=str(moments[0]), end=str(last), step=str(STEP)
            )
            for series in answer["data"]["result"]:
                held = {round(float(at)) for at, _ in series["values"]}
                if any(_waited(moment, held, rule) for moment in moments):
                    labels = series["metric"]
                    about = labels.get("component") or labels.get("node") or labels.get("resource") or ""
                    found.add((rule["alert"], rule["labels"]["severity"], about))
    return found


def _waited(moment: float, held: set[int], rule: dict[str, Any]) -> bool:
    wait = {"": 0, "1m": 60, "5m": 300, "15m": 900}[rule.get("for", "")]
    return all(round(moment - back) in held for back in range(0, wait + 1, STEP))


IN_PROGRESS = ("KubeVirtUpgradeInProgress", "info", "")


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("upgrade-1.3.0-1.4.0", {IN_PROGRESS}),
        ("upgrade-1.2.0-1.3.0-1.4.0-staged", {IN_PROGRESS}),
        (
            "upgrade-1.3.0-1.4.0-stuck-handler",
            {IN_PROGRESS, ("KubeVirtUpgradeRolloutStalled", "warning", "virt-handler")},
        ),
    ],
)
async def test_a_recorded_upgrade_raises_exactly_these_alerts(
    recording: str, expected: Fired, recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    first, last = await backfilled(recordings / f"{recording}.jsonl.gz", tmp_path)
    await recorded(tmp_path, first=first, last=last)
    assert await fired(tmp_path, first=first, last=last) == expected
