"""Daemons die of `kill -9` at random moments of a clean and of an interrupted upgrade: the report is the one without.

On the simulator and on a real API server, whole processes, faster than life. Beforehand the same story is told to a
daemon that nobody kills. What may differ is what nobody could see: see `tests.unit.journal.comparing`.

    make endurance ARGS="--kills 50 --seed 7"

kills more of each, at other moments. What fails says how one round is repeated, and when daemons died. Not found by
pytest unless it is named, since it takes minutes.
"""

import asyncio
import datetime as dt
import itertools
import json
import math
import pathlib
import random
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import pytest
from prometheus_client import parser

from exporter.model.report import Report
from exporter.report import decode
from tests.endurance.plan import AfterStart, AtMoment, InRequest, Kill, plan
from tests.endurance.processes import Nursery, Process, nursery
from tests.endurance.stages import Stage, Story, Theatre, real, simulated, story
from tests.unit.journal import comparing

FLAGS = ["--journal-interval", "2", "--journal-lease-duration", "1", "--judgement-delay", "4", "--settling", "4"]
A_ROUND = 17
"""Kills while a story is told once; more would leave no time to write anything."""
PATIENCE = 90.0
COMES = 6.0
"""Seconds in which a daemon sends a request that it sends again and again; where it does not, it dies without."""
GAUGES = {
    "vmis_baseline": "baseline",
    "vmis_migrated": "migrated",
    "vmi_losses_unattributed": "unattributed",
    "vmi_interruption_seconds": "interruption_seconds",
    "unobserved_seconds": "unobserved_seconds",
}
"""Fields of the report that a metric shows, too."""
LATE = 4.0
"""Seconds by which the same moment of a story may be learnt earlier or later, on a busy machine."""


class Life(NamedTuple):
    """One process."""

    known: float
    """Up to this moment its predecessors had written everything down, if anything."""
    born: float
    ready: float
    """From this moment on it knew everything, if ever."""
    died: float


