"""Scenarios that cannot be acted out: names of nobody, versions of nothing, moments that never come."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporter.sim.rules import Impossible
from exporter.sim.scenario import (
    DeleteDefinition,
    FailMigrations,
    InterruptGuest,
    KeepLauncher,
    LoseNode,
    RestartGuest,
    Scenario,
    ShutDownGuest,
    Step,
    StickHandler,
    Upgrade,
    When,
)
from exporter.sim.world import releases
from exporter.sim.world.releases import Release
from exporter.sim.world.world import guest_names

Rule = Callable[[Scenario], list[str]]

MILESTONES = {
    "operator-changed", "operator-rolled-out", "operator-leads", "target-set", "install-job-done",
    "definitions-changed", "webhooks-changed", "handler-started", "handler-canary-ready", "handler-rolled-out",
    "controller-started", "controller-rolled-out", "controller-leads", "api-started", "api-rolled-out",
    "definitions-finished", "reported", "workloads-started", "workloads-updated", "blocked",
}  # fmt: skip
_VITAL = {  # without these there is no KubeVirt left to simulate
    "kubevirts.kubevirt.io", "virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io",
    "virtualmachineinstancemigrations.kubevirt.io",
}  # fmt: skip


def check(scenario: Scenario) -> None:
    """Raise `Impossible` with everything that is wrong."""
    problems = [problem for rule in RULES for problem in rule(scenario)]
    if problems:
        raise Impossible(problems)


def cluster_is_complete(scenario: Scenario) -> list[str]:
    """There are nodes to run on, namespaces to live in, and no more stranded guests than guests."""
    spec = scenario.cluster
    problems = []
    if spec.workers < 1 or spec.control_planes < 1:
        problems.append("cluster: it needs at least one worker and one control plane")
    if spec.guests and not spec.namespaces:
        problems.append("cluster.namespaces: guests need a namespace")
    if len(set(spec.namespaces)) != len(spec.namespaces) or {"kubevirt", "default", "kube-system"} & set(
        spec.namespaces
    ):
        problems.append("cluster.namespaces: each of them once, and none of kubevirt, default, kube-system")
    if not 0 <= spec.stranded <= spec.guests:
        problems.append(f"cluster.stranded: {spec.stranded} of {spec.guests} guests cannot be stranded")
    if spec.parallel_migrations < 1:
        problems.append("cluster.parallel-migrations: at least one has to be allowed")
    if spec.lease_seconds < 3:
        problems.append("cluster.lease-seconds: it is renewed every 2 s, so it has to last 3 s at least")
    unknown = set(spec.update_methods) - {"LiveMigrate", "Evict"}
    if unknown:
        problems.append(f"cluster.update-methods: {', '.join(sorted(unknown))} does not exist")
    return problems


def guests_can_move(scenario: Scenario) -> list[str]:
    """A live migration needs a second node."""
    spec = scenario.cluster
    moving = "LiveMigrate" in spec.update_methods and spec.guests > spec.stranded
    return ["cluster.workers: guests cannot migrate on one node"] if moving and spec.workers == 1 else []


def versions_are_known(scenario: Scenario) -> list[str]:
    """Only releases whose objects we know can be simulated."""
    named = [("cluster.version", scenario.cluster.version)]
    named += [(f"{step.place}to", step.action.to) for step in scenario.steps if isinstance(step.action, Upgrade)]
    problems = []
    for place, version in named:
        try:
            releases.minor(version)
        except ValueError as error:
            problems.append(f"{place}: {error}")
    return problems


def upgrades_change_the_version(scenario: Scenario) -> list[str]:
    """Each upgrade goes somewhere else than the one before."""
    version, problems = scenario.cluster.version, []
    for step in scenario.steps:
        if isinstance(step.action, Upgrade):
            if step.action.to == version:
                problems.append(f"{step.place}to: KubeVirt is on its way to {version} already")
            version = step.action.to
    return problems


def stored_versions_exist(scenario: Scenario) -> list[str]:
    """Stored versions are versions of the definition at the beginning, and its storage version is one of them."""
    if versions_are_known(scenario):
        return []
    release = Release(scenario.cluster.version)
    known = {what.name: releases.versions(what, release) for what in releases.definitions(release)}
    problems = []
    for name, stored in scenario.cluster.stored_versions.items():
        if name not in known:
            problems.append(f"cluster.stored-versions: {release.version} has no definition {name}")
            continue
        storage = next(version["name"] for version in known[name] if version["storage"])
        if not set(stored) <= {version["name"] for version in known[name]} or storage not in stored:
            problems.append(f"cluster.stored-versions.{name}: {release.version} stores {storage}, and not only others")
    return problems


def guests_exist(scenario: Scenario) -> list[str]:
    """Who is named is there."""
    names = set(guest_names(scenario.cluster))
    return [
        f"{step.place}{field}: there is no guest {guest}" for step, field, guest in _named_guests(scenario)
        if guest not in names
    ]  # fmt: skip


def migrating_guests_can_migrate(scenario: Scenario) -> list[str]:
    """A guest that cannot migrate has no migration that could fail or leave a launcher behind."""
    names = guest_names(scenario.cluster)
    stranded = set(names[len(names) - scenario.cluster.stranded :])
    return [
        f"{step.place}{field}: {guest} is stranded, it never migrates"
        for step, field, guest in _named_guests(scenario)
        if isinstance(step.action, KeepLauncher | FailMigrations) and guest in stranded
    ]


def nodes_exist(scenario: Scenario) -> list[str]:
    """A node that is named is a worker, and a lost one is not the last."""
    workers = {f"worker-{number}" for number in range(1, scenario.cluster.workers + 1)}
    problems = [
        f"{step.place}node: there is no worker {step.action.node}" for step in scenario.steps
        if isinstance(step.action, StickHandler | LoseNode) and step.action.node not in workers
    ]  # fmt: skip
    lost = {step.action.node for step in scenario.steps if isinstance(step.action, LoseNode)}
    if lost and len(workers - lost) < 2:
        problems.append("two workers have to be left for guests to go to")
    return problems


def moments_come(scenario: Scenario) -> list[str]:
    """Milestones are those of an upgrade that happens; times are not negative."""
    reachable = {step.action.to for step in scenario.steps if isinstance(step.action, Upgrade)}
    problems = []
    moments: list[tuple[str, When]] = [("ends", scenario.ends)]
    moments += [(f"{step.place}after", step.when) for step in scenario.steps]
    for place, when in moments:
        if when.at < 0 or when.plus < 0:
            problems.append(f"{place}: time does not run backwards")
        name, _, version = when.after.partition(" ")
        if when.after and (name not in MILESTONES or version not in reachable):
            problems.append(f'{place}: "{when.after}" never comes; a milestone is "handler-started v1.4.0"')
    return problems


def definitions_can_go(scenario: Scenario) -> list[str]:
    """Only a definition that exists, and that guests do not live by, can be deleted."""
    known = {what.name for what in releases.DEFINITIONS}
    return [
        f"{step.place}name: {step.action.name} cannot be deleted here" for step in scenario.steps
        if isinstance(step.action, DeleteDefinition) and (step.action.name not in known or step.action.name in _VITAL)
    ]  # fmt: skip


RULES: tuple[Rule, ...] = (
    cluster_is_complete,
    guests_can_move,
    versions_are_known,
    upgrades_change_the_version,
    stored_versions_exist,
    guests_exist,
    migrating_guests_can_migrate,
    nodes_exist,
    moments_come,
    definitions_can_go,
)


def _named_guests(scenario: Scenario) -> Iterator[tuple[Step, str, str]]:
    for step in scenario.steps:
        match step.action:
            case InterruptGuest(guest=guest) | ShutDownGuest(guest=guest) | RestartGuest(guest=guest):
                yield step, "guest", guest
            case KeepLauncher(guest=guest):
                yield step, "guest", guest
            case FailMigrations(guests=guests):
                for guest in guests:
                    yield step, "guests", guest
            case _:
                pass
