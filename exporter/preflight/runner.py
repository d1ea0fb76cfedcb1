"""Runs checks on a world; what a check cannot tell becomes a finding of its own."""

from collections.abc import Collection, Iterator

from exporter.model.findings import Finding, State
from exporter.preflight.checks import CHECKS
from exporter.preflight.world import CannotTell, World


def run(world: World, *, only: Collection[str] = (), accept: Collection[str] = ()) -> Iterator[Finding]:
    """The findings of all checks, or of those named by `only`; those named by `accept` are marked."""
    for name in only or CHECKS:
        yield from one(name, world, accepted=name in accept)


def one(name: str, world: World, *, accepted: bool = False) -> Iterator[Finding]:
    """The findings of one check; at least one."""
    try:
        for said in CHECKS[name].check(world):
            yield Finding(check=name, state=said.state, summary=said.summary, details=said.details, accepted=accepted)
    except CannotTell as reason:
        yield Finding(check=name, state=State.UNKNOWN, summary=str(reason), accepted=accepted)
