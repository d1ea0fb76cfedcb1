"""Problems of the releases on the way that are open upstream, as data in `notes`."""

from collections.abc import Iterator

from exporter.preflight import notes
from exporter.preflight.base import Said, fails, passes, warns
from exporter.preflight.notes import Kind
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding for each note that applies."""
    found = False
    for note in notes.of(Kind.PROBLEM, world.lines, world):
        found = True
        say = fails if note.must else warns
        yield say(f"{note.line}: {note.text}", note.details)
    if not found:
        yield passes("no known problem of the releases on the way concerns this cluster")
