"""What a component that makes no progress waits for: its new pods that are not ready, by node, and why they wait.

For a person who has to get up: read when a component is stalled, and then only its pods are looked at.
"""

from collections.abc import Iterable
from typing import Final

from exporter.model.objects import Pod
from exporter.tracker import components

_MOST_NAMED: Final = 3


def words(pods: Iterable[Pod], target: str) -> str:
    """Such as `not ready on worker-3 (ImagePullBackOff)`. Empty where no new pod is to blame."""
    waiting = sorted(_place(pod) for pod in pods if _hinders(pod, target))
    if not waiting:
        return ""
    more = len(waiting) - _MOST_NAMED
    return f"not ready {', '.join(waiting[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")


def _hinders(pod: Pod, target: str) -> bool:
    ended = pod.deleted is not None or pod.phase in ("Succeeded", "Failed")
    return not pod.ready and not ended and components.origin_of_pod(pod) == target


def _place(pod: Pod) -> str:
    where = f"on {pod.node}" if pod.node else "on no node yet"
    return f"{where} ({pod.waiting})" if pod.waiting else where
