"""PromQL for panels. Replicas see the same cluster: their series are merged by the worse one and never added.

Every selector asks for the chosen `$cluster` and `$namespace`. The namespace is the exporter's; where a family has a
label `namespace` of its own (a guest's), Prometheus keeps that one and the choice does not apply.
"""

from typing import Final

from dashboards.src import meanings

PREFIX: Final = "kubevirt_upgrade_"
CLUSTER: Final = 'cluster="$cluster"'
CHOSEN: Final = f'{CLUSTER}, namespace=~"$namespace"'
RANGE: Final = "[$__rate_interval]"


def series(family: str, matchers: str = "", *, chosen: str = CHOSEN) -> str:
    """A selector of one of our families, or of a recording rule or standard metric if it has a colon or `process_`."""
    name = family if ":" in family or family.startswith("process_") else PREFIX + family
    return f"{name}{{{chosen}{', ' if matchers else ''}{matchers}}}"


def worst(family: str, matchers: str = "", *, without: str = "", chosen: str = CHOSEN, over: str = "{}") -> str:
    """The highest value among replicas, and among the labels `without`; `over` says what of the selector, `{}`."""
    labels = f", {without}" if without else ""
    return f"max without (pod, instance{labels}) ({over.replace('{}', series(family, matchers, chosen=chosen))})"


def worst_rate(family: str, matchers: str = "", *, function: str = "rate") -> str:
    """How fast a counter grows, at the replica where it grows fastest."""
    return worst(family, matchers, over=f"{function}({{}}{RANGE})")


def total(expression: str, *labels: str) -> str:
    """The sum over some labels of what is merged over replicas already."""
    return f"sum without ({', '.join(labels)}) ({expression})"


def columns(expression: str, *labels: str) -> str:
    """Only these labels, for a table: those of the target are of no interest there."""
    return f"max by ({', '.join(labels)}) ({expression})"


def without_group(expression: str, label: str) -> str:
    """Names of resources without the API group at their end, for narrow columns."""
    return f'label_replace({expression}, "{label}", "$1", "{label}", "([^.]+).*")'


def code(family: str, label: str, states: meanings.States) -> str:
    """A state-set as one number for each of its other labels; see `meanings`."""
    coded = (
        f'{state.code} * ({series(family, f"""{label}="{name}" """.strip())} == 1)' for name, state in states.items()
    )
    return f"max without (pod, instance, {label}) ({' or '.join(coded)})"


def ranked(family: str, by: str, label: str, states: meanings.States) -> str:
    """Where a family counts something, the state that its label says as a number; the highest for each label `by`."""
    coded = (
        f'{state.code} * clamp_max({worst(family, f"""{label}="{name}" """.strip())} > 0, 1)'
        for name, state in states.items()
    )
    return columns(" or ".join(coded), by)


def quantile(share: float, histogram: str) -> str:
    """Of a histogram, at each of its labels; where replicas differ, by the one that saw more."""
    return f"histogram_quantile({share}, {worst_rate(f'{histogram}_bucket')})"


_SESSION: Final = "from_version, to_version, kind"
INFO: Final = worst("session_info")


def target(expression: str, label: str = "version") -> str:
    """What is at the target of the session, by a label that is a version."""
    return f"(({expression}) and ignoring ({_SESSION}) {_renamed('to_version', label)}) > 0"


def origin(expression: str, label: str = "version") -> str:
    """What is where the session began; everything, if there has been none."""
    return (
        f"(({expression}) and ignoring ({_SESSION}) {_renamed('from_version', label)}"
        f" or ({expression}) unless ignoring ({_SESSION}, {label}) {INFO}) > 0"
    )


def elsewhere(expression: str, label: str = "version") -> str:
    """What is at neither."""
    return (
        f"(({expression}) and ignoring ({_SESSION}, {label}) {INFO} unless ignoring ({_SESSION})"
        f" ({_renamed('to_version', label)} or {_renamed('from_version', label)})) > 0"
    )


def _renamed(version: str, label: str) -> str:
    return f'label_replace({INFO}, "{label}", "$1", "{version}", "(.+)")'


RESTING: Final = (
    f"{worst('kubevirt_info')} unless ignoring ({_SESSION}, observed_version, target_version, operator_version) {INFO}"
)
"""KubeVirt's versions where no session is known."""
START: Final = worst("session_start_timestamp_seconds")
END: Final = worst("session_end_timestamp_seconds")
PROGRESS: Final = worst("session_progress_ratio")
DONE: Final = worst("session_observed_completion_timestamp_seconds")
UNDER_WAY: Final = f"{worst('in_progress')} == 1"
DURATION: Final = f"({END} or ({UNDER_WAY}) * time()) - {START}"
EXPECTED: Final = f"time() + (time() - {START}) * (1 - {PROGRESS}) / ({PROGRESS} > 0.05) and {UNDER_WAY} unless {DONE}"
"""When the control plane will be done if it goes on as it went so far."""
VERDICT: Final = (
    f"{code('session_verdict', 'verdict', meanings.VERDICT)}"
    f" or {code('session_verdict_so_far', 'verdict', meanings.VERDICT_SO_FAR)}"
)