class Told(NamedTuple):
    """What is left when a story has been told."""

    report: Report
    shown: Report
    gauges: dict[str, float]
    lives: list[Life]
    in_story: Callable[[float], float]
    """The story's own second of a moment."""


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("where", ["simulator", "real"])
@pytest.mark.parametrize("scenario", ["clean", "guest-evicted"])
async def test_killed(scenario: str, where: str, request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> None:
    options = request.config.option
    theatre, told = theatre_of(where, request), story(scenario)
    async with nursery(folder(tmp_path, "log") / "daemons") as births:
        expected = await play(told, theatre, births, folder(tmp_path, "nobody"), [])
        assert expected.report.continuity.unobserved_seconds == 0
        assert expected.report.continuity.interrupted.total == len(told.losses)
        for number in range(-(-options.kills // A_ROUND)):
            if options.round in {None, number}:
                rng = random.Random(f"{options.seed}/{where}/{scenario}/{number}")
                count = min(A_ROUND, options.kills - number * A_ROUND)
                kills = plan(rng, count, length=told.length, losses=told.losses)
                again = f"--kills {options.kills} --seed {options.seed} --round {number} -k '{scenario} and {where}'"
                sys.stdout.write(f'\nAgain: make endurance ARGS="{again}"\n')
                got = await play(told, theatre, births, folder(tmp_path, str(number)), kills)
                compare(got, expected)


def folder(above: pathlib.Path, name: str) -> pathlib.Path:
    (made := above / name).mkdir()
    return made


def theatre_of(where: str, request: pytest.FixtureRequest) -> Theatre:
    if where == "simulator":
        return simulated
    assets: pathlib.Path = request.getfixturevalue("kube_apiserver_assets")
    return lambda told, folder: real(told, folder, assets)


async def play(told: Story, theatre: Theatre, births: Nursery, folder: pathlib.Path, kills: Sequence[Kill]) -> Told:
    """Tell a story, while daemons live and die."""
    lives: list[tuple[float, Process]] = []
    async with theatre(told, folder) as stage, stage.telling():

        async def bear() -> Process:
            known = await last_known(stage)
            process = await births.bear(stage.config, *FLAGS)
            lives.append((known, process))
            return process

        for kill in kills:
            process = await bear()
            how = await wait(kill, stage)
            assert process.alive, "the daemon has ended by itself"
            await process.end(signal.SIGKILL)
            sys.stdout.write(f"killed at {stage.now:.2f}: {how}\n")
            await asyncio.sleep(kill.down)
        process = await bear()
        report = await ended(stage, process)
        gauges = await session_gauges(process)
        await process.end(signal.SIGKILL)
        heir = await births.bear(stage.config, *FLAGS)
        async with asyncio.timeout(PATIENCE):
            while ready(heir) == math.inf:  # noqa: ASYNC110 - it lives in its own time
                await asyncio.sleep(0.1)
        assert await session_gauges(heir) == gauges, "the last session's stay, over restarts, too"
        [shown] = decode.reports((await heir.get("/api/v1/upgrades")).encode())
        await heir.end(signal.SIGTERM)
        assert "stopped" in heir.events
        lived = [Life(known, process.born, ready(process), process.died) for known, process in lives]
        return Told(report, shown, gauges, lived, stage.in_story)


async def wait(kill: Kill, stage: Stage) -> str:
    """Until it is time; what it dies of."""
    match kill.when:
        case AtMoment(seconds, least):
            await asyncio.sleep(max(least, seconds - stage.now))
        case AfterStart(seconds):
            await asyncio.sleep(seconds)
        case InRequest(request, point):
            try:
                async with asyncio.timeout(COMES):
                    await stage.gate.held(request, point)
            except TimeoutError:
                return f"no {request.name}"
    return str(kill.when)


async def last_known(stage: Stage) -> float:
    """Up to which moment everything is written down in the cluster."""
    states = [json.loads(stored.state)["last"] for stored in await stage.reports.read() if stored.state]
    return max(states, default=-math.inf)


def ready(process: Process) -> float:
    """When it had listed everything, at the latest."""
    event = process.events.get("ready")
    return math.inf if event is None else dt.datetime.fromisoformat(event["time"]).timestamp()


async def ended(stage: Stage, process: Process) -> Report:
    """The one report in the cluster, once its session is over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            stored = await stage.reports.read()
            assert len(stored) <= 1
            assert process.alive
            if stored and stored[0].report is not None and stored[0].report.phase.over:
                return stored[0].report
            await asyncio.sleep(0.2)


async def session_gauges(process: Process) -> dict[str, float]:
    """The series of the last session, by name and labels."""
    families = parser.text_string_to_metric_families(await process.get("/metrics"))
    samples = [sample for family in families for sample in family.samples if "_upgrade_session_" in sample.name]
    assert samples
    return {f"{sample.name}{sample.labels}": sample.value for sample in samples}


def compare(got: Told, expected: Told) -> None:
    """As without kills, in the cluster and on the last process's page."""
    killed = [life.died for life in got.lives[:-1]]
    within = [at for at in killed if got.report.started_at < at < (got.report.ended_at or 0.0)]
    assert len(within) > len(killed) / 2, "most kills must fall into the session"
    theirs = comparing.moved(expected.report, expected.in_story)
    lives = [Life(*map(got.in_story, life)) for life in got.lives]
    unseen = not any(life.ready + LATE < theirs.started_at < life.died - LATE for life in lives)
    blind = [(life.known, life.ready) for life in lives if life.ready < life.died]
    for report in (got.report, got.shown):
        assert report.cluster_uid
        # Each real API server gives its own.
        like = msgspec.structs.replace(theirs, cluster_uid=report.cluster_uid)
        comparing.compare(comparing.moved(report, got.in_story), like, blind, late=LATE, unseen=unseen)
        least, most = unobserved(got.lives, report)
        assert least - LATE <= report.continuity.unobserved_seconds <= most + LATE
    for name, field in GAUGES.items():
        value = getattr(got.report.continuity, field)
        assert got.gauges.get(f"kubevirt_upgrade_session_{name}{{}}") == pytest.approx(value, abs=comparing.LATE)


def unobserved(lives: list[Life], report: Report) -> tuple[float, float]:
    """Seconds of the session in which nobody lived who has left anything, and those in which nobody knew everything."""
    # Who has left nothing has not shortened the blindness of the next.
    heard = [life for life, after in itertools.pairwise(lives) if life.known != after.known] + lives[-1:]
    least = comparing.length([(life.known, life.born) for life in heard], report)
    most = comparing.length([(life.known, min(life.ready, life.died)) for life in heard], report)
    return least, most
