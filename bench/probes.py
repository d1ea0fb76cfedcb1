"""What probing costs: CPU of 20 probes at 1 Hz over TLS, as a share of a core. `python -m bench.probes`.

The server is the simulator in a process of its own.
"""

import argparse
import asyncio
import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from exporter import settings, sim
from exporter.kube import access
from exporter.kube.clock import Clock
from exporter.model.changes import ProbeFinished
from exporter.probes import asking
from exporter.probes.runner import Runner
from exporter.probes.table import Probe, table
from exporter.sim.api import tls

PROBES = 20
GOAL = 3.0
"""Percent of a core."""
NAMESPACE = "team-a"
WARM_UP = 3.0


async def serve(folder: pathlib.Path) -> None:
    """A simulated cluster, until standard input ends."""
    simulation = sim.Simulation(sim.load("clean"), start_at=None)
    context, certificate = tls.self_signed(folder)
    await simulation.start(tls=context)
    simulation.kubeconfig(folder / "kubeconfig", certificate=certificate)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await simulation.stop()


@contextlib.contextmanager
def server() -> Iterator[pathlib.Path]:
    """The kubeconfig of a cluster in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.probes", "--serve", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            yield pathlib.Path(folder) / "kubeconfig"
            process.stdin.close()


def rows() -> tuple[Probe, ...]:
    """The table, and as many more lists of VMs as make it 20 requests a second."""
    probes = table(namespace=NAMESPACE)
    requests = sum(len(probe.connections) for probe in probes)
    [listing] = [probe for probe in probes if probe.name == "vm-list-v1"]
    return probes + (listing,) * (PROBES - requests)


async def measure(kubeconfig: pathlib.Path, *, seconds: float) -> tuple[float, float, int]:
    """Percent of a core, mean milliseconds of a request, requests."""
    results: list[ProbeFinished] = []
    async with asking.own_api(await access.load(settings.Cluster(kubeconfig=str(kubeconfig)))) as api:
        runner = Runner(api, rows(), eager=lambda: True, emit=results.append, clock=Clock())
        task = asyncio.create_task(runner.run())
        await asyncio.sleep(WARM_UP)
        results.clear()
        used, began = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        share = 100 * (time.process_time() - used) / (time.monotonic() - began)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    failed = [result for result in results if result.reason]
    assert not failed, failed[0]
    return share, 1000 * sum(result.seconds for result in results) / len(results), len(results)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--serve", type=pathlib.Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve is not None:
        asyncio.run(serve(given.serve))
        return
    with server() as kubeconfig:
        share, milliseconds, requests = asyncio.run(measure(kubeconfig, seconds=given.seconds))
    shown = Table("what", "measured", "goal", title=f"{PROBES} probes at 1 Hz over TLS, {requests} requests")
    shown.add_row("percent of a core", f"{share:.2f}", f"{GOAL:g}")
    shown.add_row("milliseconds a request", f"{milliseconds:.1f}", "")
    Console(width=110).print(shown)


if __name__ == "__main__":
    main()
