"""virt-launcher pods: which guests have more than one running, and what a launcher's end says about its cause."""

from collections.abc import Iterator
from typing import NamedTuple

from exporter.model.changes import Delta
from exporter.model.objects import Pod

_MARKS_KEPT = 5000


class Mark(NamedTuple):
    """Why a launcher ended or is ending."""

    cause: str
    """`out_of_memory`, `evicted` or `launcher_deleted`."""
    node: str


class Launchers:
    """Running launchers by the UID of their VMI."""

    def __init__(self) -> None:
        self._single: dict[str, Pod] = {}
        self.crowded: dict[str, dict[str, Pod]] = {}
        """VMI UIDs with two and more launchers whose compute container runs, by pod key."""
        self._marks: dict[str, Mark] = {}

    def observe(self, delta: Delta) -> None:
        """Take a difference in."""
        old, new = delta.old, delta.new
        if isinstance(old, Pod) and old.running:
            self._remove(old)
        if isinstance(new, Pod):
            if new.running:
                self._add(new)
                if not (isinstance(old, Pod) and old.running) and self.mark(new.vmi_uid, node=new.node) is not None:
                    del self._marks[new.vmi_uid]  # the guest has come back to a node it had left
            if (cause := _cause(new)) is not None and new.vmi_uid:
                self._marks[new.vmi_uid] = Mark(cause, new.node)
                if len(self._marks) > _MARKS_KEPT:
                    del self._marks[next(iter(self._marks))]

    def pods(self) -> Iterator[Pod]:
        """All of them."""
        yield from self._single.values()
        for crowd in self.crowded.values():
            yield from crowd.values()

    def mark(self, vmi_uid: str, *, node: str) -> str | None:
        """What the launcher on that node says about the end of its guest."""
        mark = self._marks.get(vmi_uid)
        return mark.cause if mark is not None and mark.node == node else None

    def _add(self, pod: Pod) -> None:
        uid = pod.vmi_uid
        if uid in self.crowded:
            self.crowded[uid][pod.key] = pod
            return
        other = self._single.get(uid)
        if other is None or other.key == pod.key:
            self._single[uid] = pod
            return
        del self._single[uid]
        self.crowded[uid] = {other.key: other, pod.key: pod}

    def _remove(self, pod: Pod) -> None:
        uid = pod.vmi_uid
        crowd = self.crowded.get(uid)
        if crowd is None:
            if (single := self._single.get(uid)) is not None and single.key == pod.key:
                del self._single[uid]
            return
        crowd.pop(pod.key, None)
        if len(crowd) == 1:
            del self.crowded[uid]
            self._single[uid] = next(iter(crowd.values()))


def _cause(pod: Pod) -> str | None:
    if pod.terminated == "OOMKilled":
        return "out_of_memory"
    if pod.disrupted or pod.reason == "Evicted":
        return "evicted"
    if pod.deleted is not None and pod.phase == "Running":
        return "launcher_deleted"
    return None
