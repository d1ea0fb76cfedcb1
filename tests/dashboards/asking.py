"""Asks every query of every dashboard of a real Prometheus, as Grafana would, for every choice of the variables."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from tests.dashboards import fleet, reading
from tests.end_to_end import backfill, monitoring

_AT_ONCE = 4


class Choice(NamedTuple):
    """What is chosen in the variables."""

    cluster: str
    namespace: str


async def answered(data: fleet.Fleet) -> Mapping[reading.Query, Mapping[Choice, int]]:
    """How many series each query finds for each choice. An error fails the test that asks."""
    queries = [*reading.queries(), *reading.annotations()]
    choices = [Choice(cluster, ".*") for cluster in data.spans]
    choices += [Choice(cluster, fleet.NAMESPACE) for cluster in data.spans]
    found: dict[reading.Query, dict[Choice, int]] = {query: {} for query in queries}
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(query: reading.Query, choice: Choice) -> None:
        async with turns:
            found[query][choice] = await _series(prometheus, query, choice, data.spans[choice.cluster])

    async with (
        monitoring.prometheus(data.folder, {}, backfill.LOOK_BACK) as prometheus,
        asyncio.TaskGroup() as group,
    ):
        for query in queries:
            for choice in choices:
                group.create_task(ask(query, choice))
    return found


async def _series(
    prometheus: monitoring.Server, query: reading.Query, choice: Choice, span: tuple[float, float]
) -> int:
    expr = reading.put_in(query.expr, choice._asdict())
    first, last = span
    if query.instant:
        answer = await prometheus.get("/api/v1/query", query=expr, time=str(last))
    else:
        answer = await prometheus.get(
            "/api/v1/query_range", query=expr, start=str(first), end=str(last), step=str(reading.STEP)
        )
    return len(answer["data"]["result"])
