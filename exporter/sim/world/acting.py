"""Acts a scenario out: each step waits for its moment and then becomes processes of the world."""

from __future__ import annotations

from typing import assert_never

from exporter.sim.scenario import (
    Action,
    DeleteDefinition,
    FailMigrations,
    Inject,
    InterruptGuest,
    KeepLauncher,
    LoseLeader,
    LoseNode,
    RestartGuest,
    Scenario,
    ShutDownGuest,
    StickHandler,
    StopApi,
    Upgrade,
    When,
)
from exporter.sim.world import incidents, operator
from exporter.sim.world.engine import Process, Task
from exporter.sim.world.releases import Release
from exporter.sim.world.world import Stuck, World


def act(world: World, scenario: Scenario) -> Task:
    """Start all steps; the answer is over when the scenario is."""
    for number, step in enumerate(scenario.steps):
        world.spawn(_step(world, step.when, step.action), f"step {number}")
    return world.spawn(_ending(world, scenario), "ending")


def _wait(world: World, when: When) -> Process:
    if not when.after:
        yield when.at
        return
    while when.after not in world.truth.milestones:
        yield world.milestone_reached
    yield when.plus


def _ending(world: World, scenario: Scenario) -> Process:
    ending = world.spawn(_wait(world, scenario.ends), "wait for the ending")
    limit = world.spawn(_limit(world, ending, scenario.longest), "longest")
    yield ending
    world.engine.cancel(limit)


def _limit(world: World, ending: Task, longest: float) -> Process:
    yield longest
    world.engine.cancel(ending)


def _step(world: World, when: When, action: Action) -> Process:
    yield from _wait(world, when)
    yield from _perform(world, action)


def _perform(world: World, action: Action) -> Process:  # noqa: C901, PLR0912 - a table
    match action:
        case Upgrade(to=to, by=by):
            yield from operator.upgrade(world, Release(to), by_image_tag=by == "image-tag")
        case StickHandler(node=node, version=version, reason=reason, seconds=seconds):
            world.mark(f"fault armed: virt-handler:{version} {reason} on {node}")
            world.stuck[node] = Stuck(reason=reason, release=Release(version).id)
            if seconds is not None:
                yield seconds
                del world.stuck[node]
        case InterruptGuest(guest=guest, how=how):
            yield from incidents.killed(world, world.guests[guest], how)
        case ShutDownGuest(guest=guest):
            yield from incidents.shut_down(world, world.guests[guest])
        case RestartGuest(guest=guest, how=how, pause=pause):
            yield from incidents.restarted(world, world.guests[guest], how, pause)
        case LoseNode(node=node, removed_after=removed_after):
            yield from incidents.node_lost(world, node, removed_after)
        case KeepLauncher(guest=guest, seconds=seconds):
            world.lingering[guest] = seconds
        case FailMigrations(guests=guests, times=times):
            world.failing.update(dict.fromkeys(guests, -1 if times is None else times))
        case StopApi(what="kubevirt-api", seconds=seconds):
            yield from incidents.kubevirt_api_away(world, seconds)
        case StopApi(seconds=seconds):
            yield from incidents.cluster_api_away(world, seconds)
        case LoseLeader(lease=lease, seconds=seconds):
            world.leaderless_until[lease] = world.now + seconds
        case DeleteDefinition(name=name, recreate_after=recreate_after):
            yield from incidents.definition_deleted(world, name, recreate_after)
        case Inject(fault=fault):
            world.faults.add(fault)
        case _:
            assert_never(action)
