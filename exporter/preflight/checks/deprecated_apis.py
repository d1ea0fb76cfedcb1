"""Whether clients write in API versions that are deprecated, or that the target no longer serves.

Who wrote an object in which version stands in its metadata.managedFields. Who only reads leaves no trace there.
"""

from collections.abc import Iterator

from exporter.model import releases
from exporter.model.objects import Crd
from exporter.preflight.base import Said, count, fails, named, passes, warns
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding."""
    lines = world.lines
    gone: list[str] = []
    used: list[str] = []
    deprecated: list[str] = []
    for crd in world.crds:
        ends = _last_served(crd, lines)
        for version in crd.versions:
            if not version.served or (version.name not in ends and not version.deprecated):
                continue
            name = f"{crd.key} {version.name}"
            written = world.written(crd.key)
            objects = (written or {}).get(f"{crd.group}/{version.name}", 0)
            wrote = (
                f", in which {count(objects, 'object')} was written"
                if objects == 1
                else (f", in which {objects} objects were written" if objects else "")
            )
            if version.name in ends:
                unread = "; its objects are not looked at" if written is None else ""
                (used if objects else gone).append(f"{name}: not served from {ends[version.name]} on{wrote}{unread}")
            elif objects:
                deprecated.append(f"{name}: deprecated{wrote}")
    if used:
        yield fails(
            f"clients write in {count(len(used), 'API version')} that the upgrade takes away", named(used + gone)
        )
    elif gone:
        yield warns(
            f"the upgrade takes away {count(len(gone), 'API version')}; no object is known to be written in them",
            named(gone),
        )
    elif deprecated:
        yield warns(f"objects were written in {count(len(deprecated), 'deprecated API version')}", named(deprecated))
    else:
        yield passes("no object is known to be written in a deprecated API version, and what is served stays served")


def _last_served(crd: Crd, lines: tuple[str, ...]) -> dict[str, str]:
    """Versions that are served now and not on the way, with the first release that does not."""
    ends: dict[str, str] = {}
    for line in lines:
        release = releases.crd_versions(crd.key, line)
        if release is None:
            continue
        for version in crd.versions:
            if version.served and version.name not in release.served:
                ends.setdefault(version.name, line)
    return ends
