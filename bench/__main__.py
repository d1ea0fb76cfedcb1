"""`make bench`: a table of what the exporter costs, beside `json.loads` of the same bytes and the floor.

Absolute figures depend on the machine; the ratios hardly do. Nothing here passes or fails.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
from rich.console import Console
from rich.table import Table

from bench import objects, probes
from bench.client import ROUNDS

GOALS = {
    "sync_cpu_s": 2.0, "unchanged_event_us": 15.0, "changed_event_us": 30.0, "peak_mb": 120.0, "page_ms": 50.0,
}  # fmt: skip
PEAK_OF_ALL = 200.0
SAMPLE = 5000


@contextlib.contextmanager
def server(count: int) -> Iterator[int]:
    """A server process with so many objects of each kind; its port."""
    command = [sys.executable, "-m", "bench.server", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def client(port: int, what: str, events: int) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "bench.client", str(port), what, str(events)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result


def floors() -> tuple[float, float]:
    """Microseconds per object: `json.loads`, and msgspec looking for two fields only: the floor of typed reading."""

    class Least(msgspec.Struct):
        kind: str
        apiVersion: str  # noqa: N815 - the API's spelling

    items = [objects.vmi(n, version=n) for n in range(SAMPLE)]
    decoder = msgspec.json.Decoder(Least)
    loads, least = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        for item in items:
            json.loads(item)
        loads.append(time.process_time() - started)
        started = time.process_time()
        for item in items:
            decoder.decode(item)
        least.append(time.process_time() - started)
    return min(loads) / SAMPLE * 1e6, min(least) / SAMPLE * 1e6


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=10_000)
    arguments = parser.parse_args()
    guests: int = arguments.guests
    events = min(arguments.events, guests)  # each of another guest, so that all of a round are of one kind
    loads, floor = floors()
    with server(guests) as port:
        vmis = client(port, "vmis", events)
    with server(guests) as port:
        everything = client(port, "all", events)
    with server(1000) as port:
        few = client(port, "vmis", 1000)
    table = Table("what", "measured", "goal", "of json.loads", "of the floor", title=f"{guests:,} VMIs of 7 KB")
    per_object = {"sync_cpu_s": 1e6 / guests, "unchanged_event_us": 1.0, "changed_event_us": 1.0}
    for name, goal in GOALS.items():
        value = vmis[name]
        ratios = ("", "")
        if name in per_object:
            ratios = (f"{value * per_object[name] / loads:.2f}", f"{value * per_object[name] / floor:.1f}")
        table.add_row(name, f"{value:.2f}", f"{goal:g}", *ratios)
    for name in ("unchanged_event_median_us", "changed_event_median_us"):
        table.add_row(name, f"{vmis[name]:.2f}", "", "", "")
    table.add_row("peak_mb, VMs and launchers as well", f"{everything['peak_mb']:.0f}", f"{PEAK_OF_ALL:g}", "", "")
    table.add_row("sync_cpu_s, VMs and launchers as well", f"{everything['sync_cpu_s']:.2f}", "", "", "")
    table.add_row("page_ms at 1,000 VMIs", f"{few['page_ms']:.2f}", f"{vmis['page_ms']:.2f}", "", "")
    table.add_row("series on the page", f"{vmis['series']:.0f}", "3000", "", "")
    console = Console(width=110)
    console.print(table)
    console.print(f"json.loads {loads:.1f} us, floor {floor:.1f} us per VMI; {vmis['imports_mb']:.0f} MB after imports")
    probes.main([])


if __name__ == "__main__":
    main()
