"""Waits for the session under way to be over, and tells how far it is."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from exporter import errors
from exporter.verify import questions, sessions
from exporter.verify.prometheus import Prometheus, QueryRefused
from exporter.verify.sessions import Found

POLL: Final = 15.0
"""Seconds between questions; Prometheus learns nothing faster."""
_LOOKBACK: Final = 3600.0
_PHASE: Final = "max without (pod, instance) (kubevirt_upgrade_phase) == 1"
_PROGRESS: Final = "max without (pod, instance) (kubevirt_upgrade_session_progress_ratio)"


async def wait(
    prometheus: Prometheus,
    *,
    deadline: float,
    labels: Mapping[str, str],
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    tell: Callable[[str], None],
) -> Found | None:
    """The session that was under way, or began, and is now over; None where there is none by the deadline.

    `deadline` and `now()` are Unix seconds. One that was over before we began is not waited for: it is another one.
    A server that is away for a while is waited for, too. Raises UsageError as `sessions.find` does.
    """
    began = now()
    said = ""
    while True:
        try:
            found, _ = await sessions.find(
                prometheus, until=now(), lookback=max(_LOOKBACK, now() - began + _LOOKBACK), labels=labels
            )
            last = found[-1] if found else None
            if last is not None and last.ended is not None and last.ended >= began:
                return last
            text = await _standing(prometheus, last, labels, now())
        except (errors.UnreadableError, QueryRefused) as error:
            text = str(error)
        if text != said:
            tell(text)
            said = text
        if now() + POLL > deadline:
            return None
        await sleep(POLL)


async def _standing(prometheus: Prometheus, last: Found | None, labels: Mapping[str, str], at: float) -> str:
    if last is None or last.ended is not None:
        return "no session is under way; waiting for one to begin"
    phases = await prometheus.instant(questions.narrowed(_PHASE, labels), at=at)
    progress = await prometheus.instant(questions.narrowed(_PROGRESS, labels), at=at)
    phase = phases.series[0].labels.get("phase", "?").replace("_", " ") if phases.series else "?"
    ratio = f"{progress.series[0].value:.0%}" if progress.series else "?"
    return f"{last.from_version} to {last.to_version}: {phase}, control plane {ratio}"
