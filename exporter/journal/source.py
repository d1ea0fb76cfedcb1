"""Metrics of the journal: are sessions being written down, by whom, and could what was written be read."""

import enum
from collections import Counter
from collections.abc import Iterator
from typing import Final

from exporter.model.families import Family, Kind, Sample


class Standing(enum.StrEnum):
    """How we stand with the reports."""

    STARTING = "starting"
    WRITING = "writing"
    STANDBY = "standby"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    FAILING = "failing"


class Outcome(enum.StrEnum):
    """Of an attempt to write."""

    WRITTEN = "written"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    FAILED = "failed"


STANDING: Final = Family(
    name="exporter_journal_standing", kind=Kind.STATESET, labels=("standing",), states=tuple(Standing),
    help="How we stand with the UpgradeReports: not read yet (starting), we write them (writing), another replica does"
    " (standby), we may not (forbidden), the cluster does not know them (absent), or requests fail (failing).",
)  # fmt: skip
HOLDER: Final = Family(
    name="exporter_journal_holder", kind=Kind.GAUGE,
    help="1 while this replica holds the Lease and so writes the UpgradeReports, else 0.",
)  # fmt: skip
WRITES: Final = Family(
    name="exporter_journal_writes", kind=Kind.COUNTER, labels=("outcome",),
    help="Attempts to write an UpgradeReport. A conflict means that somebody else has written, and is tried again.",
)  # fmt: skip
LAST_WRITE: Final = Family(
    name="exporter_journal_last_write_timestamp_seconds", kind=Kind.GAUGE,
    help="When this replica last wrote an UpgradeReport.",
)  # fmt: skip
STATE_BYTES: Final = Family(
    name="exporter_journal_state_bytes", kind=Kind.GAUGE,
    help="Length of the state that was last written, which a restart goes on from; at most 262144.",
)  # fmt: skip
STATE_DROPPED: Final = Family(
    name="exporter_journal_state_dropped_parts", kind=Kind.GAUGE,
    help="Parts that were left out of this state because it was too long: a restart now would know less.",
)  # fmt: skip
RESUMED: Final = Family(
    name="exporter_journal_resumed", kind=Kind.GAUGE,
    help="1 where this process went on with what an earlier one had written, 0 where it began anew.",
)  # fmt: skip
UNREADABLE: Final = Family(
    name="exporter_journal_unreadable", kind=Kind.COUNTER,
    help="States and UpgradeReports that could not be read and were set aside; the log says why.",
)  # fmt: skip

FAMILIES: Final = (STANDING, HOLDER, WRITES, LAST_WRITE, STATE_BYTES, STATE_DROPPED, RESUMED, UNREADABLE)


class JournalSource:
    """The source of this module's families; the journal keeps it up to date."""

    name = "journal"
    families = FAMILIES

    def __init__(self) -> None:
        self.standing = Standing.STARTING
        self.holder = False
        self.writes: Counter[Outcome] = Counter()
        self.last_write: float | None = None
        self.state_bytes: int | None = None
        self.dropped = 0
        self.resumed: bool | None = None
        """None until the reports have been read, or given up."""
        self.unreadable = 0

    def samples(self, now: float) -> Iterator[Sample]:
        """What is true now."""
        yield from STANDING.state(self.standing)
        yield HOLDER(self.holder)
        yield from WRITES.counts({outcome: float(count) for outcome, count in self.writes.items()}, initial=Outcome)
        if self.last_write is not None:
            yield LAST_WRITE(self.last_write)
        if self.state_bytes is not None:
            yield STATE_BYTES(self.state_bytes)
            yield STATE_DROPPED(self.dropped)
        if self.resumed is not None:
            yield RESUMED(self.resumed)
        yield UNREADABLE(self.unreadable)
