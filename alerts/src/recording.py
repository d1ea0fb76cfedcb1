"""Recording rules: the session's budgets and gates, and the objectives of the whole period.

The period's ratios are built from increases over 5 min that are merged over replicas first and added over time then.
So they count every second that somebody measured once, whatever became of the pod that measured it; and a replica that
restarts loses nothing. Ratios of no measured second have no sample.
"""

from collections.abc import Iterator
from typing import Any

from alerts.src import promql, slos
from alerts.src.promql import worst

Rule = dict[str, Any]

_STEP = "5m"


def session(objectives: slos.Objectives) -> Iterator[Rule]:
    """What alerts, gates and dashboards ask of the session under way, or the last one."""
    yield _record(
        "cluster:kubevirt_upgrade_in_progress:max_over_time1h",
        worst("in_progress", over="max_over_time({}[1h])"),
    )
    yield _record("slo:kubevirt_upgrade_session_budget_consumed:max", worst("session_slo_budget_consumed_ratio"))
    projected = "|".join(slo.slo for slo in objectives.slos if slo.session.projected)
    yield _record(
        "slo:kubevirt_upgrade_session_budget_projected:ratio",
        f"""
        slo:kubevirt_upgrade_session_budget_consumed:max{{slo=~"{projected}"}}
          / ignoring (slo) group_left ()
        clamp_min({worst("session_progress_ratio")}, 0.1)
          and ignoring (slo)
        {worst("in_progress")} == 1
        """,
    )
    yield from _moving()
    yield _gate(
        "slo:kubevirt_upgrade_session_met:bool", "session_slo_state", "state", good="met|at_risk", bad="exhausted"
    )
    yield _gate(
        "cluster:kubevirt_upgrade_session_passed:bool", "session_verdict_so_far", "verdict", good="passed", bad="failed"
    )


def _moving() -> Iterator[Rule]:
    """1, by what moves: the rollout, the guests to a new launcher, the time that is waited after it, or nothing."""
    rollout, guests = _phase('phase=~"preparing|control_plane"'), _phase('phase="workloads"')
    stalled = f"{worst('session_component_stalled', without='component')} == 1"
    drains_not = f"max without (reason) ({promql.DRAINS_NOT})"
    lately = f"{worst('in_progress', over='max_over_time({}[10m])')} == 1"
    for moving, expression in (
        ("rollout", f"{rollout} unless {stalled}"),
        ("guests", f"{guests} unless {drains_not}"),
        ("nothing", f"({rollout} and {stalled}) or ({guests} and {drains_not})"),
        ("settling", f"{lately} unless ({rollout} or {guests})"),
    ):
        yield _record("cluster:kubevirt_upgrade_session_moving:max", expression, {"moving": moving})


def _phase(selector: str) -> str:
    return f"{worst('phase', selector, without='phase')} == 1"


def _gate(record: str, family: str, label: str, *, good: str, bad: str) -> Rule:
    """0 where one replica says bad, else 1 where one says good, else no sample: nobody can tell."""
    return _record(
        record,
        f"""
        0 * ({worst(family, f'{label}="{bad}"', without=label)} == 1)
          or
        {worst(family, f'{label}=~"{good}"', without=label)} == 1
        """,
    )


def period(objectives: slos.Objectives) -> Iterator[Rule]:
    """Per objective: the bad share of all seconds in each window, and how fast that spends the budget."""
    for slo, part in _periods(objectives):
        for series in dict.fromkeys((part.bad, *part.all)):
            yield _record(_increase(series, part), f"max without (pod, instance) (increase({series}[{_STEP}]))")
        for length in objectives.lengths:
            yield _share(slo, part, length, objectives)
    for slo, part in _periods(objectives):
        share = f'slo:sli_error:ratio_rate{objectives.lengths[-1]}{{slo="{slo.slo}"}}'
        yield _record("slo:objective:ratio", f"0 * {share} + {part.objective}", _labels(slo, objectives))
    yield _record("slo:error_budget:ratio", "1 - slo:objective:ratio")
    yield _record("slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate{_STEP} / slo:error_budget:ratio")


def whole_period(objectives: slos.Objectives) -> Iterator[Rule]:
    """What is left of the budget; long to compute, so it is not asked for often."""
    days = f"{objectives.period_days}d"
    for slo, part in _periods(objectives):
        yield _share(slo, part, days, objectives)
    yield _record("slo:time_period:days", f"0 * slo:error_budget:ratio + {objectives.period_days}")
    yield _record("slo:period_burn_rate:ratio", f"slo:sli_error:ratio_rate{days} / slo:error_budget:ratio")
    yield _record("slo:period_error_budget_remaining:ratio", "1 - slo:period_burn_rate:ratio")


def _periods(objectives: slos.Objectives) -> list[tuple[slos.Slo, slos.Period]]:
    return [(slo, slo.period) for slo in objectives.slos if slo.period is not None]


def _increase(series: str, part: slos.Period) -> str:
    level = "_".join(part.worst_of) or "cluster"
    return f"{level}:{series.partition('{')[0].removesuffix('_total')}:increase{_STEP}"


def _share(slo: slos.Slo, part: slos.Period, length: str, objectives: slos.Objectives) -> Rule:
    """Bad seconds ÷ all seconds."""

    def seconds(series: str) -> str:
        name = _increase(series, part)
        return name if length == _STEP else f"sum_over_time({name}[{length}])"

    total = " + ".join(map(seconds, part.all))
    ratio = f"{seconds(part.bad)} / (({total}) > 0)"
    if part.worst_of:
        ratio = f"max without ({', '.join(part.worst_of)}) ({ratio})"
    return _record(f"slo:sli_error:ratio_rate{length}", ratio, _labels(slo, objectives))


def _labels(slo: slos.Slo, objectives: slos.Objectives) -> dict[str, str]:
    return {"slo": slo.slo, "service": objectives.service}


def _record(name: str, expression: str, labels: dict[str, str] | None = None) -> Rule:
    rule: Rule = {"record": name, "expr": expression}
    return rule | ({"labels": labels} if labels else {})
