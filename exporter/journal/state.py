"""What a restart needs, as a text of bounded length. Pure.

The text is the fold's snapshot as JSON. Each concern bounds its own part; where all together are still too long for an
object of the API, the least important parts go, one after the other, and what went is told.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

LIMIT: Final = 256 * 1024
"""Bytes of the text inside an object, where each quotation mark takes two."""

_LARGEST: Final = 2**32
"""No count, no hash and no moment of ours is larger: what is, a person has written."""
_EMPTY: Final[Mapping[str, object]] = {
    "concerns.migrations.sources": {},
    "concerns.rollout.nodes": {},
    "tracker.guests.failures": {},
    "concerns.continuity.nodes_lost": {},
    "tracker.migrations.unfinished": [],
    "tracker.migrations.new": None,
    "concerns.continuity.down": {},
    "concerns.continuity.asked": [],
    "concerns.continuity.idle": None,
}
"""What may go, the least important first, and what is put in its place. After a restart each costs an explanation or a
count, and the last one that losses in the blind time are not looked for."""
_CASES: Final = "concerns.continuity.cases"
"""Losses that are being judged. Where even they are too many, the rest is counted as losses that nobody can explain."""
_ACCOUNT: Final = "concerns.continuity.ledger.account"


class Text(NamedTuple):
    """The state as it is stored."""

    text: str
    size: int
    """Bytes inside an object."""
    dropped: tuple[str, ...]
    """Parts that went."""


def encode(snapshot: dict[str, Any], *, limit: int = LIMIT) -> Text:
    """The text of a snapshot, at most `limit` bytes long as far as parts may go."""
    whole = _text(snapshot, ())
    if whole.size <= limit:
        return whole
    left: dict[str, Any] = msgspec.json.decode(whole.text)
    dropped: list[str] = []
    shorter = whole
    for path, empty in _EMPTY.items():
        part, last = _find(left, path)
        if part.get(last):
            part[last] = empty
            dropped.append(path)
            if (shorter := _text(left, dropped)).size <= limit:
                return shorter
    cases, account = _find(left, _CASES)[0], _find(left, _ACCOUNT)[0].get("account")
    while shorter.size > limit and (kept := cases.get("cases")):
        cases["cases"] = kept[: len(kept) * 4 // 5]
        if account is not None:
            account["unattributed"] += len(kept) - len(cases["cases"])
        shorter = _text(left, [*dropped, _CASES])
    return shorter


def decode(text: str) -> dict[str, Any]:
    """The snapshot. Raises ValueError: the text is none. RecursionError: it is too deep to be one."""
    snapshot: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    if not _plausible(snapshot):
        raise ValueError("a number that is neither a count of ours nor a moment of ours")
    return snapshot


def _plausible(value: object) -> bool:
    match value:
        case dict():
            return all(map(_plausible, value.values()))
        case list():
            return all(map(_plausible, value))
        case int() | float():
            return abs(value) <= _LARGEST
        case _:
            return True


def _text(snapshot: Mapping[str, Any], dropped: Sequence[str]) -> Text:
    text = msgspec.json.encode(snapshot).decode()
    return Text(text, len(msgspec.json.encode(text)), tuple(dropped))


def _find(snapshot: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """What holds the part, and the part's name there."""
    *above, last = path.split(".")
    part: Any = snapshot
    for name in above:
        part = part.get(name, {})
    return part, last
