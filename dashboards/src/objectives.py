"""Objectives over 28 days, what the last upgrades used of theirs, and how they ended."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder

from dashboards.src import frame, meanings, panels, promql, verification
from dashboards.src.panels import About, Query
from dashboards.src.promql import columns, series, worst

UID: Final = "kubevirt-upgrade-objectives"
_NO_RULES: Final = "no data: are the recording rules loaded?"
_PROJECTED: Final = 'slo=~"api_availability|rollout"'
_SESSION: Final = ("from_version", "to_version", "kind")


def dashboard() -> builder.Dashboard:
    """Build it."""
    return frame.board(
        UID,
        "KubeVirt upgrade: objectives and verification",
        """Objectives of all the time (28 days, by the recording rules that come with the exporter), objectives of each
        upgrade, and the verdicts on the last upgrades.""",
        (5, ((8, _left()), (8, _objective()), (8, _burn_now()))),
        (8, ((12, _burn()), (12, _remaining()))),
        (8, ((17, _sessions()), (7, _used()))),
        (7, ((12, _states()), (12, _projected()))),
        (24, ((24, _verification()),)),
        since="now-28d",
        refresh="5m",
    )


def _left() -> panels.Builder:
    return panels.bars(
        About(
            "Budget left of 28 days", "What is left of the objective's budget of bad seconds.", "percentunit", _NO_RULES
        ),
        Query(series("slo:period_error_budget_remaining:ratio"), "{{slo}}"),
        steps=((-1e9, meanings.BAD), (0.0001, meanings.ATTENTION), (0.25, meanings.GOOD)),
        highest=1,
    )


def _objective() -> panels.Builder:
    return panels.number(
        About(
            "Measured over 28 days, and objective",
            "Share of good seconds, and what is to be reached at least.",
            "percentunit",
            _NO_RULES,
        ),
        Query(f"1 - {series('slo:sli_error:ratio_rate28d')}", "{{slo}}"),
        Query(series("slo:objective:ratio"), "{{slo}}: objective"),
        named=True,
        size=22,
        decimals=3,
    )


def _burn_now() -> panels.Builder:
    return panels.bars(
        About(
            "Burn rate, last hour",
            "1: at this rate the budget lasts exactly 28 days. An alert comes above 13.44 for an hour, upgrades apart.",
            "short",
            _NO_RULES,
        ),
        Query(f"{series('slo:sli_error:ratio_rate1h')} / {series('slo:error_budget:ratio')}", "{{slo}}"),
        steps=((0, meanings.GOOD), (1, meanings.ATTENTION), (13.44, meanings.BAD)),
        highest=13.44,
    )


def _burn() -> panels.Builder:
    def rate(window: str) -> Query:
        expr = f"{series(f'slo:sli_error:ratio_rate{window}')} / {series('slo:error_budget:ratio')}"
        return Query(expr, f"{{{{slo}}}}, {window}")

    return panels.lines(
        About(
            "Burn rates", "How fast the budget of 28 days goes, over windows of different length.", "short", _NO_RULES
        ),
        *(rate(window) for window in ("1h", "1d")),
        hues=meanings.OBJECTIVE_HUES,
    )


def _remaining() -> panels.Builder:
    return panels.lines(
        About("Budget left", "Of 28 days, over time. Below 0 the objective is missed.", "percentunit", _NO_RULES),
        Query(series("slo:period_error_budget_remaining:ratio"), "{{slo}}"),
        lowest=None,
        highest=1,
        hues=meanings.OBJECTIVE_HUES,
    )


def _sessions() -> panels.Builder:
    """A session is told from others by its versions and kind, and by the moment at which it began."""

    def of_each(expression: str, function: str = "last_over_time") -> str:
        joined = f"({expression}) * ignoring ({', '.join(_SESSION)}) group_right () ({promql.INFO})"
        return columns(f"{function}(({joined})[$__range:1m])", *_SESSION)

    return panels.rows(
        About(
            "Last upgrades",
            """Upgrades in the chosen time, as the metrics tell them; of several between the same versions the last.
            `kubectl get upgradereports -A` has them all.""",
            "none",
        ),
        {"from_version": "from", "to_version": "to", "kind": "kind"},
        Query(f"1000 * {of_each(promql.START)}", "began", unit=panels.DATE),
        Query(of_each(promql.DURATION), "took", unit=panels.CLOCK),
        Query(of_each(promql.VERDICT), "verdict", mapping=(meanings.VERDICT, meanings.VERDICT_SO_FAR)),
        Query(
            of_each(promql.total(worst("session_vmi_interruptions"), "reason")),
            "interrupted",
            unit="short",
            steps=panels.ALARM,
        ),
        Query(
            of_each(worst("session_api_disruption_seconds", 'probe!="apiserver-readyz"', without="probe, connection")),
            "API bad for",
            unit="s",
            steps=panels.DISRUPTION,
        ),
        Query(of_each(promql.code("session_end", "end", meanings.ENDS)), "end", mapping=(meanings.ENDS,)),
        sort="began",
        descending=True,
    )


def _verification() -> panels.Builder:
    return panels.rows(
        About(
            "Verification of the last upgrade",
            """The questions of `verify`, as of the end of the chosen time and over it: choose the time of the upgrade.
            What could not be seen is not a yes.""",
            "none",
        ),
        {"group": "about", "question": "question"},
        Query(verification.query(), "answer", mapping=(meanings.ANSWERS,)),
        sort="answer",
        descending=True,
    )


def _used() -> panels.Builder:
    return panels.bars(
        About(
            "Budgets of the last upgrade",
            "Share of each objective's budget that is gone. No bar: not measured.",
            "percentunit",
        ),
        Query(worst("session_slo_budget_consumed_ratio"), "{{slo}}"),
        steps=panels.BUDGET,
        highest=1,
    )


def _states() -> panels.Builder:
    return panels.timeline(
        About(
            "Objectives of upgrades",
            "At risk: more than three quarters of the budget are gone. Exhausted stays so.",
            "none",
        ),
        Query(promql.code("session_slo_state", "state", meanings.OBJECTIVES), "{{slo}}"),
        states=[meanings.OBJECTIVES],
    )


def _projected() -> panels.Builder:
    return panels.lines(
        About(
            "Budgets used, and projected to the end",
            "The projection divides what is used by the progress. It exists while an upgrade is under way.",
            "percentunit",
            _NO_RULES,
        ),
        Query(
            series("slo:kubevirt_upgrade_session_budget_consumed:max", _PROJECTED),
            "{{slo}}",
        ),
        Query(
            series("slo:kubevirt_upgrade_session_budget_projected:ratio"),
            "{{slo}}, projected",
            dashed=True,
        ),
        hues=meanings.OBJECTIVE_HUES,
    )
