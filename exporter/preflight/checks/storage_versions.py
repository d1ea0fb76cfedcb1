"""Whether objects are stored in API versions that a release on the way no longer defines.

The API server then refuses the release's definition, and virt-operator writes definitions before anything else: the
upgrade stops before it has begun.
"""

from collections.abc import Iterator

from exporter.model import releases
from exporter.preflight.base import Said, count, fails, passes, unknown
from exporter.preflight.world import World

_REMEDY = (
    "rewrite all objects of the kind, so that they are stored anew, then take the version out of status.storedVersions"
)


def check(world: World) -> Iterator[Said]:
    """One finding, and one more where definitions are not in our tables."""
    blocks: list[str] = []
    strangers: list[str] = []
    lines, crds = world.lines, world.crds
    for crd in crds:
        for line in lines:
            barred = releases.barred(crd.key, crd.stored, line)
            if barred is None:
                strangers.append(f"{crd.key}: stored as {', '.join(crd.stored)}")
                break
            if barred:
                blocks.append(f"{crd.key}: {', '.join(barred)} is stored, and not defined by {line}")
                break
    if blocks:
        yield fails(f"stored versions of {count(len(blocks), 'definition')} bar the way", (*blocks, _REMEDY))
    if strangers:
        yield unknown("definitions of KubeVirt that are not in our tables", strangers)
    if not blocks and not strangers:
        if not crds:
            yield unknown("no definitions of KubeVirt were found")
            return
        yield passes(f"{count(len(crds), 'definition')}: all that is stored is defined by {' and '.join(lines)}")
