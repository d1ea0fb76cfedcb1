"""The way from one release to another: minor by minor, with the Kubernetes versions that each step needs. Pure."""

import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

from exporter.model import releases, versions

FARTHEST: Final = 50
"""Minor steps of a way; a target beyond is a slip of the finger."""


class Hop(NamedTuple):
    """One step; lines such as `1.3`."""

    origin: str
    to: str

    def __str__(self) -> str:
        return f"{self.origin} to {self.to}"


def hops(current: str, target: str) -> tuple[Hop, ...] | None:
    """The minor steps forwards; none within a minor or backwards.

    None: unreadable, another major release, or farther than any release is.
    """
    between = versions.minors_between(current, target)
    origin = versions.parse(current)
    if between is None or between > FARTHEST or origin is None:
        return None
    lines = [f"{origin.major}.{origin.minor + step}" for step in range(between + 1)]
    return tuple(Hop(*pair) for pair in itertools.pairwise(lines))


def staged(way: tuple[Hop, ...], kubernetes: int | None) -> Iterator[str]:
    """The steps in order, one line each; `kubernetes` is the minor (of 1.x) that the cluster runs, None for unknown.

    A KubeVirt release and the one after it have Kubernetes minors in common, so both may run while one replaces the
    other. Where the cluster's is not among these, Kubernetes goes first.
    """
    steps = list(_steps(way, kubernetes))
    if len(steps) == 1:
        yield from steps
    else:
        yield from (f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _steps(way: tuple[Hop, ...], kubernetes: int | None) -> Iterator[str]:
    at = kubernetes
    for hop in way:
        suits = common(hop)
        if suits is None:
            yield f"KubeVirt {hop}: Kubernetes versions not known"
            continue
        first, last = suits
        if at is not None and at < first:
            yield f"Kubernetes 1.{at} to 1.{first}"
            at = first
        beyond = f", this cluster runs 1.{at}" if at is not None and at > last else ""
        yield f"KubeVirt {hop}: both validated on Kubernetes {span(suits)}{beyond}"


def common(hop: Hop) -> tuple[int, int] | None:
    """The first and last Kubernetes minor that both ends of a hop were validated on; None: not known."""
    before, after = releases.kubernetes(hop.origin), releases.kubernetes(hop.to)
    if before is None or after is None:
        return None
    return max(before[0], after[0]), min(before[1], after[1])


def span(minors: tuple[int, int]) -> str:
    """`1.28 to 1.30`."""
    first, last = minors
    return f"1.{first}" if first == last else f"1.{first} to 1.{last}"
