"""Starts the simulator, the exporter and its companions, follows them to the end of the scenario, and ends them all."""

import asyncio
import contextlib
import pathlib
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from exporter import sim
from exporter.demo import exposed, monitoring
from exporter.model.report import Report
from exporter.settings import Objectives, Thresholds
from exporter.web.status import Status

PACE: Final = 3.0
"""How much shorter everything is at speed 1: the upgrade of a small cluster takes three minutes instead of eight."""
_LOOK_SECONDS: Final = 0.5
_TICK_SECONDS: Final = 0.05
_SETTLING: Final = 45.0
"""Seconds of the story, in place of 15 min: nobody waits for these."""
_LEAST_JUDGEMENT: Final = 3.0
"""Seconds: changed definitions cut watches for two, however fast the story goes."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to show."""

    scenario: sim.Scenario
    speed: float
    """1: about three minutes for an upgrade."""
    once: bool
    """End when the scenario is over."""
    port: int
    """Of the exporter, on loopback; 0 takes a free one."""
    rules: Sequence[pathlib.Path]
    """Alert rules for Prometheus."""
    environment: Mapping[str, str]
    """For the exporter's process."""


class Screen(Protocol):
    """Where it is shown."""

    def opened(self, addresses: Mapping[str, str]) -> None:
        """Everything runs; what is to be found where, by name."""

    def show(self, reports: Sequence[Report], status: Status) -> None:
        """What the exporter says now, and how well it sees; called twice a second."""

    def over(self) -> None:
        """The scenario has ended, and we stay for looking."""


async def play(plan: Plan, screen: Screen) -> Sequence[Report]:
    """Show it until it is over, or until SIGINT, SIGTERM or SIGHUP; then everything started here has ended.

    The answer is what the exporter said last. Raises ExporterError: a part does not start, or ends by itself.
    """
    seen: list[Report] = []
    with contextlib.suppress(_Asked):
        async with _until_asked():
            with tempfile.TemporaryDirectory(prefix="kubevirt-upgrade-exporter-demo-") as folder:
                await _play(plan, screen, pathlib.Path(folder), seen)
    return seen


async def _play(plan: Plan, screen: Screen, folder: pathlib.Path, seen: list[Report]) -> None:
    pace = PACE * plan.speed
    async with (
        _simulated(plan.scenario, pace=pace) as simulation,
        exposed.exporting(
            simulation.kubeconfig(folder / "kubeconfig"),
            port=plan.port,
            flags=_shortened(pace),
            environment=plan.environment,
        ) as exporter,
        monitoring.watching(exporter.address, folder=folder, rules=plan.rules) as companions,
        _running(simulation) as clock,
    ):
        screen.opened({"Status page": f"http://{exporter.address}/", **companions})
        ends: float | None = None
        while True:
            if clock.done():
                clock.result()  # a bug of the simulator
            seen[:] = await exporter.reports()
            screen.show(seen, await exporter.status())
            if simulation.over and ends is None:
                ends = time.monotonic() + _SETTLING / pace + 3 * _LEAST_JUDGEMENT
                if not plan.once:
                    screen.over()
            judged = bool(seen) and seen[-1].phase.over
            if plan.once and ends is not None and (judged or time.monotonic() > ends):
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _shortened(pace: float) -> list[str]:
    """Flags: what the words of the product mean is as much shorter as the story is, so that it can be seen."""
    usual, objectives = Thresholds(), Objectives()
    seconds = {
        "--settling": max(2 * _LEAST_JUDGEMENT, _SETTLING / pace),
        "--judgement-delay": max(_LEAST_JUDGEMENT, usual.judgement_delay / pace),
        "--duplicate-launchers-after": max(_LEAST_JUDGEMENT, usual.duplicate_launchers_after / pace),
        "--stalled-after": max(usual.stalled_after / pace, 40.0),  # a new leader takes 18 s at any pace
        "--objective-api-disruption": max(_LEAST_JUDGEMENT, objectives.api_disruption / pace),
        "--objective-rollout-stall": max(objectives.rollout_stall / pace, 60.0),
    }
    return [f"{flag}={value:g}" for flag, value in seconds.items()]


@contextlib.asynccontextmanager
async def _simulated(scenario: sim.Scenario, *, pace: float) -> AsyncIterator[sim.Simulation]:
    """The API server, with a world that does not move yet."""
    simulation = sim.Simulation(scenario, start_at=None, pace=pace)
    await simulation.serve()
    try:
        yield simulation
    finally:
        await simulation.stop()


@contextlib.asynccontextmanager
async def _running(simulation: sim.Simulation) -> AsyncIterator[asyncio.Task[None]]:
    """Let time run: the story begins now, however long it took to start everything."""
    simulation.world.engine.shift(time.time() - simulation.now)
    clock = asyncio.create_task(_time(simulation), name="simulated time")
    try:
        yield clock
    finally:
        clock.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await clock


async def _time(simulation: sim.Simulation) -> None:
    while True:
        simulation.advance(max(0.0, time.time() - simulation.now))
        await asyncio.sleep(_TICK_SECONDS)


class _Asked(Exception):
    """Somebody wants us to end."""


@contextlib.asynccontextmanager
async def _until_asked() -> AsyncIterator[None]:
    """The first signal ends what is inside, in order; more of them change nothing: the end takes seconds at most.

    Raises _Asked: there was one.
    """
    loop, inside = asyncio.get_running_loop(), asyncio.current_task()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    asked: list[signal.Signals] = []

    def ask(number: signal.Signals) -> None:
        if not asked and inside is not None:
            inside.cancel()
        asked.append(number)

    for number in signals:
        loop.add_signal_handler(number, ask, number)
    try:
        yield
    except asyncio.CancelledError:
        if asked and inside is not None and inside.uncancel() == 0:
            raise _Asked from None
        raise
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
