"""The parts of the page about one session, below its headline: each takes the report and gives a section."""

from collections.abc import Iterator, Sequence
from typing import Final

from exporter.model.report import (
    Anomaly,
    ComponentReport,
    Finding,
    LeaderReport,
    ProbeReport,
    Report,
    Severity,
    SloReport,
    SloState,
)
from exporter.report import slos
from exporter.web import standing
from exporter.web.blocks import bar, card, counts, nothing, on_demand, table, tile
from exporter.web.markup import Html, el, together
from exporter.web.wording import Tone, amount, badge, duration, moment, percent

_SEVERITIES: Final = {Severity.CRITICAL: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.INFO: Tone.PLAIN}
_SLO_STATES: Final = {
    SloState.MET: (Tone.OK, "met"),
    SloState.AT_RISK: (Tone.WARN, "at risk"),
    SloState.EXHAUSTED: (Tone.BAD, "missed"),
    SloState.UNKNOWN: (Tone.UNKNOWN, "unknown"),
}


def findings(report: Report, now: float) -> Html | None:
    """What a person should read, and the guests to look at."""
    if not report.findings and not report.continuity.anomalies:
        return None
    listed = el("ul", *map(_finding, report.findings), class_="list") if report.findings else None
    return card("Findings", listed, _anomalies(report, now))


def _finding(finding: Finding) -> Html:
    return el("li", badge(_SEVERITIES[finding.severity], finding.severity.value), " ", finding.summary)


def _anomalies(report: Report, now: float) -> Html | None:
    named = report.continuity.anomalies
    dropped = report.continuity.anomalies_dropped

    def row(anomaly: Anomaly) -> tuple[str, ...]:
        kind = anomaly.kind.replace("_", " ")
        return f"{anomaly.namespace}/{anomaly.name}", kind, together([moment(anomaly.at, now), " UTC"])

    if not named:
        return None
    return together([
        el("h3", "Guests to look at"),
        table(("Guest", "What", "When"), map(row, named)),
        nothing(f"and {dropped} more that are not named") if dropped else None,
    ])  # fmt: skip


def components(report: Report, now: float) -> Html:
    """Progress of each, in the order of the rollout."""

    def row(component: ComponentReport) -> tuple[str, ...]:
        return component.name, _version(component), _progress(component, report), _rollout(component, report, now)

    columns = ("Component", "Version", "New and ready", "State")
    known = report.components
    return card("Components", table(columns, map(row, known)) if known else nothing("None is known."))


def _version(component: ComponentReport) -> str:
    old, new = component.from_version or "unknown", component.to_version or "unknown"
    return new if old == new else f"{old} → {new}"


def _progress(component: ComponentReport, report: Report) -> Html:
    """Pods at the target and ready."""
    ready, desired = component.ready, component.desired
    if ready is None or desired is None:
        return amount(None)
    done = Tone.PLAIN if component.completed_at is None else Tone.OK
    tone = Tone.BAD if component.name in report.stalled else done
    return bar(ready, max(desired, 1), says=f"{ready}/{desired}", label=f"{component.name}: new and ready", tone=tone)


def _rollout(component: ComponentReport, report: Report, now: float) -> Html:
    """The state; what restarted or is not ready is said below it."""
    unready = (component.updated or 0) - (component.ready or 0)
    beside = [f"{unready} new, not ready"] if unready > 0 else []
    if component.restarts:
        beside.append(f"{component.restarts} restarts")
    return together(
        [badge(*standing.rollout(component, report, now)), el("small", ", ".join(beside)) if beside else None]
    )


def guests(report: Report) -> Html:
    """What happened to them."""
    continuity, migrations = report.continuity, report.migrations
    interrupted = continuity.interrupted
    return card(
        "Guests",
        el(
            "dl",
            tile("running at the start", continuity.baseline),
            tile("live migrated", continuity.migrated),
            tile("interrupted", interrupted.total, bad=Tone.BAD, note=counts(interrupted.by_reason.items())),
            tile("outdated now", migrations.outdated),
            tile("stranded", migrations.stranded, bad=Tone.WARN),
            tile("migrating now", migrations.in_flight),
            tile("failed migrations", migrations.failed, bad=Tone.WARN),
            tile("with two launchers", continuity.duplicate_launchers, bad=Tone.BAD),
            tile("lost, cause unknown", continuity.unattributed, bad=Tone.UNKNOWN),
            class_="tiles",
        ),
        *(nothing(said) for said in _beside_guests(report)),
    )


def _beside_guests(report: Report) -> Iterator[str]:
    continuity = report.continuity
    if continuity.interruption_seconds:
        yield f"Interrupted guests were away for {duration(continuity.interruption_seconds)}, all together."
    if continuity.asked:
        yield f"{continuity.asked} stopped because somebody asked for it: not charged."
    if continuity.unobserved_seconds:
        yield f"Not observed: {duration(continuity.unobserved_seconds)} of the session."


def _slo_state(slo: SloReport, *, over: bool) -> tuple[Tone, str]:
    """What cannot be known before the end is open, which says nothing against it."""
    if not over and slo.state is SloState.UNKNOWN and slo.slo in standing.OPEN_UNTIL_DONE:
        return Tone.PLAIN, "open"
    return _SLO_STATES[slo.state]


