"""Guests, their VMs, and which of them still run an old launcher.

Guests are grouped by launcher image and by whether they can migrate, so that a new launcher image makes thousands of
them outdated without touching each one.
"""

from collections import Counter
from typing import Any, NamedTuple

from exporter.model.changes import Delta
from exporter.model.objects import Migration, Vm, Vmi

STRANDED_AFTER_FAILURES = 5
"""Update migrations of one guest that may fail in a row before we say that it will not change by itself."""


_Group = tuple[str, str]
"""Launcher image, and why a guest cannot migrate, empty where it can."""


class Outdated(NamedTuple):
    """Running guests with an old launcher, by what will become of them."""

    waiting: int
    """They will be updated by KubeVirt."""
    stranded: dict[str, int]
    """They will not change by themselves: `not_migratable`, `no_update_method`, `migrations_failing`."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + sum(self.stranded.values())


class Guests:
    """VMs and VMIs by key."""

    def __init__(self) -> None:
        self.vms: dict[str, Vm] = {}
        self.vmis: dict[str, Vmi] = {}
        self.running = 0
        self._groups: Counter[_Group] = Counter()
        self._blank: dict[str, str] = {}
        """Last image of guests whose image is empty for the moment (a migration hands over)."""
        self._failures: dict[str, int] = {}
        self.not_migratable: Counter[str] = Counter()

    def vm(self, delta: Delta) -> None:
        """Take a VM's difference in."""
        match delta.old, delta.new:
            case _, Vm() as new:
                self.vms[new.key] = new
            case Vm() as old, None:
                self.vms.pop(old.key, None)
            case _:
                pass

    def vmi(self, delta: Delta) -> None:
        """Take a VMI's difference in."""
        old, new = delta.old, delta.new
        image, before, after = "", None, None
        if isinstance(old, Vmi):
            image = self.image(old)
            before = _group(old, image)
            self._blank.pop(old.key, None)
        if isinstance(new, Vmi):
            self.vmis[new.key] = new
            if not new.launcher_image and isinstance(old, Vmi) and old.uid == new.uid and image:
                self._blank[new.key] = image
            after = _group(new, self.image(new))
        elif isinstance(old, Vmi):
            self.vmis.pop(old.key, None)
            self._failures.pop(old.key, None)
        if before != after:
            self._count(before, -1)
            self._count(after, +1)

    def migration_finished(self, migration: Migration) -> None:
        """Repeated failures strand a guest."""
        if migration.phase == "Succeeded":
            self._failures.pop(migration.vmi_key, None)
        elif migration.trigger == "workload_update":
            self._failures[migration.vmi_key] = self._failures.get(migration.vmi_key, 0) + 1

    def image(self, vmi: Vmi) -> str:
        """Launcher image of a guest; empty where it was never known."""
        return vmi.launcher_image or self._blank.get(vmi.key, "")

    def _count(self, group: _Group | None, step: int) -> None:
        if group is None:
            return
        self.running += step
        self._groups[group] += step
        if not self._groups[group]:
            del self._groups[group]
        _, not_migratable = group
        if not_migratable:
            self.not_migratable[not_migratable] += step

    def images(self) -> Counter[str]:
        """Running guests by launcher image; empty for unknown."""
        images: Counter[str] = Counter()
        for (image, _), count in self._groups.items():
            images[image] += count
        return images

    def outdated(self, launcher_image: str, update_methods: tuple[str, ...]) -> Outdated | None:
        """Compare with the image virt-controller would start now; None where that is not known."""
        if not launcher_image:
            return None
        waiting = 0
        stranded: Counter[str] = Counter()
        for (image, not_migratable), count in self._groups.items():
            if not image or image == launcher_image:
                continue
            if not update_methods:
                stranded["no_update_method"] += count
            elif not_migratable and "Evict" not in update_methods:
                stranded["not_migratable"] += count
            else:
                waiting += count
        if waiting and "LiveMigrate" in update_methods:
            failing = sum(
                1
                for key, failures in self._failures.items()
                if failures >= STRANDED_AFTER_FAILURES and self._waits(key, launcher_image)
            )
            if failing:
                stranded["migrations_failing"] += failing
                waiting -= failing
        return Outdated(waiting, dict(stranded))

    def _waits(self, key: str, launcher_image: str) -> bool:
        vmi = self.vmis.get(key)
        return (
            vmi is not None
            and vmi.phase == "Running"
            and vmi.migratable
            and self.image(vmi) not in ("", launcher_image)
        )

    def session_began(self) -> None:
        """Failures of an earlier session say nothing about this one."""
        self._failures.clear()

    def snapshot(self) -> dict[str, Any]:
        """Only what lists cannot tell again; bounded."""
        return {"failures": dict(sorted(self._failures.items())[:500])}

    def restore(self, state: dict[str, Any]) -> None:
        """Before the lists."""
        self._failures = {key: int(n) for key, n in state["failures"].items()}


def _group(vmi: Vmi, image: str) -> _Group | None:
    """None for a guest that does not run."""
    if vmi.phase != "Running":
        return None
    return image, "" if vmi.migratable else (vmi.not_migratable or "other")
