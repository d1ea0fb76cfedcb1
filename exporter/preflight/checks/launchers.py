"""Whether guests still run launchers of earlier releases. After another upgrade they are two releases behind."""

from collections import Counter
from collections.abc import Iterator

from exporter.model import versions
from exporter.preflight.base import Said, count, fails, named, passes, unknown, warns
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding."""
    outdated, newest, target = world.outdated, world.newest_launcher, world.target
    if not outdated.total:
        yield passes("every running guest has the launcher that virt-controller starts now")
        return
    old: Counter[str] = Counter()
    lines: list[str] = []
    silent: list[str] = []
    for vmi in world.guests:
        image = world.launcher_image(vmi)
        if vmi.phase != "Running" or image in ("", newest):
            continue
        version = versions.image_tag(image)
        behind = versions.minors_between(version, target)
        if behind is None:
            silent.append(f"{vmi.key}: {image}")
        elif behind > 1:
            old[version] += 1
            lines.append(f"{vmi.key}: {version}")
    if lines:
        yield fails(
            f"{count(len(lines), 'guest')} would be more than one minor release behind {target}:"
            f" {', '.join(f'{number} at {version}' for version, number in sorted(old.items()))}",
            named(sorted(lines)),
        )
        return
    if silent and world.hops:
        yield unknown(
            f"{count(len(silent), 'guest')} with an older launcher whose image tells no release:"
            f" maybe more than one minor release behind {target}",
            named(sorted(silent)),
        )
        return
    stranded = [f"{number} stranded: {reason}" for reason, number in sorted(outdated.stranded.items())]
    waiting = [f"{outdated.waiting} still to be updated by KubeVirt"] if outdated.waiting else []
    yield warns(f"{count(outdated.total, 'guest')} with a launcher of an earlier release", [*waiting, *stranded])
