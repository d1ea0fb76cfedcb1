"""Whether there is a way back afterwards.

KubeVirt does not support rollbacks. What makes one impossible is known beforehand: a release that stores objects in a
version the one before it does not define, and kinds that the one before it does not have.
"""

from collections.abc import Iterator

from exporter.model import releases
from exporter.preflight.base import Said, fails, named, passes, warns
from exporter.preflight.world import CannotTell, World

_UNSUPPORTED = "KubeVirt does not support rollbacks (kubevirt/kubevirt#15018)"


def check(world: World) -> Iterator[Said]:
    """One finding."""
    lines = world.lines
    origin = releases.line_of(world.current)
    if origin is None or origin not in releases.LINES:
        raise CannotTell(f"KubeVirt {origin} is not in our tables")
    bars: list[str] = []
    for crd in world.crds:
        for line in lines:
            release = releases.crd_versions(crd.key, line)
            if release is not None and release.storage and releases.barred(crd.key, (release.storage,), origin):
                bars.append(f"{crd.key}: {line} stores {release.storage}, which {origin} does not define")
                break
    lost = [f"{crd}: new in {line}; going back deletes it and its objects" for line in lines
            for crd in (releases.new_crds(line) if line != origin else ())]  # fmt: skip
    details = [*named(bars), *lost, _UNSUPPORTED]
    if bars and world.rollback_required:
        yield fails(f"no way back to {origin} once the upgrade has begun", details)
    elif bars:
        yield warns(f"no way back to {origin} once the upgrade has begun: have a backup", details)
    else:
        yield passes(f"no stored version would bar the way back to {origin}", details)
