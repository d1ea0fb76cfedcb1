"""A Prometheus with a fleet in it: a cluster for every scenario of the simulator and for every recorded upgrade.

The pages carry the labels that a scrape would have added. Two clusters have two replicas of the exporter: what adds
replicas up, or cannot join them, shows there.
"""

import functools
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml

from alerts.src import files
from exporter import sim
from exporter.recording.quiet import Quiet
from tests.conftest import REPOSITORY
from tests.dashboards import live
from tests.end_to_end import backfill, monitoring
from tests.stories import Stories, paged

NAMESPACE = "upgrade-exporter"
QUIET = "recorded-clean"
"""A recorded upgrade with a quiet time after it, so that its session is over at the end."""
RECORDINGS = {
    QUIET: "upgrade-1.3.0-1.4.0",
    "recorded-staged": "upgrade-1.2.0-1.3.0-1.4.0-staged",
    "recorded-stuck-handler": "upgrade-1.3.0-1.4.0-stuck-handler",
}
LIVE = ""
"""A daemon that really runs, in a Prometheus that has no label for clusters."""
_AFTERWARDS = 300
"""Seconds of pages after the end of the session that ends."""
TWO_REPLICAS = ("clean", QUIET)
RECORDS = [
    rule
    for name in (files.UPGRADE, files.OBJECTIVES)
    for group in yaml.safe_load((REPOSITORY / name).read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
]


class Fleet(NamedTuple):
    """The data, and when it is of."""

    folder: pathlib.Path
    spans: Mapping[str, tuple[float, float]]
    """First and last moment of each cluster."""


async def filled(folder: pathlib.Path, stories: Stories, recordings: pathlib.Path) -> Fleet:
    """Fill the data of a Prometheus."""
    spans = {}
    with (folder / "pages").open("w") as file:
        for cluster, text in _pages(stories, recordings):
            pages = backfill.Pages(text, cluster)
            spans[cluster] = pages.span
            for number in range(2 if cluster in TWO_REPLICAS else 1):
                file.writelines(_scraped(pages.text, cluster, number))
        pages = backfill.Pages(await live.pages(folder), LIVE)
        spans[LIVE] = pages.span
        file.writelines(_scraped(pages.text, LIVE, 0))
        file.write("# EOF\n")
    await monitoring.ran(
        monitoring.program("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "pages", folder / "data"
    )
    for first, last in _together(spans):
        await backfill.record(folder, RECORDS, first=first, last=last)
    return Fleet(folder, spans)


def _pages(stories: Stories, recordings: pathlib.Path) -> Iterator[tuple[str, str]]:
    for name in sim.names():
        yield name, stories.pages(name)
    for cluster, name in RECORDINGS.items():
        quiet, afterwards = (Quiet(), _AFTERWARDS) if cluster == QUIET else (None, 0)
        yield cluster, paged(recordings / f"{name}.jsonl.gz", quiet=quiet, afterwards=afterwards)


def _scraped(text: str, cluster: str, replica: int) -> Iterator[str]:
    """The lines with the labels of a target; like `honorLabels: true`, a namespace that is there stays."""
    name_of_cluster = f'cluster="{cluster}",' if cluster else ""
    labels = f'{name_of_cluster}job="upgrade-exporter",pod="exporter-{replica}",instance="10.0.0.{replica}:8080"'

    @functools.cache
    def labelled(series: str) -> str:
        name, _, had = series.removesuffix("}").partition("{")
        namespace = "" if re.search(r'(^|,)namespace="', had) else f',namespace="{NAMESPACE}"'
        return f"{name}{{{labels}{namespace}{',' if had else ''}{had}}}"

    for line in text.splitlines():
        if not line.startswith("#"):
            series, value, moment = line.rsplit(" ", 2)
            yield f"{labelled(series)} {value} {moment}\n"


def _together(spans: Mapping[str, tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Stretches of time that hold all spans, without the long gaps between them."""
    ordered = sorted(spans.values())
    first, last = ordered[0]
    for begin, end in ordered[1:]:
        if begin > last:
            yield first, last
            first = begin
        last = max(last, end)
    yield first, last
