"""Reads dashboards as Grafana does: panels, queries, and variables put in."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dashboards.src import files

TEXTS = files.texts()
BOARDS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in TEXTS.items()}
STEP = 60
"""Seconds from one point of a panel to the next."""
OWN = {"__rate_interval": "2m", "__range": "1h", "__range_s": "3600", "__interval": f"{STEP}s"}
"""What Grafana puts in for its own variables, at a scrape every 30 s and a range of an hour."""
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


class Query(NamedTuple):
    """One query of a panel, or of an annotation."""

    board: str
    panel: str
    ref: str
    expr: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.board}: {self.panel} {self.ref}"


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels of a dashboard."""
    found: list[dict[str, Any]] = board["panels"]
    return found


def queries() -> Iterator[Query]:
    """All queries of all panels of all dashboards."""
    for board in BOARDS.values():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Query(board["uid"], panel["title"], target["refId"], target["expr"], target.get("instant", False))


def annotations() -> Iterator[Query]:
    """All queries of annotations, once: they are the same everywhere."""
    for annotation in next(iter(BOARDS.values()))["annotations"]["list"]:
        yield Query("annotations", annotation["name"], "A", annotation["expr"], instant=False)


def variables(text: str) -> set[str]:
    """The variables in a text. What `label_replace` calls `$1` is none, and `$__all` is a value of a variable."""
    return {name for name in _VARIABLE.findall(text) if not name.isdigit()} - {"__all"}


def put_in(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of its variables."""
    known = {**OWN, **values}
    return _VARIABLE.sub(lambda found: found[0] if found[1].isdigit() else known[found[1]], text)
