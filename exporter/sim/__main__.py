"""Runs a scenario live, by itself: `python -m exporter.sim clean --pace 3`. Ends with the scenario, or with Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from exporter import sim
from exporter.sim import dump
from exporter.sim.api import tls

_USAGE = 3  # what the product's commands end with, too, when they are called wrongly


def main() -> int:
    """Parse the command line and run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exporter.sim", description="Simulate an upgrade of KubeVirt.")
    parser.add_argument("scenario", help=f"a file, or one of: {', '.join(sim.names())}")
    parser.add_argument("--guests", type=int, help="how many guests, in place of the scenario's number")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--port", type=int, default=0, help="of loopback; 0 takes a free one")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS, with a certificate made on the spot")
    parser.add_argument("--kubeconfig", type=Path, help="write one for clients")
    parser.add_argument("--stay", action="store_true", help="go on serving when the scenario is over")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--pace", type=float, default=1.0, help="real time, everything so many times as short")
    how.add_argument("--speed", type=float, help="simulated seconds a second; timestamps are then simulated, too")
    how.add_argument("--record", type=Path, metavar="FILE", help="write a recording, at once, and serve nothing")
    asked = parser.parse_args()
    try:
        scenario = sim.load(asked.scenario, guests=asked.guests)
    except sim.ScenarioError as error:
        sys.stderr.write(f"{error}\n")
        return _USAGE
    if asked.record:
        dump.record(sim.Simulation(scenario, seed=asked.seed), asked.record)
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(scenario, asked))
    return 0


async def _serve(scenario: sim.Scenario, asked: argparse.Namespace) -> None:
    simulation = sim.Simulation(scenario, seed=asked.seed, start_at=None, pace=asked.pace)
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        context, certificate = tls.self_signed(Path(folder)) if asked.tls else (None, None)
        url = await simulation.start(port=asked.port, tls=context, speed=asked.speed or 1.0)
        if asked.kubeconfig:
            simulation.kubeconfig(asked.kubeconfig, certificate=certificate)
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        try:
            await simulation.ended()
            if asked.stay:
                await asyncio.Event().wait()
        finally:
            await simulation.stop()


if __name__ == "__main__":
    sys.exit(main())
