"""What the releases on the way change that people should know before: breaking changes, as data in `notes`."""

from collections.abc import Iterator

from exporter.preflight import notes
from exporter.preflight.base import Said, fails, passes, warns
from exporter.preflight.notes import Kind
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding for each note that applies."""
    lines = tuple(hop.to for hop in world.hops if world.lines)
    found = False
    for note in notes.of(Kind.CHANGE, lines, world):
        found = True
        say = fails if note.must else warns
        yield say(f"{note.line}: {note.text}", note.details)
    if not found:
        yield passes("no known change on the way asks for anything here")
