"""The questions of verification.yaml: what is asked, what a yes is, what else it may mean.

`alerts/verification.yaml` is where they are edited; `make generate` copies it beside this module.
"""

import enum
import importlib.resources
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec
import yaml

from exporter.model.findings import State


class Otherwise(enum.StrEnum):
    """What it means when a value does not pass."""

    FAILED = "failed"
    WARNING = "warning"
    INCONCLUSIVE = "inconclusive"


class NoData(enum.StrEnum):
    """What it means when there is nothing."""

    INCONCLUSIVE = "inconclusive"
    WARNING = "warning"
    NOT_APPLICABLE = "not_applicable"
    NONE_FIRED = "none_fired"


STATES: Final[Mapping[str, State]] = {
    Otherwise.FAILED: State.FAIL,
    Otherwise.WARNING: State.WARN,
    Otherwise.INCONCLUSIVE: State.UNKNOWN,
    NoData.NOT_APPLICABLE: State.PASS,
    NoData.NONE_FIRED: State.PASS,
}
_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION: Final = re.compile(r"^(==|>=|<=|>|<) ([0-9.]+)$")
_LAST_WORDS: Final = {
    "kubevirt_upgrade_session_end_timestamp_seconds": "kubevirt_upgrade_session_start_timestamp_seconds",
    "kubevirt_upgrade_session_verdict": "kubevirt_upgrade_session_verdict_so_far",
}
"""What says as much of a session that another one superseded: it is over, and its verdict is the one so far."""
_OURS: Final = re.compile(r"\b(kubevirt_upgrade_[a-z0-9_]+|ALERTS)\b(\{)?")


class Condition(NamedTuple):
    """What each value must meet."""

    text: str
    compare: Callable[[float, float], bool]
    limit: float

    def holds(self, value: float) -> bool:
        """For a value; not a number meets nothing."""
        return not math.isnan(value) and self.compare(value, self.limit)


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the file; what the fields mean is said at its top."""

    id: str
    question: str
    query: str
    passes: str
    otherwise: Otherwise
    no_data: NoData
    because: str
    series: int = 1
    needs: str = ""
    after: str = ""
    runbook: str = ""

    @property
    def condition(self) -> Condition:
        """Raises ValueError: it is not understood."""
        match = _CONDITION.match(self.passes)
        if match is None:
            raise ValueError(f"{self.id}: passes: {self.passes!r} is not like '== 0'")
        return Condition(self.passes, _OPERATORS[match[1]], float(match[2]))


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Questions that belong together."""

    group: str
    about: str
    queries: tuple[Question, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    groups: tuple[Group, ...]


def load(text: str | None = None) -> tuple[Group, ...]:
    """The questions, in order; those that come with the program by default. Raises ValueError: the text is wrong."""
    if text is None:
        text = importlib.resources.files(__package__).joinpath("verification.yaml").read_text(encoding="utf-8")
    try:
        groups = msgspec.convert(yaml.safe_load(text), _File).groups
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(f"verification.yaml: {error}") from error
    asked = [question for group in groups for question in group.queries]
    names = [question.id for question in asked]
    for number, question in enumerate(asked):
        _ = question.condition
        if question.id in names[:number]:
            raise ValueError(f"{question.id}: there are two")
        for other in filter(None, (question.needs, question.after)):
            if other not in names[:number]:
                raise ValueError(f"{question.id}: {other} is not asked before")
    return groups


def query(question: Question, *, seconds: float, labels: Mapping[str, str], superseded: bool = False) -> str:
    """The PromQL to send.

    `seconds` is the time the session took, `labels` narrow every series of ours; `superseded`: another session did.
    """
    whole = max(60, round(seconds))
    text = question.query.replace("$__range_s", str(whole)).replace("$__range", f"{whole}s")
    if superseded:
        text = _OURS.sub(lambda match: f"{_LAST_WORDS.get(match[1], match[1])}{match[2] or ''}", text)
    return narrowed(text, labels)


def narrowed(text: str, labels: Mapping[str, str]) -> str:
    """PromQL with these labels asked of every series of ours."""
    if not labels:
        return text
    matchers = ", ".join(f"{name}={_quoted(value)}" for name, value in labels.items())
    return _OURS.sub(lambda match: f"{match[1]}{{{matchers}{', ' if match[2] else '}'}", text)


def selector(patterns: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """A selector of series whose labels match regular expressions, and have these values."""
    parts = [f"{name}=~{_quoted(pattern)}" for name, pattern in patterns.items()]
    return "{" + ", ".join([*parts, *(f"{name}={_quoted(value)}" for name, value in labels.items())]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
