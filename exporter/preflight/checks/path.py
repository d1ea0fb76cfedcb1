"""Whether the step is supported. KubeVirt supports updating from one minor release to the next, and within a minor.

Where it is not, the finding holds the staged plan. Rules: reference of KubeVirt's user guide, "updating is only
supported from N-1 to N release".
"""

from collections.abc import Iterator

from exporter.model import releases, versions
from exporter.preflight import plan
from exporter.preflight.base import Said, fails, passes, warns
from exporter.preflight.world import CannotTell, World


def check(world: World) -> Iterator[Said]:
    """One finding."""
    current, target = world.current, world.target
    hops = world.hops
    here, there = versions.parse(current), versions.parse(target)
    if here is None or there is None:
        raise CannotTell(f"no way is known from {current} to {target}")
    if len(hops) > 1:
        skipped = ", ".join(hop.to for hop in hops[:-1])
        yield fails(
            f"{current} to {target} skips {skipped}: KubeVirt supports one minor release at a time",
            plan.staged(hops, _kubernetes(world)),
        )
    elif hops:
        yield passes(f"{current} to {target} is one minor release forwards", plan.staged(hops, _kubernetes(world)))
    elif here.line == there.line and target.removeprefix("v") == there.line:
        yield warns(f"{current} is a release of {there.line} already")
    elif there < here:
        yield fails(f"{current} to {target} goes back: KubeVirt does not support rollbacks")
    elif there == here:
        yield warns(f"{current} runs already")
    else:
        yield passes(f"{current} to {target} stays within the minor release {releases.line_of(target)}")


def _kubernetes(world: World) -> int | None:
    """The cluster's Kubernetes minor, the oldest of its nodes'; None where it is not known: here it is an addition."""
    try:
        nodes = world.nodes
    except CannotTell:
        return None
    minors = [parsed.minor for node in nodes if (parsed := versions.parse(node.kubelet_version)) is not None]
    return min(minors, default=None)
