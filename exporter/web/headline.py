"""The top of the page: what upgrade, how far, since when, and how it stands; or that nothing is to be seen yet."""

from collections.abc import Iterator, Sequence
from typing import Final

from exporter.model import resources
from exporter.model.changes import Sync
from exporter.model.report import Phase, Report, SessionKind
from exporter.web import standing, vision
from exporter.web.markup import Html, el, together
from exporter.web.status import Status
from exporter.web.wording import Tone, ago, badge, duration, moment, muted, percent

_KINDS: Final = {
    SessionKind.UPGRADE: "Upgrade",
    SessionKind.ROLLBACK: "Rollback",
    SessionKind.RECONFIGURE: "Reconfiguration",
}
_STEPS: Final = (
    (Phase.PREPARING, "Preparing"),
    (Phase.CONTROL_PLANE, "Control plane"),
    (Phase.WORKLOADS, "Guests"),
    (Phase.SETTLING, "Settling"),
    (Phase.COMPLETED, "Over"),
)
_ENDS: Final = {
    Phase.COMPLETED: "Over",
    Phase.SUPERSEDED: "Superseded by another target",
    Phase.DROPPED: "Dropped: nothing followed virt-operator",
    Phase.CLOSED: "Closed by a person",
}


def title(reports: Sequence[Report], status: Status) -> str:
    """For the tab of the browser: the state first, since tabs are narrow."""
    latest = reports[-1] if reports else None
    if latest is None or latest.phase.over:
        if vision.blind_since(status) is not None:
            return f"{standing.BLIND} · KubeVirt upgrades"
        return "Watching · KubeVirt upgrades" if status.ready else "Starting · KubeVirt upgrades"
    return f"{percent(latest.progress)} {standing.seen(latest, status).word} · {path(latest)}"


def tone(reports: Sequence[Report], status: Status) -> Tone:
    """Of the latest session; none is neither good nor bad."""
    if reports:
        return standing.seen(reports[-1], status).tone
    return Tone.PLAIN if vision.blind_since(status) is None else Tone.UNKNOWN


def path(report: Report) -> str:
    """From where to where."""
    return f"{report.from_version or 'unknown'} → {report.to_version or 'unknown'}"


def kind(report: Report) -> str:
    """The session's kind for people."""
    return _KINDS[report.kind]


def section(reports: Sequence[Report], status: Status) -> Html:
    """The headline."""
    if not reports:
        return _idle(status) if status.ready else _starting(status)
    return _session(reports[-1], status)


def _starting(status: Status) -> Html:
    waiting = sum(1 for resource in status.resources if resource.sync is Sync.UNKNOWN)
    listed = len(status.resources) - waiting
    so_far = f"{listed} of {len(status.resources)} resources are known so far. " if status.resources else ""
    return _no_session(Tone.UNKNOWN, "Starting", "Listing the cluster", f"{so_far}Nothing is judged before the end.")


def _idle(status: Status) -> Html:
    blind = vision.blind_since(status)
    if blind is not None:
        return _no_session(Tone.UNKNOWN, standing.BLIND, "No session seen yet", vision.away(blind, status))
    kubevirts = next((resource for resource in status.resources if resource.resource == resources.KUBEVIRTS), None)
    match kubevirts.sync if kubevirts is not None else None:
        case Sync.FORBIDDEN:
            return _no_session(Tone.BAD, "Blind", "May not read KubeVirt", "Permissions of the exporter are missing.")
        case Sync.ABSENT:
            return _no_session(Tone.UNKNOWN, "Watching", "No KubeVirt here", "This cluster does not know KubeVirt.")
        case Sync.SYNCED if kubevirts is not None and not kubevirts.objects:
            return _no_session(Tone.UNKNOWN, "Watching", "No KubeVirt here", "This cluster has no KubeVirt object.")
        case _:
            what = "The next upgrade, rollback or reconfiguration of KubeVirt shows here as soon as it begins."
            since = together(["Since ", moment(status.started_at, status.now), " UTC. ", what])
            return _no_session(Tone.PLAIN, "Watching", "No session seen yet", since)


def _no_session(tone: Tone, word: str, heading: str, why: str) -> Html:
    return el(
        "section",
        el("p", badge(tone, word), class_="standing"),
        el("h1", heading),
        el("p", why, class_="why"),
        class_=f"headline {tone.value}",
    )


def _session(report: Report, status: Status) -> Html:
    stands = standing.seen(report, status)
    said = stands.word == standing.BLIND
    return el(
        "section",
        el("p", badge(stands.tone, stands.word), el("span", kind(report), class_="kind"), class_="standing"),
        el("h1", path(report)),
        el("p", stands.why, None if said else _if_it_ended_now(report), class_="why"),
        None if said else vision.warning(status),
        _far("Control plane", report.progress, percent(report.progress), stands.tone),
        _guests(report),
        _steps(report, blind=vision.blind_since(status) is not None),
        el("dl", *_facts(report, status.now), class_="facts"),
        class_=f"headline {stands.tone.value}",
    )


def _if_it_ended_now(report: Report) -> str | None:
    if report.verdict is not None or report.verdict_so_far is None:
        return None
    return f" Verdict if it ended now: {report.verdict_so_far.value}."


def _far(what: str, ratio: float, says: str, tone: Tone) -> Html:
    return el(
        "p",
        el("span", what, class_="muted"),
        el("progress", value=round(ratio, 4), max=1, aria_label=what, class_=tone.value),
        el("strong", says),
        class_="far",
    )


def _guests(report: Report) -> Html | None:
    updated = standing.updated_guests(report)
    if updated is None:
        return None
    tone, done, guests = updated
    return _far("Guests updated", done / guests if guests else 1.0, f"{done}/{guests}", tone)


def _steps(report: Report, *, blind: bool) -> Html:
    """Where the session is among its phases."""
    if report.phase.over:
        now = "Whether another one is under way cannot be seen." if blind else "No session is under way; watching."
        return el("p", f"{_ENDS[report.phase]}. {now}", class_="phase")
    order = [phase for phase, _ in _STEPS]
    current = order.index(report.phase)
    return el(
        "ol",
        *(
            el("li", name, class_="past" if at < current else None, aria_current="step" if at == current else None)
            for at, (_, name) in enumerate(_STEPS)
        ),
        class_="steps",
    )


def _facts(report: Report, now: float) -> Iterator[Html]:
    yield _fact("Started", _since(report.started_at, now))
    end = report.ended_at
    missing = muted("not yet" if end is None else "never")
    for name, at in (
        ("Control plane complete", report.observed_complete_at),
        ("Reported by KubeVirt", report.reported_complete_at),
        ("Guests updated", report.workloads_complete_at),
    ):
        yield _fact(name, missing if at is None else _after(report, at, now))
    if end is not None:
        yield _fact("Ended", _since(end, now))


def _since(at: float, now: float) -> Html:
    return together([moment(at, now), " UTC", el("small", ago(at, now))])


def _after(report: Report, at: float, now: float) -> Html:
    """A milestone: when, and how long after the start."""
    return together([moment(at, now), " UTC", el("small", f"after {duration(round(at - report.started_at))}")])


def _fact(name: str, *value: str) -> Html:
    return el("div", el("dt", name), el("dd", *value))
