"""A guest lost its running instance: what is known about it, and what it was.

A case is opened at the first sign and judged 30 s later, when the other streams (VM, launcher, node) have had their
say. The words are those of design §2.
"""

import enum
from typing import NamedTuple

import msgspec

from exporter.model.objects import Vm, Vmi
from exporter.tracker.tracker import View

SAME_TIME = 5.0
"""Streams of different resources are not ordered against each other within this many seconds (design §1)."""
_NODE_LOSS_EXPLAINS = 900.0
"""Seconds: KubeVirt fails guests 5 min after a node's last heartbeat, a drain or reboot takes minutes."""

REASONS = ("failed", "out_of_memory", "node_lost", "evicted", "workload_update", "launcher_deleted", "other")
"""Why a guest was interrupted. `workload_update` is the Evict update method, which has a budget of its own."""


class Sign(enum.StrEnum):
    """What was seen."""

    FAILED = "failed"
    SUCCEEDED = "succeeded"
    GONE = "gone"


class Outcome(enum.StrEnum):
    """What it was."""

    ASKED = "asked"
    INTERRUPTED = "interrupted"
    GUEST_SHUTDOWN = "guest_shutdown"
    VMI_DELETED = "vmi_deleted"
    UNATTRIBUTED = "unattributed"


class Case(msgspec.Struct, kw_only=True, array_like=True):
    """One loss. Snapshots may hold a thousand of them, so that names of fields would cost too much there."""

    key: str
    uid: str
    at: float
    sign: Sign
    gap: bool
    owned: bool = True
    deleting: bool = False
    """Somebody had deleted the VMI before."""
    node: str = ""
    reason: str = ""
    outdated: bool = False
    """It ran an old launcher, and KubeVirt would evict it for that."""
    asked: bool = False
    mark: str = ""
    """What its launcher has said of the cause so far; the launcher may be gone after a restart."""
    session: float | None = None
    """Start of the session it fell into."""
    up: float | None = None
    """When the guest's next instance was running."""


class Judgement(NamedTuple):
    """The end of a case; `reason` is for interruptions only."""

    outcome: Outcome
    reason: str = ""


def wants_to_stop(vm: Vm) -> bool:
    """Its owner does not want it to run."""
    return vm.run_strategy == "Halted" or vm.deleted is not None


def open_case(vmi: Vmi, sign: Sign, *, at: float, gap: bool, view: View) -> Case:
    """What is known at the first sign."""
    outdated = False
    image, methods = view.components.launcher_image(), view.kubevirt.update_methods if view.kubevirt is not None else ()
    if image and "Evict" in methods and view.active:
        runs_old = view.guests.image(vmi) not in ("", image)
        outdated = runs_old and (not vmi.migratable or "LiveMigrate" not in methods)
    return Case(
        key=vmi.key,
        uid=vmi.uid,
        at=at,
        sign=sign,
        gap=gap,
        owned=vmi.owned,
        deleting=vmi.deleted is not None,
        node=vmi.node,
        reason=vmi.reason,
        outdated=outdated,
        mark=view.launchers.mark(vmi.uid, node=vmi.node) or "",
        session=view.session.started if view.active and view.session is not None else None,
    )


def judge(case: Case, view: View, *, node_lost: float | None) -> Judgement:
    """Settle a case with what the other streams say. `node_lost`: when its node was last seen lost."""
    if case.asked:
        return Judgement(Outcome.ASKED)
    cause = _cause(case, view, node_lost)
    if case.sign is Sign.FAILED:
        return Judgement(Outcome.INTERRUPTED, cause or "failed")
    if cause is not None:
        return Judgement(Outcome.INTERRUPTED, cause)
    if case.sign is Sign.SUCCEEDED and not case.deleting:
        return Judgement(Outcome.GUEST_SHUTDOWN)
    if case.gap and not case.deleting:
        return Judgement(Outcome.UNATTRIBUTED)
    return Judgement(Outcome.VMI_DELETED)


def _cause(case: Case, view: View, node_lost: float | None) -> str | None:
    mark = view.launchers.mark(case.uid, node=case.node) or case.mark or None
    if mark == "out_of_memory":
        return mark
    lost = node_lost is not None and abs(case.at - node_lost) <= _NODE_LOSS_EXPLAINS
    if case.reason == "NodeUnresponsive" or lost:
        return "node_lost"
    if mark is None or (mark == "launcher_deleted" and (case.deleting or case.gap)):
        return None  # deleting a VMI deletes its launcher, and in a gap nobody saw which went first
    return "workload_update" if case.outdated else mark
