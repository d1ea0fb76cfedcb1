"""The past in a real Prometheus: pages with timestamps, what recording rules make of them, what would have alerted.

Recording rules are backfilled by promtool. Alerts are asked of Prometheus at every step, and have fired where their
expression held for as long as they wait. The objectives of the whole period are left out: sessions have their own.
"""

import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from alerts.src import files
from tests import stories
from tests.alerts import expressions
from tests.conftest import REPOSITORY
from tests.end_to_end import monitoring
from tests.end_to_end.alerted import Alerted

STEP = stories.STEP
"""Seconds between pages, and between evaluations."""
LOOK_BACK = f"--query.lookback-delta={STEP + 5}s"
"""Backfilled series have no ends: without this, Prometheus shows each for five minutes more."""

[GROUP] = yaml.safe_load((REPOSITORY / files.UPGRADE).read_text())["groups"]
RECORDS = [rule for rule in GROUP["rules"] if "record" in rule]
ALERTS = [rule for rule in GROUP["rules"] if "alert" in rule]
_WAITS = {"": 0, "1m": 60, "5m": 300}


class Pages(NamedTuple):
    """OpenMetrics with timestamps, of one cluster."""

    text: str
    cluster: str = ""

    @property
    def span(self) -> tuple[float, float]:
        """Its first and its last moment."""
        times = [float(line.rpartition(" ")[2]) for line in self.text.splitlines() if not line.startswith("#")]
        return min(times), max(times)

    @property
    def labelled(self) -> Iterator[str]:
        """The lines but for the last, with a label for the cluster if it has a name."""
        for line in self.text.splitlines():
            if line == "# EOF":
                return
            if line.startswith("#") or not self.cluster:
                yield line
                continue
            series, rest = line.split(" ", 1) if "{" not in line else line.split("{", 1)
            label = f'cluster="{self.cluster}"'
            yield f"{series}{{{label}}} {rest}" if "{" not in line else f"{series}{{{label},{rest}"


async def alerted(folder: pathlib.Path, everything: Iterable[Pages]) -> Mapping[str, set[Alerted]]:
    """Fill a Prometheus in the folder; which alerts would have fired, by cluster."""
    spans = {pages.cluster: pages.span for pages in everything}
    first, last = min(first for first, _ in spans.values()), max(last for _, last in spans.values())
    file = folder / "pages"
    with file.open("w") as lines:
        for pages in everything:
            lines.writelines(f"{line}\n" for line in pages.labelled)
        lines.write("# EOF\n")
    await monitoring.ran(
        monitoring.program("promtool"), "tsdb", "create-blocks-from", "openmetrics", file, folder / "data"
    )
    await record(folder, RECORDS, first=first, last=last)
    async with monitoring.prometheus(folder, {}, LOOK_BACK) as prometheus:
        return await _asked(prometheus, spans)


async def record(folder: pathlib.Path, records: list[dict[str, Any]], *, first: float, last: float) -> None:
    """Add what these recording rules would have made of it."""
    for level, rules in enumerate(_levels(records)):
        file = folder / f"records-{level}.yaml"
        file.write_text(json.dumps({"groups": [{"name": "records", "rules": rules}]}))
        async with monitoring.prometheus(folder, {}, LOOK_BACK) as prometheus:
            await monitoring.ran(
                monitoring.program("promtool"), "tsdb", "create-blocks-from", "rules", f"--eval-interval={STEP}s",
                f"--start={first:.0f}", f"--end={last + 1:.0f}", f"--url=http://{prometheus.address}",
                f"--output-dir={folder / 'data'}", file,
            )  # fmt: skip


def _levels(records: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The records in the order in which they can be computed: promtool does not see what it has just made."""
    left = records
    while left:
        missing = {rule["record"] for rule in left}
        ready = [rule for rule in left if not missing & {series.name for series in expressions.asked(rule["expr"])}]
        yield ready
        left = [rule for rule in left if rule not in ready]


async def _asked(prometheus: monitoring.Server, spans: Mapping[str, tuple[float, float]]) -> Mapping[str, set[Alerted]]:
    """Each cluster is asked about at its own end, and at the steps before it."""
    found: dict[str, set[Alerted]] = {cluster: set() for cluster in spans}
    for end in sorted({last for _, last in spans.values()}):
        clusters = {cluster: first for cluster, (first, last) in spans.items() if last == end}
        first = min(clusters.values())
        moments = [end - number * STEP for number in reversed(range(int((end - first) // STEP) + 1))]
        for rule in ALERTS:
            answer = await prometheus.get(
                "/api/v1/query_range", query=rule["expr"], start=str(moments[0]), end=str(end), step=str(STEP)
            )
            for series in answer["data"]["result"]:
                labels = series["metric"]
                held = {round(float(at)) for at, _ in series["values"]}
                if labels.get("cluster", "") in clusters and any(_waited(moment, held, rule) for moment in moments):
                    alert = Alerted.of(labels | rule["labels"] | {"alertname": rule["alert"]})
                    found[labels.get("cluster", "")].add(alert)
    return found


def _waited(moment: float, held: set[int], rule: dict[str, Any]) -> bool:
    return all(round(moment - back) in held for back in range(0, _WAITS[rule.get("for", "")] + 1, STEP))
