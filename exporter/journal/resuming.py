"""Going on with an earlier process's work: its last state into our fold, its finished sessions into our memory.

A state may be damaged, or of another release. It is tried on a fold of its own first, since a fold that failed to
restore is of no use; what cannot be read is told, and the fold begins anew.
"""

import collections
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from exporter.fold import Fold
from exporter.journal import state
from exporter.journal.objects import Stored
from exporter.model.report import Report
from exporter.report import encode
from exporter.report.inheritance import same_session

_DAMAGED: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading any JSON in place of a snapshot may raise."""
AHEAD: Final = 300.0
"""Seconds by which the clock of the process before may have been ahead of ours."""

Trial = Callable[[], Fold]
"""Makes a fold like ours."""


class Unusable(Exception):
    """A state that we cannot go on from; the message says why."""


class Resumed(NamedTuple):
    """How we begin."""

    name: str
    """Of the UpgradeReport whose state we go on from; empty where we begin anew."""
    state: str
    reports: tuple[Report, ...]
    """All sessions that are known so far, oldest first."""
    troubles: tuple[tuple[str, str], ...]
    """Names of UpgradeReports that could not be read, and why."""


def tried(text: str, trial: Trial, *, now: float) -> Fold:
    """A fold that goes on from this state. Raises Unusable."""
    fold = trial()
    try:
        fold.restore(state.decode(text))
        encode.as_json(fold.reports(fold.last))
        fold.snapshot()
        for source in fold.sources():
            collections.deque(source.samples(fold.last), maxlen=0)
    except _DAMAGED as error:
        raise Unusable(f"{type(error).__name__}: {error}"[:300]) from error
    if fold.last > now + AHEAD:
        raise Unusable(f"it is of a moment {fold.last - now:.0f} s from now, and time would stand still until then")
    return fold


def resume(stored: Sequence[Stored], fold: Fold, trial: Trial, *, now: float) -> Resumed:
    """Restore the fold, which has taken no change in yet, from the latest state that can be read."""
    troubles = [(each.name, each.trouble) for each in stored if each.trouble]
    usable: list[tuple[float, Stored, Fold]] = []
    for each in stored:
        if each.state:
            try:
                restored = tried(each.state, trial, now=now)
            except Unusable as error:
                troubles.append((each.name, str(error)))
            else:
                usable.append((restored.last, each, restored))
    reports = sorted((each.report for each in stored if each.report is not None), key=lambda r: r.started_at)
    if not usable:
        # The last one may still be under way: our fold will find it, and the keeper bring the two together.
        past = [report for report in reports if report.phase.over or report is not reports[-1]]
        fold.remember(past)
        return Resumed("", "", tuple(past), tuple(troubles))
    last, source, restored = max(usable, key=lambda entry: entry[0])
    current = restored.current(last)
    known = None if current is None else next((r for r in reversed(reports) if same_session(r, current)), None)
    fold.restore(state.decode(source.state), past=tuple(report for report in reports if report is not known))
    if known is not None:
        fold.inherit(known)
    return Resumed(source.name, source.state, tuple(fold.reports(last)), tuple(troubles))
