"""Whether the target release was validated on the Kubernetes versions of the API server and of the nodes."""

from collections import defaultdict
from collections.abc import Iterator

from exporter.model import releases, versions
from exporter.preflight import plan
from exporter.preflight.base import Said, fails, passes
from exporter.preflight.world import CannotTell, World


def check(world: World) -> Iterator[Said]:
    """One finding."""
    line = world.line
    suits = releases.kubernetes(line)
    if suits is None:
        raise CannotTell(f"it is not known on which Kubernetes versions KubeVirt {line} was validated")
    found: dict[str, list[str]] = defaultdict(list)
    if world.server:
        found[world.server].append("the API server")
    for node in sorted(world.nodes, key=lambda node: node.name):
        found[node.kubelet_version].append(node.name)
    if not world.nodes:
        raise CannotTell("there are no nodes")
    unreadable = sorted(version for version in found if versions.parse(version) is None)
    if unreadable:
        raise CannotTell(f"Kubernetes versions that are not readable: {', '.join(map(repr, unreadable))}")
    wrong = sorted(version for version in found if not releases.validated(line, version))
    here = ", ".join(sorted(found))
    summary = f"KubeVirt {line} was validated on Kubernetes {plan.span(suits)}; this cluster runs {here}"
    if wrong:
        yield fails(summary, (f"{version}: {_some(found[version])}" for version in wrong))
    else:
        yield passes(summary)


def _some(nodes: list[str]) -> str:
    shown = ", ".join(nodes[:5])
    return shown if len(nodes) <= 5 else f"{shown} and {len(nodes) - 5} more"
