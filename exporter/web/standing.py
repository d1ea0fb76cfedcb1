"""How a session and its parts stand, in one word and one sentence: what somebody at 3 a.m. reads first.

The verdict is the report's. While it is open, the word says whether anything speaks against a good end; what is merely
not finished does not.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from exporter.model.report import ComponentReport, Report, Severity, SloReport, SloState, Verdict
from exporter.report import slos
from exporter.web import vision
from exporter.web.status import Status
from exporter.web.wording import Tone, duration

SLO_NAMES: Final = {
    slos.API: "API availability",
    slos.CONTINUITY: "guest continuity",
    slos.ROLLOUT: "rollout",
    slos.FRESHNESS: "guests updated",
    slos.LEADER: "leader hand-over",
    slos.RETENTION: "retention",
}
BLIND: Final = "Blind"
OPEN_UNTIL_DONE: Final = (slos.ROLLOUT, slos.FRESHNESS)
"""Unknown until the rollout is complete: that says nothing against it."""


class Standing(NamedTuple):
    """`word` names the tone; `why` is a sentence or two."""

    tone: Tone
    word: str
    why: str


def seen(report: Report, status: Status) -> Standing:
    """Where the session stands, as far as we see."""
    since = unseen_since(report, status)
    return of(report) if since is None else Standing(Tone.UNKNOWN, BLIND, vision.away(since, status))


def unseen_since(report: Report, status: Status) -> float | None:
    """Since when nobody can say that the session is well: it goes on, and we do not see it. None where we can tell."""
    return None if report.phase.over or of(report).tone is Tone.BAD else vision.blind_since(status)


def of(report: Report) -> Standing:
    """Where the session stands."""
    deciding = [slo for slo in report.slos if slo.slo in slos.DECIDING]
    exhausted = _names(slo for slo in deciding if slo.state is SloState.EXHAUSTED)
    unknown = [slo for slo in deciding if slo.state is SloState.UNKNOWN]
    match report.verdict:
        case Verdict.FAILED:
            return Standing(Tone.BAD, "Failed", " ".join([f"Objective missed: {exhausted}.", *_stalled(report)]))
        case Verdict.PASSED:
            return Standing(Tone.OK, "Passed", "Every deciding objective was observed and met.")
        case Verdict.INCONCLUSIVE:
            return Standing(Tone.UNKNOWN, "Inconclusive", f"Not observed well enough: {_names(unknown)}.")
        case None:
            return _open(report, unknown)


def _open(report: Report, unknown: list[SloReport]) -> Standing:
    """No verdict yet."""
    if report.stalled:
        return Standing(Tone.BAD, "Stalled", " ".join(_stalled(report)))
    critical = [finding.summary for finding in report.findings if finding.severity is Severity.CRITICAL]
    if critical:
        return Standing(Tone.BAD, "In trouble", f"{critical[0]}.")
    at_risk = [slo for slo in report.slos if slo.state is SloState.AT_RISK]
    if at_risk:
        return Standing(Tone.WARN, "At risk", f"Budget nearly spent: {_names(at_risk)}.")
    unseen = [slo for slo in unknown if slo.slo not in OPEN_UNTIL_DONE]
    if unseen:
        return Standing(Tone.UNKNOWN, "Cannot tell", f"Not observed well enough so far: {_names(unseen)}.")
    return Standing(Tone.OK, "On track", "No objective missed so far.")


def _stalled(report: Report) -> list[str]:
    """What makes no progress and where, as the findings say it; empty where nothing is stalled."""
    return [f"{finding.summary}." for finding in report.findings if finding.check == "stalled"] or [
        f"{name} makes no progress." for name in report.stalled
    ]


def rollout(component: ComponentReport, report: Report, now: float) -> tuple[Tone, str]:
    """How one component stands."""
    until = now if report.ended_at is None else report.ended_at
    started, completed = component.started_at, component.completed_at
    if component.name in report.stalled:
        return Tone.BAD, "stalled"
    if completed is not None:
        took = f" in {duration(round(max(0.0, completed - started)))}" if started is not None else ""
        return Tone.OK, f"done{took}"
    if started is not None:
        return Tone.PLAIN, f"rolling for {duration(round(max(0.0, until - started)))}"
    if component.from_version == component.to_version:
        return Tone.MUTED, "unchanged"
    return Tone.MUTED, "waits for its turn" if report.ended_at is None else "never began"


def updated_guests(report: Report) -> tuple[Tone, int, int] | None:
    """How many run in a new launcher, out of how many; None while there is nothing to update them to, or unknown."""
    outdated, baseline = report.migrations.outdated, report.continuity.baseline
    if report.observed_complete_at is None or outdated is None or baseline is None:
        return None
    guests = max(baseline, outdated)
    stranded = report.migrations.stranded or 0
    done = Tone.WARN if stranded else Tone.OK
    return (Tone.PLAIN if outdated > stranded else done), guests - outdated, guests


def slo_name(slo: str) -> str:
    """An SLO's name for people."""
    return SLO_NAMES.get(slo, slo.replace("_", " "))


def _names(found: Iterable[SloReport]) -> str:
    return ", ".join(slo_name(slo.slo) for slo in found)
