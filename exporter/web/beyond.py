"""The parts of the page that look beyond one session: what we see of the cluster, and the history."""

from collections.abc import Iterator, Sequence
from typing import Final

from exporter.kube.status import WatchStatus
from exporter.model.changes import Sync
from exporter.model.report import Report, Verdict
from exporter.report import slos
from exporter.web import headline, standing, vision
from exporter.web.blocks import card, on_demand, table
from exporter.web.markup import Html, el, together
from exporter.web.status import Status
from exporter.web.wording import Tone, ago, amount, badge, duration, moment, percent

_SYNC: Final = {
    Sync.SYNCED: (Tone.OK, "current"),
    Sync.INTERRUPTED: (Tone.WARN, "watch is cut"),
    Sync.FORBIDDEN: (Tone.BAD, "not permitted"),
    Sync.UNKNOWN: (Tone.UNKNOWN, "not listed yet"),
    Sync.ABSENT: (Tone.PLAIN, "none in this cluster"),
}
_VERDICTS: Final = {Verdict.PASSED: Tone.OK, Verdict.FAILED: Tone.BAD, Verdict.INCONCLUSIVE: Tone.UNKNOWN}


def sight(status: Status) -> Html:
    """How well we see each resource; what we do not see comes first."""
    unseen = [resource for resource in status.resources if resource.sync not in (Sync.SYNCED, Sync.ABSENT)]
    absent = sum(1 for resource in status.resources if resource.sync is Sync.ABSENT)
    current = len(status.resources) - len(unseen) - absent

    def row(resource: WatchStatus) -> tuple[str, ...]:
        listed = resource.sync in (Sync.SYNCED, Sync.INTERRUPTED)
        heard = resource.last_event_at
        return (
            resource.resource,
            badge(*_SYNC[resource.sync]),
            amount(resource.objects if listed else None),
            ago(heard, status.now) if heard is not None else "never",
        )

    return card(
        "What we see",
        el(
            "p",
            badge(Tone.WARN, f"{len(unseen)} not current") if unseen else badge(Tone.OK, "all current"),
            f" {current} of {len(status.resources)} resources are current",
            f", {absent} not in this cluster." if absent else ".",
        ),
        el("ul", *_unseen(unseen), class_="list") if unseen else None,
        on_demand(
            "resources",
            "All resources",
            table(("Resource", "State", "Objects", "Last heard of"), map(row, status.resources)),
        ),
    )


def _unseen(unseen: Sequence[WatchStatus]) -> Iterator[Html]:
    """By state: when the API is away, all watches are cut, and one line says it."""
    for sync in _SYNC:
        if names := [resource.resource for resource in unseen if resource.sync is sync]:
            yield el("li", badge(*_SYNC[sync]), el("span", vision.named(names)))


def history(reports: Sequence[Report], status: Status) -> Html:
    """All sessions, newest first."""
    now = status.now

    def row(report: Report) -> tuple[str, ...]:
        until = now if report.ended_at is None else report.ended_at
        return (
            together([headline.path(report), el("small", headline.kind(report).lower())]),
            together([moment(report.started_at, now), " UTC"]),
            duration(round(max(0.0, until - report.started_at))),
            percent(report.progress),
            amount(report.continuity.interrupted.total),
            _worst_disruption(report),
            _verdict(report, status),
        )

    columns = ("Session", "Started", "Took", "Progress", "Interrupted", "API disruption", "Verdict")
    return card("History", table(columns, map(row, reversed(reports))))


def _worst_disruption(report: Report) -> str:
    measured = (p for p in report.api.probes if p.probe != slos.CONTROL_PROBE and p.measured_seconds)
    worst = max((probe.disruption_seconds for probe in measured), default=None)
    return amount(None) if worst is None else duration(worst)


def _verdict(report: Report, status: Status) -> Html:
    if report.verdict is not None:
        return badge(_VERDICTS[report.verdict], report.verdict.value)
    stands = standing.seen(report, status)
    return badge(stands.tone, stands.word.lower())
