"""Changes of one object that no API server and no controller makes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from exporter.sim.refusals import JSON
from exporter.sim.rules import Impossible
from exporter.sim.store import Change, Event, Key, Store

Rule = Callable[[JSON, JSON], list[str]]

_PHASES = {
    "Pod": ("Pending", "Running", "Succeeded", "Failed"),
    "VirtualMachineInstance": ("", "Pending", "Scheduling", "Scheduled", "Running", "Succeeded", "Failed"),
    "VirtualMachineInstanceMigration": (
        "", "Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Succeeded", "Failed",
    ),
}  # fmt: skip
_FINAL = {"Succeeded", "Failed"}


def check(old: JSON, new: JSON) -> list[str]:
    """What is wrong with a change from `old` to `new`, in words."""
    return [problem for rule in RULES for problem in rule(old, new)]


def identity_stays(old: JSON, new: JSON) -> list[str]:
    """Uid and creation time never change."""
    return [
        f"{name} changed from {old['metadata'][name]} to {new['metadata'][name]}"
        for name in ("uid", "creationTimestamp") if old["metadata"][name] != new["metadata"][name]
    ]  # fmt: skip


def version_grows(old: JSON, new: JSON) -> list[str]:
    """Every change has a newer version."""
    before, after = int(old["metadata"]["resourceVersion"]), int(new["metadata"]["resourceVersion"])
    return [] if after > before else [f"version went from {before} to {after}"]


def generation_follows_the_spec(old: JSON, new: JSON) -> list[str]:
    """A generation grows by one with the spec, and never otherwise shrinks."""
    before, after = old["metadata"].get("generation"), new["metadata"].get("generation")
    if before is None or after is None:
        return []
    if after not in {before, before + 1}:
        return [f"generation went from {before} to {after}"]
    if old.get("spec") != new.get("spec") and after == before:
        return ["the spec changed, and the generation did not"]
    return []


def phases_go_forward(old: JSON, new: JSON) -> list[str]:
    """No phase is left for an earlier one, and a final one is not left at all."""
    order = _PHASES.get(new.get("kind", ""))
    if order is None:
        return []
    before = (old.get("status") or {}).get("phase", "")
    after = (new.get("status") or {}).get("phase", "")
    backwards = before in order and after in order and order.index(after) < order.index(before)
    return [f"phase went from {before} to {after}"] if backwards or (before in _FINAL and after != before) else []


def deletion_is_final(old: JSON, new: JSON) -> list[str]:
    """What is being deleted stays so."""
    undone = old["metadata"].get("deletionTimestamp") and not new["metadata"].get("deletionTimestamp")
    return ["a deletion was taken back"] if undone else []


def stored_versions_only_grow(old: JSON, new: JSON) -> list[str]:
    """Nobody but a storage migration, which KubeVirt does not have, takes a stored version away."""
    before = set((old.get("status") or {}).get("storedVersions") or ())
    after = set((new.get("status") or {}).get("storedVersions") or ())
    return [] if before <= after else [f"stored versions {sorted(before - after)} were dropped"]


RULES: tuple[Rule, ...] = (
    identity_stays,
    version_grows,
    generation_follows_the_spec,
    phases_go_forward,
    deletion_is_final,
    stored_versions_only_grow,
)


class Guard:
    """Reads every change of a store and refuses the impossible ones, by raising in the middle of the write."""

    def __init__(self, store: Store) -> None:
        self._known: dict[tuple[str, Key], JSON] = {}
        store.subscribe(self._see)

    def _see(self, event: Event) -> None:
        where = (event.resource, event.key)
        new: JSON = msgspec.json.decode(event.raw)
        old = self._known.pop(where, None)
        if event.change is not Change.DELETED:
            self._known[where] = new
        if old is not None and event.change is Change.MODIFIED and (problems := check(old, new)):
            raise Impossible([f"{event.resource} {'/'.join(event.key)}: {problem}" for problem in problems])
