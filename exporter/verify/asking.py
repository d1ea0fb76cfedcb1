"""Asks the questions, and makes a finding of each answer. No data is never a pass, and partial data says so."""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from exporter import errors
from exporter.model.findings import Finding, State
from exporter.verify import questions
from exporter.verify.prometheus import Answer, Prometheus, QueryRefused, Series
from exporter.verify.questions import Group, Question

_AT_ONCE: Final = 4
NAMED: Final = 10
"""Series named in one finding; the rest is counted."""


class Judged(NamedTuple):
    """The time that is judged."""

    at: float
    """As of when, in Unix seconds."""
    seconds: float
    """The time before that the questions are about."""
    superseded: bool = False
    """A session that ended with the beginning of another one."""


async def ask(
    prometheus: Prometheus,
    groups: Iterable[Group],
    time: Judged,
    *,
    labels: Mapping[str, str],
    target_labels: Collection[str] = (),
    accept: Collection[str] = (),
) -> list[Finding]:
    """A finding for each question, in their order. `target_labels` are not shown.

    Raises UsageError and UnreadableError as `Prometheus` does.
    """
    asked = [question for group in groups for question in group.queries]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(question: Question) -> Answer | errors.ExporterError:
        async with limit:
            try:
                query = questions.query(question, seconds=time.seconds, labels=labels, superseded=time.superseded)
                return await prometheus.instant(query, at=time.at)
            except errors.ExporterError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(question), name=f"ask {question.id}") for question in asked]
    findings: dict[str, Finding] = {}
    for question, task in zip(asked, tasks, strict=True):
        answer = task.result()
        if isinstance(answer, errors.ExporterError) and not isinstance(answer, QueryRefused):
            raise answer
        finding = judged(
            question,
            answer,
            hidden=target_labels,
            needed=findings.get(question.needs),
            awaited=findings.get(question.after),
            superseded=time.superseded,
        )
        accepted = question.id in accept
        findings[question.id] = finding if not accepted else _accepted(finding)
    return list(findings.values())


def judged(
    question: Question,
    answer: Answer | errors.ExporterError,
    *,
    hidden: Collection[str] = (),
    needed: Finding | None = None,
    awaited: Finding | None = None,
    superseded: bool = False,
) -> Finding:
    """What an answer means.

    `needed`: the finding of the question without whose yes a yes to this one proves nothing; `awaited`: that of the
    question before whose yes a no to this one means nothing yet. `superseded`: another target was set before.
    """
    state, summary, details = _judged(question, answer, hidden)
    if state is State.PASS and needed is not None and needed.state is not State.PASS:
        state, summary, details = State.UNKNOWN, f"cannot tell without an answer to `{needed.check}`", ()
    if state in (State.FAIL, State.WARN) and awaited is not None and awaited.state is not State.PASS:
        state, summary = State.UNKNOWN, f"not yet; it counts once `{awaited.check}` is answered with yes"
    if state is State.FAIL and superseded and question.after:
        state, summary = State.UNKNOWN, "not yet when another target was set"
    if question.runbook and state is not State.PASS:
        details = (*details, f"runbook: {question.runbook}")
    return Finding(check=question.id, state=state, summary=f"{question.question} {summary}", details=details)


def _judged(
    question: Question, answer: Answer | errors.ExporterError, hidden: Collection[str]
) -> tuple[State, str, tuple[str, ...]]:
    if isinstance(answer, errors.ExporterError):
        return State.UNKNOWN, f"the query was refused: {answer}", ()
    condition = question.condition
    known = [series for series in answer.series if not math.isnan(series.value)]
    wrong = [series for series in known if not condition.holds(series.value)]
    if wrong and question.otherwise is not questions.Otherwise.INCONCLUSIVE:
        return questions.STATES[question.otherwise], "no", _named(wrong, hidden)
    if answer.warnings:
        return State.UNKNOWN, f"the answer may be partial: {'; '.join(answer.warnings)}", ()
    if not known:
        return questions.STATES[question.no_data], f"{_nothing(question)}: {question.because}", ()
    if wrong:
        return State.UNKNOWN, "no", _named(wrong, hidden)
    if len(known) < max(question.series, len(answer.series)):
        return State.UNKNOWN, f"only {len(known)} of {max(question.series, len(answer.series))} series are there", ()
    return State.PASS, "yes", ()


def _nothing(question: Question) -> str:
    match question.no_data:
        case questions.NoData.NOT_APPLICABLE:
            return "does not apply"
        case questions.NoData.NONE_FIRED:
            return "yes"
        case questions.NoData.INCONCLUSIVE | questions.NoData.WARNING:
            return "no data"


def _named(wrong: list[Series], hidden: Collection[str]) -> tuple[str, ...]:
    lines = [_line(series, hidden) for series in wrong]
    lines.sort()
    more = [f"... and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return (*lines[:NAMED], *more)


def _line(series: Series, hidden: Collection[str]) -> str:
    labels = ", ".join(
        f"{name}={value}" for name, value in sorted(series.labels.items()) if name != "__name__" and name not in hidden
    )
    return f"{labels or 'it is'}: {series.value:g}" if labels else f"it is {series.value:g}"


def _accepted(finding: Finding) -> Finding:
    return Finding(
        check=finding.check, state=finding.state, summary=finding.summary, details=finding.details, accepted=True
    )
