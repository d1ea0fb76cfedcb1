"""What a check found: one statement with a state, and how states add up to an answer.

The same for `preflight` and `verify`. How a finding is shown is for `exporter.cli`.
"""

import enum
from collections.abc import Iterable
from typing import Final

import msgspec


class State(enum.StrEnum):
    """Of a finding, the best first. Not being able to check is a finding, too."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """0 is the best."""
        return _RANKS[self]


_RANKS: Final = {state: rank for rank, state in enumerate(State)}


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One statement of a check."""

    check: str
    """The check's name, which is also that of its page in the documentation."""
    state: State
    summary: str
    """One sentence."""
    details: tuple[str, ...] = ()
    """One line each: which objects, what to do."""
    accepted: bool = False
    """The user has said that this check's findings shall not decide."""


class Answer(enum.StrEnum):
    """What all findings together say."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot tell"


def worst(findings: Iterable[Finding]) -> State:
    """The worst state; pass where there is no finding."""
    return max((finding.state for finding in findings), key=lambda state: state.rank, default=State.PASS)


def answer(findings: Iterable[Finding]) -> Answer:
    """No where something failed, else cannot tell where something could not be checked, else yes."""
    match worst(finding for finding in findings if not finding.accepted):
        case State.FAIL:
            return Answer.NO
        case State.UNKNOWN:
            return Answer.CANNOT_TELL
        case State.PASS | State.WARN:
            return Answer.YES
