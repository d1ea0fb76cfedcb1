"""A process that has imported the program, and forks for each command line that it reads: so a start takes no time.

From the fork on it is the program as always, from its `main` on, with this command line and in a process of its own.
Orders are JSON, one a line; the answer to each is the process id.
"""

import json
import os
import signal
import sys

from exporter import __main__ as program
from exporter.cli import run as _run  # noqa: F401 - what a start would spend its time on


def main() -> None:
    """Ends when there are no more orders."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who is dead leaves nothing
    while line := sys.stdin.readline():
        order = json.loads(line)
        child = os.fork()
        if not child:
            become(order["arguments"], order["log"])
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def become(arguments: list[str], log: str) -> None:
    """Be the program; does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY), (2, log, os.O_WRONLY)):
        opened = os.open(path, mode | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["exporter", *arguments]
    program.main()


if __name__ == "__main__":
    main()
