"""What we ship, for upgrades that run several times faster than usual: every duration is shorter by the same factor.

Left alone is what the simulator does not shorten, either: gaps between leaders, and seconds without an API.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from alerts.src import files
from exporter.settings import Objectives, Thresholds, Watching
from tests.conftest import REPOSITORY

Document = dict[str, Any]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LENGTH = r"\d+[smhdw]"
_RANGES = re.compile(rf"(?<=\[){_LENGTH}(?=\])|(?<=offset ){_LENGTH}")
_AGES = re.compile(r"(?<!\S)(time\(\) - .*?\s[<>]=?\s+)(\d+)\b", re.DOTALL)
_DURATIONS = ("for", "keep_firing_for", "interval", "group_wait", "group_interval", "repeat_interval")

_STEADY = {"clock_difference", "leader_gap", "api_disruption"}
_NO_DURATIONS = {"failed_migrations_minimum", "failed_migrations_ratio"}


def rules(pace: float) -> Document:
    """All groups of rules."""
    paths = (REPOSITORY / name for name in (files.UPGRADE, files.OBJECTIVES))
    groups = [group for path in paths for group in yaml.safe_load(path.read_text())["groups"]]
    return {"groups": faster(groups, pace)}


def alertmanager(pace: float) -> Document:
    """The configuration of Alertmanager."""
    document: Document = faster(yaml.safe_load((REPOSITORY / "alerts" / "alertmanager.yaml").read_text()), pace)
    return document


def flags(pace: float) -> list[str]:
    """The settings of the exporter that are durations."""
    return [f"--{name}={seconds / pace:g}" for name, seconds in _seconds()]


def _seconds() -> Iterator[tuple[str, float]]:
    for group, prefix in ((Thresholds(), ""), (Objectives(), "objective-")):
        for name, value in msgspec.structs.asdict(group).items():
            if name not in _STEADY | _NO_DURATIONS:
                yield prefix + name.replace("_", "-"), value
    yield "backoff-cap", Watching().backoff_cap


def faster(node: Any, pace: float) -> Any:  # noqa: ANN401 - YAML
    """A part of such a document, with all of its durations shorter."""
    match node:
        case dict():
            return {key: _value(key, value, pace) for key, value in node.items()}
        case list():
            return [faster(item, pace) for item in node]
        case _:
            return node


def _value(key: str, value: Any, pace: float) -> Any:  # noqa: ANN401 - YAML
    if key == "expr":
        shorter = _RANGES.sub(lambda found: _shorter(found[0], pace), value)
        return _AGES.sub(lambda found: f"{found[1]}{float(found[2]) / pace:g}", shorter)
    return _shorter(value, pace) if key in _DURATIONS else faster(value, pace)


def _shorter(length: str, pace: float) -> str:
    return f"{round(int(length[:-1]) * _UNITS[length[-1]] * 1_000 / pace)}ms"
