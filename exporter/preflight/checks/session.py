"""Whether an upgrade, rollback or reconfiguration is under way already."""

from collections.abc import Iterator

from exporter.model.report import Phase
from exporter.preflight.base import Said, fails, passes, warns
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding."""
    session = world.session
    if session is None:
        yield passes("no upgrade, rollback or reconfiguration is under way")
        return
    what = f"{session.kind} {session.from_version or 'unknown'} to {session.to_version or 'unknown'}"
    if session.phase is Phase.SETTLING:
        yield warns(f"{what} is complete, and still being watched for what it may have broken")
    else:
        yield fails(f"{what} is under way: {session.phase.replace('_', ' ')}")
