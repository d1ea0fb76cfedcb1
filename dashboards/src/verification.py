"""The questions of alerts/verification.yaml as one query: a number for each, to be shown with its words.

`verify` asks the same of a session's own time; here `$__range` is the time that is chosen.
"""

import json
import pathlib
import re
from typing import Any, Final

import yaml

from dashboards.src import meanings, promql

_FILE: Final = pathlib.Path(__file__).parents[2] / "alerts" / "verification.yaml"
_SELECTOR: Final = re.compile(r"\b(kubevirt_upgrade_\w+|ALERTS)\b(\{)?")
_CODES: Final = {
    "yes": meanings.ANSWERS["yes"].code,
    "none_fired": meanings.ANSWERS["yes"].code,
    "not_applicable": meanings.ANSWERS["not_applicable"].code,
    "inconclusive": meanings.ANSWERS["inconclusive"].code,
    "warning": meanings.ANSWERS["warning"].code,
    "failed": meanings.ANSWERS["failed"].code,
}

Question = dict[str, Any]


def query() -> str:
    """All questions, with labels `group` and `question`."""
    groups = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["groups"]
    known = {question["id"]: question for group in groups for question in group["queries"]}
    return "\nor\n".join(
        _labelled(_labelled(_answer(question, known), "group", group["group"]), "question", question["question"])
        for group in groups
        for question in group["queries"]
    )


def _answer(question: Question, known: dict[str, Question]) -> str:
    """One number without labels."""
    asked = _chosen(question["query"])
    no, cannot_tell = _CODES[question["otherwise"]], _CODES["inconclusive"]
    answer = f"min(({asked}) {_compared(question)}) * ({_CODES['yes']} - {no}) + {no}"
    if "series" in question:
        counted = f"count({asked})"
        answer = f"({answer}) and {counted} >= {question['series']} or 0 * {counted} + {cannot_tell}"
    answer = f"{answer} or vector({_CODES[question['no_data']]})"
    if "needs" in question:
        needed = known[question["needs"]]
        holds = f"min(({_chosen(needed['query'])}) {_compared(needed)}) == 1"
        answer = f"({answer}) and {holds} or vector({cannot_tell})"
    return answer


def _compared(question: Question) -> str:
    comparison, limit = question["passes"].split()
    return f"{comparison} bool {limit}"


def _chosen(expression: str) -> str:
    """With the chosen cluster and namespace in every selector; alerts have the namespace of what they are about."""

    def matched(found: re.Match[str]) -> str:
        chosen = promql.CLUSTER if found[1] == "ALERTS" else promql.CHOSEN
        return f"{found[1]}{{{chosen}, " if found[2] else f"{found[1]}{{{chosen}}}"

    return _SELECTOR.sub(matched, expression)


def _labelled(expression: str, label: str, text: str) -> str:
    return f'label_replace({expression}, "{label}", {json.dumps(text, ensure_ascii=False)}, "", "")'
