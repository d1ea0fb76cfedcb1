"""What has become of the configuration since it was backed up, but for what KubeVirt itself rewrites."""

from collections.abc import Collection, Iterator
from typing import Final

from exporter.model.findings import Finding, State
from exporter.recording import backup, manifests
from exporter.recording.backup import Collected, Entry, Saved

CHECKS: Final = ("backup-whole", "backup-kept", "backup-same-object", "backup-unchanged")
NAMED: Final = 20
"""Objects named in one finding; the rest is counted."""
LINES: Final = 40
"""Of a diff that are shown."""


def compare(saved: Saved, now: Collected, *, accept: Collection[str] = ()) -> Iterator[Finding]:
    """Findings of each of `CHECKS`: is the backup whole, is each object there, is it the same one, is it unchanged."""
    for check, state, summary, details in _compared(saved, now):
        yield Finding(check=check, state=state, summary=summary, details=tuple(details), accepted=check in accept)


def _compared(saved: Saved, now: Collected) -> Iterator[tuple[str, State, str, list[str]]]:
    unread = {**saved.header.unread, **now.unread}
    blind = [f"{resource}: {why}" for resource, why in sorted(unread.items())]
    if saved.damaged or blind:
        yield "backup-whole", State.UNKNOWN, "not everything can be compared", [*_some(list(saved.damaged)), *blind]
    else:
        count = len(saved.entries)
        yield "backup-whole", State.PASS, f"{count} objects of {saved.header.at} are as they were written", []
    known = [entry for entry in saved.entries if entry.resource not in now.unread]
    there = [entry for entry in known if entry.key in now.objects]
    gone = backup.names(entry.key for entry in known if entry.key not in now.objects)
    if gone:
        yield "backup-kept", State.FAIL, f"{len(gone)} of {len(known)} objects are gone", _some(gone)
    else:
        yield "backup-kept", State.PASS, f"all of {len(known)} objects are there", []
    others = backup.names(entry.key for entry in there if _uid(now, entry) != entry.uid)
    if others:
        yield "backup-same-object", State.WARN, f"{len(others)} objects were deleted and made again", _some(others)
    else:
        yield "backup-same-object", State.PASS, "every object is the same one", []
    yield from _changed(saved, now, there)


def _changed(saved: Saved, now: Collected, there: list[Entry]) -> Iterator[tuple[str, State, str, list[str]]]:
    changed = 0
    for entry in there:
        before = saved.manifests.get(entry.key)
        if before is None:
            continue  # damaged, and said to be so
        after = manifests.clean(now.objects[entry.key])
        if set(manifests.boot_data(before)) <= set(entry.left_out):
            manifests.without_boot_data(after)  # none was saved, so none is shown
        lines = manifests.difference(before, after)
        if not lines:
            continue
        changed += 1
        if changed <= NAMED:
            more = [f"... and {len(lines) - LINES} lines more"] if len(lines) > LINES else []
            [name] = backup.names([entry.key])
            yield "backup-unchanged", State.WARN, f"{name} was changed", [*lines[:LINES], *more]
    if changed > NAMED:
        yield "backup-unchanged", State.WARN, f"{changed - NAMED} more objects were changed", []
    if not changed:
        yield "backup-unchanged", State.PASS, "nothing was changed but by KubeVirt itself", []


def _uid(now: Collected, entry: Entry) -> str:
    return str(now.objects[entry.key]["metadata"].get("uid", ""))


def _some(names: list[str]) -> list[str]:
    more = [f"... and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return [*names[:NAMED], *more]