def objectives(report: Report) -> Html:
    """How much of each budget is gone."""
    over = report.phase.over

    def row(slo: SloReport) -> tuple[str, ...]:
        name = standing.slo_name(slo.slo)
        limit = slo.objective if slo.slo in slos.DECIDING else f"{slo.objective}; a warning, not decisive"
        tone, word = _slo_state(slo, over=over)
        ratio = slo.consumed_ratio
        spent = amount(None) if ratio is None else bar(ratio, 1, says=percent(ratio), label=f"{name}: spent", tone=tone)
        return together([name[0].upper() + name[1:], el("small", limit)]), spent, badge(tone, word)

    columns = ("Objective", "Budget spent", "State")
    return card("Objectives", table(columns, map(row, report.slos)) if report.slos else nothing("None is known."))


def api(report: Report) -> Html:
    """What the probes saw: those with something to say at once, all of them on demand; and what versions bar."""
    probes, lost, blocked = report.api.probes, report.api.versions_lost, report.api.storage_blocked
    over = report.phase.over
    everywhere = any(_unsettled(probe, over=over) for probe in probes if probe.probe == slos.CONTROL_PROBE)
    remarkable = [probe for probe in probes if _remarkable(probe, unsettled=not over and not everywhere)]
    return card(
        "API",
        _measured(probes, over=over) if probes else nothing("No probe has reported: unknown."),
        _probes(remarkable, over=over) if remarkable else None,
        on_demand("probes", "All probes", _probes(probes, over=over)) if probes else None,
        el("p", badge(Tone.WARN, "no longer served"), " ", ", ".join(lost)) if lost else None,
        el("p", badge(Tone.WARN, "storage version"), " ", ", ".join(blocked)) if blocked else None,
    )


def _remarkable(probe: ProbeReport, *, unsettled: bool) -> bool:
    """Time of the whole cluster's API is the same for all of them, and said once."""
    told = probe.disruption_seconds or probe.client_seconds or (unsettled and _unsettled(probe, over=False))
    return bool(told) or not probe.measured_seconds


def _unsettled(probe: ProbeReport, *, over: bool) -> float:
    """Failed seconds of which it is not known yet whose they are: the control probe may still be waiting."""
    known = probe.disruption_seconds + probe.cluster_seconds + probe.client_seconds
    return 0.0 if over else max(0.0, sum(probe.failures.values()) - known)


def _measured(probes: Sequence[ProbeReport], *, over: bool) -> Html:
    """All probes in one line."""
    disturbed = sum(1 for probe in probes if probe.disruption_seconds)
    least = min(probe.measured_seconds for probe in probes)
    away = max(probe.cluster_seconds for probe in probes)
    unsettled = max(_unsettled(probe, over=over) for probe in probes)
    if disturbed:
        state = badge(Tone.WARN, f"{disturbed} disrupted")
    elif not least:
        state = badge(Tone.UNKNOWN, "not all measured")
    else:
        state = badge(Tone.WARN, "cluster was away") if away else badge(Tone.OK, "no disruption")
    return el(
        "p",
        state,
        f" {len(probes)} probes, each measured for {duration(least)} at least.",
        f" The whole cluster's API was away for {duration(away)}: not charged to KubeVirt." if away else None,
        f" Whose fault the last {duration(unsettled)} are is not settled yet." if unsettled else None,
    )


def _probes(probes: Sequence[ProbeReport], *, over: bool) -> Html:
    def row(probe: ProbeReport) -> tuple[str, ...]:
        failed = counts(probe.failures.items())
        return (
            together([probe.probe, el("small", f"{probe.connection} connection")]),
            together([_disruption(probe), el("small", failed) if failed else None]),
            _not_charged(probe, over=over),
            duration(probe.measured_seconds),
        )

    return table(("Probe", "Disruption", "Not charged", "Measured"), map(row, probes))


def _disruption(probe: ProbeReport) -> Html:
    if not probe.measured_seconds:
        return badge(Tone.UNKNOWN, "not measured")
    if not probe.disruption_seconds:
        return badge(Tone.OK, "none")
    return badge(Tone.WARN, duration(probe.disruption_seconds))


def _not_charged(probe: ProbeReport, *, over: bool) -> str:
    parts = (
        ("whole cluster", probe.cluster_seconds),
        ("our side", probe.client_seconds),
        ("not settled yet", _unsettled(probe, over=over)),
    )
    return ", ".join(f"{duration(seconds)} {whose}" for whose, seconds in parts if seconds) or "none"


def leaders(report: Report) -> Html:
    """Hand-overs of each lease."""

    def row(leader: LeaderReport) -> tuple[str, ...]:
        gaps = duration(leader.longest_gap_seconds), duration(leader.leaderless_seconds)
        return leader.component, amount(leader.transitions), *gaps

    columns = ("Lease", "Hand-overs", "Longest gap", "Without a leader")
    leases = report.leadership
    return card("Leaders", table(columns, map(row, leases)) if leases else nothing("No lease was observed: unknown."))


def retention(report: Report) -> Html:
    """Whether everything is still there: what is lost at once, all the rest on demand."""
    objects = report.retention.objects
    if not objects:
        return card("Objects", nothing("No resource was counted: unknown."))
    lost = {resource: entry.lost for resource, entry in objects.items() if entry.lost}
    counted = sum(1 for entry in objects.values() if entry.after is not None)
    rows = (
        (
            resource,
            amount(entry.before),
            amount(entry.after),
            amount(entry.created),
            amount(entry.deleted),
            badge(Tone.BAD, str(entry.lost)) if entry.lost else amount(entry.lost),
        )
        for resource, entry in objects.items()
    )
    columns = ("Resource", "Before", "Now", "Created", "Deleted", "Lost")
    return card(
        "Objects",
        el("p", badge(Tone.BAD, "lost"), " ", counts(lost.items()))
        if lost
        else el("p", badge(Tone.OK, "nothing lost"), f" among {counted} resources that we count"),
        on_demand("objects", "All resources", table(columns, rows)),
    )
