"""The standard `process_` metrics, read from /proc when somebody asks.

The client library's own collector registers itself globally on import; this one is a source like any other. Where there
is no /proc, what stands there is missing from the page: unknown is not zero.
"""

import math
import os
import pathlib
import resource
import time
from collections.abc import Iterator
from typing import Final

from exporter.model.families import Family, Kind, Sample


def _family(name: str, kind: Kind, text: str) -> Family:
    return Family(name=name, kind=kind, help=text, prefix="process_")


CPU: Final = _family("cpu_seconds", Kind.COUNTER, "User and system CPU time spent, in seconds.")
RESIDENT: Final = _family("resident_memory_bytes", Kind.GAUGE, "Resident memory, in bytes.")
VIRTUAL: Final = _family("virtual_memory_bytes", Kind.GAUGE, "Virtual memory, in bytes.")
STARTED: Final = _family("start_time_seconds", Kind.GAUGE, "Start of the process, in seconds since the Unix epoch.")
OPEN_FDS: Final = _family("open_fds", Kind.GAUGE, "Open file descriptors.")
MAX_FDS: Final = _family("max_fds", Kind.GAUGE, "Most file descriptors the process may open.")

FAMILIES: Final = (CPU, RESIDENT, VIRTUAL, STARTED, OPEN_FDS, MAX_FDS)

# Fields of /proc/PID/stat, counted from the one after the command in parentheses (proc_pid_stat(5)).
_START_TICKS: Final = 19
_VIRTUAL_BYTES: Final = 20
_RESIDENT_PAGES: Final = 21


class ProcessSource:
    """The source of this module's families."""

    name = "process"
    families = FAMILIES

    def __init__(self, *, proc: pathlib.Path = pathlib.Path("/proc")) -> None:
        self._proc = proc

    def samples(self, now: float) -> Iterator[Sample]:
        """What is true now."""
        yield CPU(time.process_time())
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield MAX_FDS(math.inf if limit == resource.RLIM_INFINITY else limit)
        if not self._proc.joinpath("self").exists():
            return
        fields = self._proc.joinpath("self", "stat").read_text().rpartition(")")[2].split()
        yield VIRTUAL(float(fields[_VIRTUAL_BYTES]))
        yield RESIDENT(float(fields[_RESIDENT_PAGES]) * os.sysconf("SC_PAGESIZE"))
        yield STARTED(self._boot_time() + float(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK"))
        yield OPEN_FDS(len(list(self._proc.joinpath("self", "fd").iterdir())) - 1)  # without the one that lists them

    def _boot_time(self) -> float:
        lines = self._proc.joinpath("stat").read_text().splitlines()
        return float(next(line.removeprefix("btime ") for line in lines if line.startswith("btime ")))
