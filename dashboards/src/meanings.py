"""What colours mean, and the numbers that stand for states: the same on every dashboard.

Grafana colours numbers, not labels. So a state-set is asked for as one number (`promql.code`), and a mapping turns it
back into words with a colour. Of two replicas that differ for a moment the higher number is shown: the worse, or the
later. All numbers differ, so that one mapping serves panels with states of several kinds.
"""

from typing import Final, NamedTuple

from grafana_foundation_sdk.models import dashboard

GOOD: Final = "green"
"""At the target, done, passed, working."""
NEARLY: Final = "light-green"
"""At the target and not ready yet; waiting whether it stays good."""
MOVING: Final = "blue"
"""Under way."""
RESTING: Final = "#8e8e8e"
"""Not begun, old, nothing to do."""
ATTENTION: Final = "orange"
"""Will not get well by itself, or is about to turn bad."""
BAD: Final = "red"
"""Lost, failed, interrupted, exhausted."""
UNKNOWN: Final = "purple"
"""Not known: neither good nor bad."""
PLAIN: Final = "text"
"""A number that is neither good nor bad."""

# What is neither good nor bad and has to be told apart: hues that mean nothing. By the beginning of a series' name.
OBJECTIVE_HUES: Final = {"api_availability": "#45b8d8", "vmi_continuity": "#f48fb1", "rollout": "#e0c040"}
PROBE_HUES: Final = {
    "apiserver": "#8d6e63",
    "subresource": "#45b8d8",
    "vm-list": "#f48fb1",
    "vm-dry-run": "#e0c040",
    "discovery": "#5c6bc0",
}


class State(NamedTuple):
    """One state of a state-set: its number, and how it is shown."""

    code: int
    text: str
    colour: str


States = dict[str, State]

PHASES: Final[States] = {
    "idle": State(5, "no upgrade", RESTING),
    "preparing": State(6, "preparing", MOVING),
    "control_plane": State(7, "control plane", MOVING),
    "workloads": State(8, "guests", MOVING),
    "settling": State(9, "settling", NEARLY),
}
COMPONENTS: Final[States] = {
    "done": State(11, "done", GOOD),
    "pending": State(12, "pending", RESTING),
    "rolling": State(13, "rolling", MOVING),
    "stalled": State(14, "stalled", BAD),
}
VERDICT_SO_FAR: Final[States] = {
    "passed": State(21, "passed so far", NEARLY),
    "inconclusive": State(22, "cannot tell so far", UNKNOWN),
    "failed": State(23, "failed", BAD),
}
VERDICT: Final[States] = {
    "passed": State(24, "passed", GOOD),
    "inconclusive": State(25, "inconclusive", UNKNOWN),
    "failed": State(26, "failed", BAD),
}
OBJECTIVES: Final[States] = {
    "met": State(31, "met", GOOD),
    "unknown": State(32, "unknown", UNKNOWN),
    "at_risk": State(33, "at risk", ATTENTION),
    "exhausted": State(34, "exhausted", BAD),
}
RESOURCES: Final[States] = {
    "synced": State(41, "synced", GOOD),
    "absent": State(42, "absent", RESTING),
    "unknown": State(43, "not listed yet", UNKNOWN),
    "interrupted": State(44, "watch cut", ATTENTION),
    "forbidden": State(45, "forbidden", BAD),
}
MANIFESTS: Final[States] = {
    "accepted": State(51, "accepted", GOOD),
    "not_permitted": State(52, "not permitted", UNKNOWN),
    "no_answer": State(53, "no answer", UNKNOWN),
    "warned": State(54, "warned", ATTENTION),
    "pruned": State(55, "fields dropped", ATTENTION),
    "not_found": State(56, "not served", BAD),
    "refused_other": State(57, "refused", BAD),
    "refused_webhook": State(58, "refused by a webhook", BAD),
    "refused_schema": State(59, "refused by the schema", BAD),
}
STANDINGS: Final[States] = {
    "working": State(61, "working", GOOD),
    "unknown": State(62, "never worked yet", UNKNOWN),
    "not_permitted": State(63, "not permitted", UNKNOWN),
    "not_found": State(64, "not served", UNKNOWN),
}
YES_NO: Final[States] = {"no": State(0, "no", BAD), "yes": State(1, "yes", GOOD)}
ENDS: Final[States] = {
    "completed": State(71, "completed", GOOD),
    "superseded": State(72, "superseded", RESTING),
    "dropped": State(73, "dropped", RESTING),
    "closed": State(74, "closed by a person", RESTING),
}
SEVERITIES: Final[States] = {
    "info": State(91, "info", PLAIN),
    "warning": State(92, "warning", ATTENTION),
    "critical": State(93, "critical", BAD),
}
ANSWERS: Final[States] = {
    "yes": State(81, "yes", GOOD),
    "not_applicable": State(82, "does not apply", RESTING),
    "inconclusive": State(83, "cannot tell", UNKNOWN),
    "warning": State(84, "no (warning)", ATTENTION),
    "failed": State(85, "no", BAD),
}


def mapping(*kinds: States) -> dashboard.ValueMap:
    """Numbers to words and colours."""
    states = [state for kind in kinds for state in kind.values()]
    return dashboard.ValueMap(
        options={
            str(state.code): dashboard.ValueMappingResult(text=state.text, color=state.colour, index=index)
            for index, state in enumerate(states)
        }
    )
