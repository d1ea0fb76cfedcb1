"""Pieces of PromQL that the rules share.

All replicas of the exporter see the same cluster, so their series are merged by the worse one and never added. What is
left of the labels are those of the target (`namespace`, `job`) and of whoever collects several clusters (`cluster`).
"""

from typing import Final

import promql_parser

PREFIX: Final = "kubevirt_upgrade_"

CURRENT: Final = "cluster:kubevirt_upgrade_in_progress:max_over_time1h == 1"
"""A session is under way, or has ended within the last hour: its gauges still deserve attention."""


def worst(family: str, selector: str = "", *, without: str = "", over: str = "") -> str:
    """The highest value of a family among replicas, and among the labels `without`; `over` is a range's function.

    `over` holds `{}` for the selector: `min_over_time({}[1h])`.
    """
    labels = f", {without}" if without else ""
    series = f"{PREFIX}{family}{{{selector}}}" if selector else f"{PREFIX}{family}"
    return f"max without (pod, instance{labels}) ({over.replace('{}', series) or series})"


_WAITING: Final = 'reason="waiting"'
DRAINS_NOT: Final = f"""
    {worst("vmis_outdated", _WAITING, over="min_over_time({}[1h])")} > 0
      and
    {worst("vmis_outdated", _WAITING)} >= ({worst("vmis_outdated", _WAITING, over="{} offset 1h")} > 0)
"""
"""Guests wait for a new launcher, and have not become fewer for an hour.

An hour ago there were some, too: what `offset` finds may be a little older than what the window begins with."""


def tidy(expression: str) -> str:
    """The expression in the layout of the PromQL formatter.

    Raises ValueError: it is no PromQL.
    """
    text: str = promql_parser.parse(expression).prettify()
    return text
