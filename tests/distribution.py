"""Which tests share a process when they run in several: those of a file, and of all files that use the real API server.

So that server is started once a run. (Xdist has marks for this, `--dist=loadgroup`; with pytest 9.2 it ignores them:
https://github.com/pytest-dev/pytest-xdist/issues/1386.)
"""

import functools
import pathlib

from xdist.scheduler import LoadFileScheduling

ROOT = pathlib.Path(__file__).parents[1]
FIXTURE = "real_apiserver"


class ByServer(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """Hands out the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The file of a test, such as `tests/sim/test_store.py::test_name[one]`, or the name of what many files share."""
    file = nodeid.split("::", 1)[0]
    return FIXTURE if _shares(file) else file


@functools.cache
def _shares(file: str) -> bool:
    """Whether it, or the conftest.py beside it, names the fixture."""
    path = ROOT / file
    beside = path.with_name("conftest.py")
    return any(FIXTURE in each.read_text() for each in (path, beside) if each.exists())
