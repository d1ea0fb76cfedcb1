"""Session: is an upgrade on, from what to what, since when, how did it end, and was it a supported step."""

from collections.abc import Iterator
from typing import Any

from exporter.model import resources, schedule, versions
from exporter.model.changes import Change
from exporter.model.families import Family, Kind, Sample
from exporter.model.report import Phase, SessionKind
from exporter.tracker.sessions import Began, Session as TrackedSession, Transition
from exporter.tracker.tracker import View

_PHASES = (Phase.IDLE, Phase.PREPARING, Phase.CONTROL_PLANE, Phase.WORKLOADS, Phase.SETTLING)
_ENDS = (Phase.COMPLETED, Phase.SUPERSEDED, Phase.DROPPED, Phase.CLOSED)

IN_PROGRESS = Family(name="in_progress", kind=Kind.GAUGE, help="1 while a session is under way, else 0.")
PHASE = Family(
    name="phase", kind=Kind.STATESET, labels=("phase",), states=_PHASES,
    help="Phase of the session; idle between sessions.",
)  # fmt: skip
INFO = Family(
    name="session", kind=Kind.INFO, labels=("from_version", "to_version", "kind"),
    help="The session under way, or the last one.",
)  # fmt: skip
STARTED = Family(name="session_start_timestamp_seconds", kind=Kind.GAUGE, help="When the session began.")
REPORTED = Family(
    name="session_reported_completion_timestamp_seconds", kind=Kind.GAUGE,
    help="When the KubeVirt CR said that the target is reached.",
)  # fmt: skip
OBSERVED = Family(
    name="session_observed_completion_timestamp_seconds", kind=Kind.GAUGE,
    help="When every component's pods were at the target and ready, none was old, and every leader was at the target.",
)  # fmt: skip
WORKLOADS = Family(
    name="session_workloads_completion_timestamp_seconds", kind=Kind.GAUGE,
    help="When no guest was left that waits for a new launcher.",
)  # fmt: skip
ENDED = Family(name="session_end_timestamp_seconds", kind=Kind.GAUGE, help="When the session ended.")
END = Family(
    name="session_end", kind=Kind.STATESET, labels=("end",), states=_ENDS,
    help="How the last session ended: completed, superseded by another target, dropped (virt-operator alone moved), or"
    " closed by a person.",
)  # fmt: skip
HOPS = Family(
    name="session_minor_hops", kind=Kind.GAUGE,
    help="Minor releases from the session's start to its target; negative backwards.",
)  # fmt: skip
SUPPORTED = Family(
    name="session_path_supported", kind=Kind.GAUGE,
    help="1 where KubeVirt supports the step (at most one minor release forwards), else 0.",
)  # fmt: skip
WINDOW = Family(
    name="session_in_maintenance_window", kind=Kind.GAUGE,
    help="1 where the session began in a maintenance window, else 0; absent where none is configured.",
)  # fmt: skip
SKEW = Family(
    name="operator_differs_from_target", kind=Kind.GAUGE,
    help="1 while the running virt-operator's version is not the version it is to install (spec.imageTag), else 0.",
)  # fmt: skip
SESSIONS = Family(name="sessions", kind=Kind.COUNTER, labels=("kind",), help="Sessions that began.")
RELAPSED = Family(
    name="session_relapsed", kind=Kind.GAUGE,
    help="1 where a component went back to something old after the rollout had been complete, else 0.",
)  # fmt: skip

FAMILIES = (
    IN_PROGRESS, PHASE, INFO, STARTED, REPORTED, OBSERVED, WORKLOADS, ENDED, END, HOPS, SUPPORTED, WINDOW, SKEW,
    SESSIONS, RELAPSED,
)  # fmt: skip


def supported(session: TrackedSession) -> bool | None:
    """KubeVirt supports N-1 to N and within a minor; rollbacks are not supported (reference §7). None: unreadable."""
    if session.kind is SessionKind.RECONFIGURE:
        return True
    hops = versions.minors_between(session.from_version, session.to_version)
    if hops is None:
        return None
    return session.kind is SessionKind.UPGRADE and hops <= 1


class Session:
    """The concern."""

    name = "session"
    families: tuple[Family, ...] = FAMILIES

    def __init__(self) -> None:
        self._began = dict.fromkeys(SessionKind, 0)

    def session(self, transition: Transition, view: View) -> None:
        """Count beginnings."""
        if isinstance(transition, Began):
            self._began[transition.session.kind] += 1

    def observe(self, change: Change, view: View) -> None:
        """Nothing: the tracker follows sessions."""

    def deadline(self) -> float | None:
        """None: the tracker has the session's deadlines."""
        return None

    def samples(self, now: float, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`; the last session's values stay until the next begins."""
        kubevirt = view.kubevirt
        if view.sync.known(resources.KUBEVIRTS) and view.sync.ready:
            yield IN_PROGRESS(view.active)
            yield from PHASE.state(view.session.phase if view.active and view.session is not None else Phase.IDLE)
        if kubevirt is not None and kubevirt.operator_version and kubevirt.target_version:
            yield SKEW(kubevirt.operator_version != kubevirt.target_version)
        yield from SESSIONS.counts({kind.value: n for kind, n in self._began.items()})
        session = view.session
        if session is None:
            return
        yield INFO(1, from_version=session.from_version, to_version=session.to_version, kind=session.kind)
        yield STARTED(session.started)
        yield RELAPSED(session.relapsed)
        for family, value in (
            (REPORTED, session.reported),
            (OBSERVED, session.observed),
            (WORKLOADS, session.workloads),
            (ENDED, session.ended),
        ):
            if value is not None:
                yield family(value)
        if session.over:
            yield from END.state(session.phase)
        hops = versions.minors_between(session.from_version, session.to_version)
        if hops is not None:
            yield HOPS(hops)
        if (fine := supported(session)) is not None:
            yield SUPPORTED(fine)
        window, seconds = view.settings.maintenance_window, view.settings.maintenance_window_length
        if window:
            yield WINDOW(schedule.contains(window, seconds=seconds, at=session.started))

    def snapshot(self) -> dict[str, Any]:
        """Nothing: process counters start at 0 again."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""
